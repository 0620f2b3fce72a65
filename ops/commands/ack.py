"""`jejak ack`: a health office has read an alert, and may say what came of it."""

from urllib.parse import quote

import click

from producers.gate_client import open_gate
from schemas.errors import BadInput
from schemas.settings import Settings


@click.command()
@click.argument("alert_id", metavar="ALERT")
@click.option(
    "--decide", type=click.Choice(["confirmed", "dropped", "undecided"]), help="Also say what the candidate is."
)
@click.option("--reason", default="", help="Why it was decided so; it is stored with your name.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="API key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def ack(settings: Settings, alert_id: str, *, decide: str | None, reason: str, gate: str, key_file: str) -> None:
    """Acknowledge an alert of your office, e.g. `jejak ack 3f0c… --key-file office.key`.

    From then on data alone never withdraw its candidate: you are asked to review instead, and decide.
    """
    if decide and not reason:
        raise BadInput("is needed with --decide", field="--reason")
    path = f"/v1/alerts/{quote(alert_id, safe='')}"
    with open_gate(settings, gate, key_file) as client:
        done = client.post(f"{path}/ack", {})
        if decide:
            client.post(f"{path}/decisions", {"decision": decide, "reason": reason})
    told = f"; {decide}" if decide else ""
    click.echo(f"{alert_id}: acknowledged by {done['acknowledged_by']} at {done['acknowledged_at']}{told}")
