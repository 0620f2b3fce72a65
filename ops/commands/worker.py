"""`jejak worker`: one worker of one service; `jejak up` starts and restarts them."""

from importlib import import_module
from typing import Protocol

import click

from ops.embedded import running_settings
from ops.log import places_of, set_up_logs
from ops.secrets import ensure_secret
from schemas.errors import StopWorker
from schemas.settings import Settings


class Service(Protocol):
    """A module of `streams` that runs a service."""

    def run(self, settings: Settings, slot: int) -> None:
        """Run one worker until it is asked to stop."""


@click.command()
@click.argument("service", type=click.Choice(["visits", "traces"]))
@click.option("--slot", type=click.IntRange(min=0), default=0, help="The worker's number: a restart keeps it.")
@click.pass_obj
def worker(settings: Settings, service: str, slot: int) -> None:
    """Fold a service's topics into the database, e.g. `jejak worker visits --slot 0`.

    Ends with 70 (offsets skipped), 71 (database away), 1 (Kafka away): start it again. With 72 the log is not the
    one it read: `jejak doctor` says what is lost.
    """
    settings = running_settings(settings)
    set_up_logs(settings.log_level)
    ensure_secret(settings, "seal", "dead-letters")
    module: Service = import_module(f"streams.{service}")
    try:
        module.run(settings, slot)
    except StopWorker as order:
        if order.__cause__ is not None:
            click.echo(f"jejak: {' '.join(places_of(order.__cause__))}", err=True)
        raise
