"""Whether the services of a home do their work, and why not: asked of the gate, read of the others' files."""

import time
from pathlib import Path
from typing import Final

import httpx

from ops.services import gate_url
from ops.slots import slots_here
from schemas.settings import Settings

TIMEOUT_S: Final = 3.0
FRESH_S: Final = 30.0  # workers write their metrics every 5 s, the relay every 10 s
WORKERS: Final = ("visits", "traces", "standing", "plausibility")
NO_ANSWER: Final = "the gate does not answer"
LANES: Final = ("relay-news", "relay-bulk")


def gate_trouble(settings: Settings) -> str:
    """Return why the gate of this home is not ready, in its own words; empty: it is.

    Raises:
        Unavailable: none runs.
    """
    url = gate_url(settings)
    try:
        answer = httpx.get(f"{url}/readyz", timeout=TIMEOUT_S)
    except httpx.HTTPError:
        return NO_ANSWER
    return "" if answer.is_success else f"the gate is not ready: {'; '.join(answer.json()['reasons'])}"


def worker_troubles(settings: Settings, service: str) -> list[str]:
    """Return why the workers of a service that run here do not work, one each; empty: they do."""
    slots = slots_here(settings, service)
    if not slots:
        return [f"no {service} worker runs here"]
    return [trouble for slot in slots if (trouble := _trouble(settings, f"{service}-{slot}"))]


def relay_trouble(settings: Settings) -> str:
    """Return why the relay of this home does not work; empty: it does."""
    waiting = [f"{lane} {why}" for lane in LANES if (why := _said(settings, lane))]
    return _stillness(settings, "relay") or "; ".join(waiting)


def retention_trouble(settings: Settings) -> str:
    """Return why the retention of this home does not work; empty: it does."""
    return _trouble(settings, "retention")


def has_run(settings: Settings, name: str) -> bool:
    """Say whether this service ever worked in this home."""
    return _metrics_file(settings, name).exists()


def _trouble(settings: Settings, name: str) -> str:
    why = _said(settings, name)
    return _stillness(settings, name) or (f"{name} {why}" if why else "")


def _stillness(settings: Settings, name: str) -> str:
    """Return something unless the service's metrics were written lately: its loop turns."""
    try:
        age_s = time.time() - _metrics_file(settings, name).stat().st_mtime
    except FileNotFoundError:
        return f"{name} has not begun"
    return f"{name} has stood still for {age_s:.0f} s" if age_s > FRESH_S else ""


def _metrics_file(settings: Settings, name: str) -> Path:
    return settings.home / "run" / "metrics" / f"{name}.prom"


def _said(settings: Settings, name: str) -> str:
    """Return what the service says keeps it from its work."""
    try:
        return (settings.home / "run" / "ready" / name).read_text()
    except FileNotFoundError:
        return ""
