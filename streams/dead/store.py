"""Dead letters in PostgreSQL as an operator reads them: listed sealed, taken out one by one and on record."""

from datetime import datetime
from typing import NamedTuple

from schemas.errors import NotFound
from streams.store import Source
from tracing.store import Cursor


class Letter(NamedTuple):
    """A dead letter as it is listed."""

    topic: str
    partition: int
    offset: int
    at: datetime
    reason: str


def read_dead(cur: Cursor, limit: int) -> list[Letter]:
    """Return the newest dead letters, sealed as they are."""
    cur.execute('select topic, partition, "offset", at, reason from dead_letter order by at desc limit %s', (limit,))
    return [Letter(*row) for row in cur.fetchall()]


def take_out_dead(cur: Cursor, source: Source, offset: int, *, who: str, reason: str) -> bytes:
    """Return one sealed letter, and write into the audit that `who` saw it.

    Raises:
        NotFound: there is none at that place.
    """
    cur.execute(
        'select sealed from dead_letter where topic = %s and partition = %s and "offset" = %s', (*source, offset)
    )
    row = cur.fetchone()
    if row is None:
        raise NotFound(f"no dead letter at {source.topic} {source.partition} {offset}")
    place = f"{source.topic} {source.partition} {offset}"
    cur.execute("select append_audit(%s, 'dead letter unsealed', %s, %s)", (who, place, reason))
    return bytes(row[0])
