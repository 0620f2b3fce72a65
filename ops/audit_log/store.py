"""Reading the audit's rows, however many, in the order in which they were written."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ops.audit_log.chain import NO_ANCHOR, Anchor, AuditRow
from tracing.store import Connection

ROWS_AT_A_TIME = 10_000


def audit_rows(conn: Connection, since: datetime | None = None) -> Iterator[AuditRow]:
    """Yield the rows from `since` on, or all; one state of the table, never all of it in memory.

    From the first row of that time every later one is in it, also where a clock went back.
    """
    with conn.cursor(name="audit_rows") as cursor:
        cursor.itersize = ROWS_AT_A_TIME
        cursor.execute(
            "select id, at, principal, action, object, reason, previous, hash from audit"
            " where %(since)s::timestamptz is null or id >= (select min(id) from audit where at >= %(since)s)"
            " order by id",
            {"since": since},
        )
        for row in cursor:
            values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
            yield AuditRow(*values)


def read_anchor(conn: Connection) -> Anchor:
    """Return where the chain begins."""
    with conn.cursor() as cursor:
        cursor.execute("select last_hash, said_in, last_id from audit_anchor order by anchor_id desc limit 1")
        row = cursor.fetchone()
        return NO_ANCHOR if row is None else Anchor(bytes(row[0]), row[1], row[2])


def read_last(conn: Connection) -> bytes:
    """Return the hash of the row that was written last, as it is known beside the audit; empty: none ever was."""
    with conn.cursor() as cursor:
        cursor.execute("select last_hash from audit_head")
        row = cursor.fetchone()
        return b"" if row is None else bytes(row[0])
