"""`jejak decide`: what people found out about a candidate."""

from urllib.parse import quote

import click

from producers.gate_client import open_gate
from schemas.settings import Settings


@click.command()
@click.argument("case_id", metavar="CASE")
@click.argument("contact_ref", metavar="CONTACT")
@click.argument("decision", type=click.Choice(["confirmed", "dropped", "undecided"]))
@click.option("--reason", required=True, help="Why; it is stored with your name.")
@click.option("--identity-checked", is_flag=True, help="You made sure who it was: needed where no scan was proven.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="API key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def decide(
    settings: Settings,
    case_id: str,
    contact_ref: str,
    decision: str,
    *,
    reason: str,
    identity_checked: bool,
    gate: str,
    key_file: str,
) -> None:
    """Say whether a candidate is a close contact, e.g. `jejak decide K000007 REF confirmed --reason "same room"`.

    Only a confirmed one is sent to triage at the gates; dropped or undecided ends that. Whom only scans
    put there that nobody proved is so only with `--identity-checked`.
    """
    body = {
        "contact_ref": contact_ref,
        "decision": decision,
        "reason": reason,
        "identity_checked": identity_checked,
    }
    with open_gate(settings, gate, key_file) as client:
        client.post(f"/v1/traces/{quote(case_id, safe='')}/decisions", body)
    click.echo(f"{case_id}: {contact_ref} {decision}")
