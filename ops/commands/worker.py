"""`jejak worker`: one worker of one service; `jejak up` starts and restarts them."""

from importlib import import_module
from typing import Protocol

import click

from ops.embedded import running_settings
from ops.log import places_of
from ops.processes import begin_service
from ops.secrets import ensure_secret
from ops.slots import SLOTS_MAX, held_slot
from schemas.errors import BadInput, StopWorker
from schemas.settings import Settings


class Service(Protocol):
    """A module of `streams` that runs a service."""

    def run(self, settings: Settings, slot: int) -> None:
        """Run one worker until it is asked to stop."""


@click.command()
@click.argument("service", type=click.Choice(["visits", "traces", "standing"]))
@click.option(
    "--slot", metavar="NUMBER|auto", default="0", help="The worker's number: a restart keeps it. auto: a free one."
)
@click.pass_obj
def worker(settings: Settings, service: str, slot: str) -> None:
    """Fold a service's topics into the database, e.g. `jejak worker visits --slot 0`.

    Ends with 70 (offsets skipped), 71 (database away), 1 (Kafka away): start it again. With 72 the log is not the
    one it read: `jejak doctor` says what is lost.
    """
    number = read_slot(slot)
    settings = running_settings(settings)
    begin_service(settings.log_level)
    ensure_secret(settings, "seal", "dead-letters")
    module: Service = import_module(f"streams.{service}")
    try:
        with held_slot(settings, service, number) as mine:
            module.run(settings, mine)
    except StopWorker as order:
        if order.__cause__ is not None:
            click.echo(f"jejak: {' '.join(places_of(order.__cause__))}", err=True)
        raise


def read_slot(text: str) -> int | None:
    """Return the number of an option, or None for any free one.

    Raises:
        BadInput: it is neither a number from 0 nor `auto`.
    """
    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit() and int(text) < SLOTS_MAX):
        raise BadInput(f"must be auto or a number from 0 to {SLOTS_MAX - 1}", field="--slot")
    return int(text)
