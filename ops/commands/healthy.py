"""`jejak healthy`: does a service of this home work? For a container's health check; says nothing when all is well."""

import time
from pathlib import Path

import click
import httpx

from ops.commands.up import gate_url
from ops.slots import slots_here
from schemas.errors import Unavailable
from schemas.settings import Settings

TIMEOUT_S = 3.0
FRESH_S = 30.0  # workers write their metrics every 5 s, the relay every 10 s


@click.command()
@click.argument("service", type=click.Choice(["gate", "visits", "traces", "standing", "relay"]))
@click.pass_obj
def healthy(settings: Settings, service: str) -> None:
    """End with 0 when the service works here, with 2 and a line that says what does not, e.g. `jejak healthy gate`."""
    if service == "gate":
        _ask_gate(gate_url(settings))
    elif service == "relay":
        _check_fresh(settings, "relay")
    else:
        slots = slots_here(settings, service)
        if not slots:
            raise Unavailable(f"no {service} worker runs here")
        for slot in slots:
            _check_fresh(settings, f"{service}-{slot}")


def _ask_gate(url: str) -> None:
    try:
        answer = httpx.get(f"{url}/readyz", timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise Unavailable("the gate does not answer") from error
    if not answer.is_success:
        raise Unavailable(f"the gate is not ready: {'; '.join(answer.json()['reasons'])}")


def _check_fresh(settings: Settings, name: str) -> None:
    """Raise Unavailable unless the service's metrics were written lately: its loop turns."""
    path: Path = settings.home / "run" / "metrics" / f"{name}.prom"
    try:
        age_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        raise Unavailable(f"{name} has not begun") from None
    if age_s > FRESH_S:
        raise Unavailable(f"{name} has stood still for {age_s:.0f} s")
