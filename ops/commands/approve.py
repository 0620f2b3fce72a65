"""`jejak approve`: the second person's answer to a case that waits."""

from urllib.parse import quote

import click

from producers.gate_client import open_gate
from schemas.settings import Settings


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--reason", required=True, help="Why; it is stored with your name.")
@click.option("--refuse", is_flag=True, help="Refuse instead of approving.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="API key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def approve(settings: Settings, case_id: str, *, reason: str, refuse: bool, gate: str, key_file: str) -> None:
    """Approve (or refuse) a case that somebody else asked for, e.g. `jejak approve K000007 --reason "PE done"`.

    Nobody approves what he asked for himself.
    """
    action = "refuse" if refuse else "approve"
    with open_gate(settings, gate, key_file) as client:
        client.post(f"/v1/traces/{quote(case_id, safe='')}/approval", {"action": action, "reason": reason})
    click.echo(f"{case_id}: {'refused' if refuse else 'approved'}; `jejak trace-show {case_id}` shows what came of it")
