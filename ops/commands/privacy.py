"""`jejak privacy`: what a person may ask for himself. Who he is comes from standard input, never from an argument."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import click

from ops.embedded import running_settings
from ops.reasons import Reason
from ops.store import OPERATOR, transaction
from portal.privacy import requests
from portal.privacy.identifiers import read_identifiers
from portal.vault.key_files import key_folder
from portal.vault.store import Erasure
from schemas.errors import BadInput
from schemas.settings import Settings


@click.group()
def privacy() -> None:
    """Answer a person's request: export his data, or erase him."""


@privacy.command("export")
@click.option("--reason", type=Reason(), required=True, help="Who asked, and where that is filed; goes into the audit.")
@click.pass_obj
def export(settings: Settings, reason: str) -> None:
    """Write a person's data and who processed them, e.g. `jejak privacy export --reason "letter 12" < identifier`.

    Standard input has one line, a type and a value: nik, passport, kitas or temporary. The answer is one JSON object:
    of a human with several ids, joined by a record, all that is stored under any of them.
    """
    settings = running_settings(settings)
    (subject,) = read_identifiers(click.get_text_stream("stdin"), 1, demo=settings.demo)
    found = requests.export(
        partial(transaction, settings, OPERATOR),
        key_folder(settings),
        subject,
        who=getpass.getuser(),
        reason=reason,
        now=datetime.now(UTC),
    )
    click.echo(json.dumps(found, default=_text, ensure_ascii=False, indent=1))


@privacy.command("erase")
@click.option("--reason", type=Reason(), required=True, help="Who asked, and where that is filed; goes into the audit.")
@click.pass_obj
def erase(settings: Settings, reason: str) -> None:
    """Erase a person, or record when that will be, e.g. `jejak privacy erase --reason "letter 12" < identifier`.

    Standard input as for export. While something has to be kept, the answer is a date, and a gate does it then. Other
    ids of his, joined to this one by a record, are erased with it.
    """
    settings = running_settings(settings)
    (subject,) = read_identifiers(click.get_text_stream("stdin"), 1, demo=settings.demo)
    transact = partial(transaction, settings, OPERATOR)
    _show(requests.erase(transact, key_folder(settings), subject, who=getpass.getuser(), reason=reason))


@privacy.command("receipt")
@click.argument("erasure_id", metavar="ERASURE")
@click.pass_obj
def receipt(settings: Settings, erasure_id: str) -> None:
    """Show where an erasure stands, and when it is done its proof, e.g. `jejak privacy receipt ID`.

    `audit_hash` is a link of the audit's chain: `jejak audit-log verify --expect` finds it.
    """
    try:
        UUID(erasure_id)
    except ValueError as error:
        raise BadInput("is no id of an erasure", field="ERASURE") from error
    _show(requests.receipt_of(partial(transaction, running_settings(settings), OPERATOR), erasure_id))


def _show(found: Sequence[Erasure]) -> None:
    shown = _shown(found[0]) | {"other_ids": [_shown(one) for one in found[1:]]}
    click.echo(json.dumps(shown, default=_text, indent=1))


def _shown(one: Erasure) -> dict[str, Any]:
    return {
        "erasure_id": one.erasure_id,
        "state": "done" if one.done_at else "waiting",
        "asked_at": one.asked_at,
        "due_at": one.due_at,
        "done_at": one.done_at,
        "rows_left": one.left_over,
        "audit_row": one.audit_id,
        "audit_hash": one.audit_hash.hex() if one.audit_hash else None,
    }


def _text(value: Any) -> str | float:  # noqa: ANN401 — whatever the database gives
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return float(value) if value.__class__.__name__ == "Decimal" else str(value)
