"""`jejak accept-lost`: an operator says, on record, that records of a log are gone."""

import getpass

import click

from ops.embedded import running_settings
from ops.positions import accept_loss
from schemas.settings import Settings


@click.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(min=0))
@click.option("--by", default="", metavar="NAME", help="Who answers for it; default: your login name.")
@click.pass_obj
def accept_lost(settings: Settings, topic: str, partition: int, by: str) -> None:
    """Let a fold go on behind records that its log has lost, e.g. `jejak accept-lost scan.v1 3`.

    Only where `jejak doctor` names a loss. The range, and who accepted it, is kept; then restart the workers.
    """
    stand = accept_loss(running_settings(settings), topic, partition, by or getpass.getuser())
    click.echo(f"accepted for {topic} {partition}: {stand.loss}")
