"""`jejak healthy`: does a service of this home work? For a container's health check; says nothing when all is well."""

import click

from ops.health import WORKERS, gate_trouble, relay_trouble, retention_trouble, worker_troubles
from schemas.errors import Unavailable
from schemas.settings import Settings


@click.command()
@click.argument("service", type=click.Choice(["gate", *WORKERS, "relay", "retention"]))
@click.pass_obj
def healthy(settings: Settings, service: str) -> None:
    """End with 0 when the service works here, with 2 and a line that says what does not, e.g. `jejak healthy gate`."""
    if service == "gate":
        trouble = gate_trouble(settings)
    elif service == "relay":
        trouble = relay_trouble(settings)
    elif service == "retention":
        trouble = retention_trouble(settings)
    else:
        trouble = "; ".join(worker_troubles(settings, service))
    if trouble:
        raise Unavailable(trouble)
