"""The outbox in PostgreSQL as the relay sees it: rows waiting, per source partition, in the order of their making.

A row waits while `published_at` is empty; asking for `id > last` would lose rows, because ids are given before
their transactions commit, and not in that order.
"""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from schemas.errors import StopWorker, Unavailable
from schemas.settings import Settings
from streams.failpoints import watch_statements
from streams.store import Source, is_trouble
from tracing.store import connect

ROWS_AT_ONCE: Final = 64
EVENTS_AT_ONCE: Final = 5_000
SEND_WITHIN_S: Final = 3.0  # after taking rows, their events may be handed to Kafka's client for so long
DELIVERED_WITHIN_S: Final = 4.0  # after that the client gives up, or they are there
IN_FLIGHT_S: Final = SEND_WITHIN_S + DELIVERED_WITHIN_S + 1.0  # a row taken longer ago is not on its way any more
KEPT: Final = "24 hours"
REMOVED_AT_ONCE: Final = 1_000

Event: TypeAlias = tuple[int, bytes, bytes | None]  # partition, key, value
_decoder = msgspec.msgpack.Decoder(list[Event])


class Row(NamedTuple):
    """Events that one batch left for one topic, encoded."""

    row_id: int
    topic: str
    packed: bytes

    def events(self) -> list[Event]:
        """Return the events in their order."""
        return _decoder.decode(self.packed)


class Outbox:
    """One connection to the outbox, every statement its own transaction.

    Any trouble of the database is `Unavailable`: make another one. All locks go with the connection.
    """

    def __init__(self, settings: Settings, role: str = "jejak_relay") -> None:
        self._me = str(uuid4())
        self._conn = connect(settings, role)
        watch_statements(self._conn)
        with _explained():
            self._conn.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            self._ask("listen outbox")

    def wait(self, timeout_s: float) -> None:
        """Return when a transaction left something, or after the timeout."""
        with _explained():
            select.select([self._conn], [], [], timeout_s)
            self._conn.poll()
            self._conn.notifies.clear()

    def waiting(self) -> list[tuple[Source, int]]:
        """Return the sources with rows that wait, and how many."""
        rows = self._ask(
            "select source_topic, source_partition, count(*) from outbox where published_at is null"
            " group by source_topic, source_partition order by min(id)"
        )
        return [(Source(str(topic), int(partition)), int(count)) for topic, partition, count in rows]

    @contextmanager
    def alone_with(self, source: Source) -> Iterator[bool]:
        """Hold a source for this relay; yields False, and holds nothing, where another relay has it."""
        held = bool(self._ask("select pg_try_advisory_lock(hashtext(%s), %s)", *source)[0][0])
        try:
            yield held
        finally:
            if held and not self._conn.closed:
                self._ask("select pg_advisory_unlock(hashtext(%s), %s)", *source)

    def take_rows(self, source: Source) -> list[Row]:
        """Take the first rows of a source that wait: some, of about 5,000 events at most.

        None while another relay, which may have lost its connection but not its way to Kafka, can still have some of
        them on their way: what it sends would come after what is newer.
        """
        rows = self._ask(
            "with first as (select id, taken_by, taken_at, sum(count) over (order by id) - count as before from outbox"
            "  where source_topic = %s and source_partition = %s and published_at is null order by id limit %s)"
            " update outbox o set taken_by = %s, taken_at = clock_timestamp() from first"
            " where o.id = first.id and before < %s and not exists (select from first where taken_by <> %s"
            "  and taken_at > clock_timestamp() - %s * interval '1 second') returning o.id, o.topic, o.events",
            *(*source, ROWS_AT_ONCE, self._me, EVENTS_AT_ONCE, self._me, IN_FLIGHT_S),
        )
        return sorted(Row(int(row_id), str(topic), bytes(events)) for row_id, topic, events in rows)

    def mark(self, rows: Sequence[Row]) -> None:
        """Mark rows as published."""
        ids = [row.row_id for row in rows]
        self._ask("update outbox set published_at = clock_timestamp() where id = any(%s) returning id", ids)

    def remove_old(self) -> int:
        """Remove some rows published a day ago; return how many."""
        return len(
            self._ask(
                "delete from outbox where id in (select id from outbox where published_at < now() - %s::interval"
                " order by published_at limit %s) returning id",
                KEPT,
                REMOVED_AT_ONCE,
            )
        )

    def close(self) -> None:
        """Leave; locks go with it."""
        self._conn.close()

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with _explained(), self._conn.cursor() as cur:
            cur.execute(sql, values)
            return cur.fetchall() if cur.description else []


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        if is_trouble(error):
            raise Unavailable("the database does not answer") from None
        raise StopWorker(f"the database refuses the relay: SQLSTATE {error.pgcode}") from None
    except OSError:
        raise Unavailable("the connection to the database is lost") from None
