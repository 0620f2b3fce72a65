"""`jejak dead`: records that could not be used. Seeing one unsealed goes into the audit."""

import getpass
import sys

import click

from ops.embedded import running_settings
from ops.reasons import Reason
from ops.store import OPERATOR, transaction
from schemas.settings import Settings
from streams.dead.store import read_dead, take_out_dead
from streams.sealing import read_seal
from streams.store import Source


@click.group()
def dead() -> None:
    """Records of a topic that could not be used, kept sealed for seven days."""


@dead.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Rows, the newest first.")
@click.pass_obj
def list_letters(settings: Settings, limit: int) -> None:
    """List dead letters: where they stood, since when, and why."""
    with transaction(running_settings(settings), OPERATOR) as conn, conn.cursor() as cur:
        letters = read_dead(cur, limit)
    for letter in letters:
        click.echo(
            f"{letter.topic} {letter.partition} {letter.offset}  {letter.at:%Y-%m-%dT%H:%M:%SZ}  {letter.reason}"
        )
    if not letters:
        click.echo("no dead letters")


@dead.command("show")
@click.argument("topic")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@click.option("--reason", type=Reason(), default="", help="Why you must see it; goes into the audit.")
@click.pass_obj
def show_letter(settings: Settings, topic: str, partition: int, offset: int, reason: str) -> None:
    """Write the bytes of one dead letter to standard output, e.g. `jejak dead show scan.v1 3 1042 --reason complaint`.

    That you saw it is written down first, and for good.
    """
    settings = running_settings(settings)
    seal = read_seal(settings)
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        sealed = take_out_dead(cur, Source(topic, partition), offset, who=getpass.getuser(), reason=reason)
    sys.stdout.buffer.write(seal.unseal(sealed, topic, partition, offset))
    sys.stdout.buffer.flush()
