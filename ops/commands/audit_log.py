"""`jejak audit-log`: who read or changed what is personal; its chain checked, its rows handed out."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from ops.audit_log.chain import Anchor, AuditRow, check_chain
from ops.audit_log.seen import expected_head, keep_head
from ops.audit_log.store import audit_rows, read_anchor, read_last
from ops.embedded import running_settings
from ops.store import OPERATOR, transaction
from schemas.errors import BadInput
from schemas.settings import Settings

BROKEN = 1
HASH_BYTES = 32


class Since(click.ParamType):
    """A day or an instant in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 — click's signature
        """Return the instant."""
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail("is no ISO 8601 time", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


@click.group("audit-log")
def audit_log() -> None:
    """Check and export the audit of who read or changed what is personal."""


@audit_log.command("verify")
@click.option("--since", type=Since(), help="Check the rows from then on only.")
@click.option("--expect", default="", metavar="HASH", help="A head seen before: it must still be in the chain.")
@click.pass_obj
def verify(settings: Settings, since: datetime | None, expect: str) -> None:
    """Compute the chain again, e.g. `jejak audit-log verify --expect HASH`; exit 1 and the row where it is broken.

    Rows cut off at the end are missed, and so is the head of the last look from the same JEJAK_HOME. Prints the head:
    write it down elsewhere too, and give it with --expect; nothing else shows a chain that was written anew as a whole
    by somebody who also had the home. Rows that went after their time are not missed.
    """
    expected = _hash(expect)
    with _rows(settings, since) as (rows, anchor, last):
        if since is None and not expected:
            expected = expected_head(settings, anchor)
        verdict = check_chain(rows, from_the_first=since is None, expected=expected, anchor=anchor, last=last)
    if verdict.broken:
        click.echo(f"broken: {verdict.broken}; {verdict.rows} rows before it hold", err=True)
        sys.exit(BROKEN)
    if since is None:
        keep_head(settings, verdict)
    click.echo(f"{verdict.rows} rows hold, head {verdict.head.hex() or 'none'}")


@audit_log.command("export")
@click.option("--since", type=Since(), help="The rows from then on only.")
@click.pass_obj
def export(settings: Settings, since: datetime | None) -> None:
    """Write the rows with their hashes to standard output, one JSON object a line, e.g. `jejak audit-log export`."""
    with _rows(settings, since) as (rows, *_):
        for row in rows:
            click.echo(json.dumps(_shown(row), ensure_ascii=False))


@contextmanager
def _rows(settings: Settings, since: datetime | None) -> Iterator[tuple[Iterator[AuditRow], Anchor, bytes]]:
    with transaction(running_settings(settings), OPERATOR) as conn:
        with conn.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
        anchor, last = read_anchor(conn), read_last(conn)
        yield audit_rows(conn, since), anchor, last


def _shown(row: AuditRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "principal": row.principal,
        "action": row.action,
        "object": row.object,
        "reason": row.reason,
        "previous": row.previous.hex(),
        "hash": row.hash.hex(),
    }


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise BadInput("is no hash in hexadecimal digits", field="--expect") from error
    if text and len(found) != HASH_BYTES:
        raise BadInput(f"is no hash of {HASH_BYTES} bytes", field="--expect")
    return found
