"""The outbox in PostgreSQL as the relay sees it: rows waiting, per source partition, in the order of their making.

A row waits while `published_at` is empty; asking for `id > last` would lose rows, because ids are given before
their transactions commit, and not in that order.
"""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from schemas.errors import StopWorker, Unavailable
from schemas.settings import Settings
from streams.failpoints import watch_statements
from streams.store import Source
from tracing.store import connect, is_trouble

ROWS_AT_ONCE: Final = 64
EVENTS_AT_ONCE: Final = 5_000
SEND_WITHIN_S: Final = 1.0  # after taking rows, their events may be handed to Kafka's client for so long
DELIVERED_WITHIN_S: Final = 3.0  # after that the client gives up, or they are there
IN_FLIGHT_S: Final = SEND_WITHIN_S + DELIVERED_WITHIN_S + 0.5  # a row taken longer ago is not on its way any more
KEPT: Final = "24 hours"
REMOVED_AT_ONCE: Final = 10_000

# `bulk` is what scans leave, thousands a second; `news` all the rest: alerts, and whose status changed.
Part: TypeAlias = Literal["all", "bulk", "news"]
BULK_SOURCE: Final = "scan.v1"

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
    """One connection to the outbox, or to a part of it; every statement its own transaction.

    Any trouble of the database is `Unavailable`: make another one. All locks go with the connection.
    """

    def __init__(self, settings: Settings, role: str = "jejak_relay", part: Part = "all") -> None:
        self._part = part
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

    def waiting(self) -> list[Source]:
        """Return the sources of this part with rows that wait; a look per source, however many rows wait."""
        rows = self._ask(
            "with recursive found as ("
            "  (select source_topic, source_partition from outbox where published_at is null"
            "    order by source_topic, source_partition limit 1)"
            "  union all select next.* from found, lateral"
            "  (select o.source_topic, o.source_partition from outbox o where published_at is null"
            "    and (o.source_topic, o.source_partition) > (found.source_topic, found.source_partition)"
            "    order by o.source_topic, o.source_partition limit 1) next"
            ") select source_topic, source_partition from found"
            " where %s = 'all' or (source_topic = %s) = (%s = 'bulk')",
            *(self._part, BULK_SOURCE, self._part),
        )
        return [Source(str(topic), int(partition)) for topic, partition in rows]

    def count_waiting(self) -> int:
        """Return how many rows wait, those of the other part too."""
        return int(self._ask("select count(*) from outbox where published_at is null")[0][0])

    @contextmanager
    def alone_with(self, sources: Sequence[Source]) -> Iterator[list[Source]]:
        """Hold sources for this relay; yields those that no other relay has."""
        topics, partitions = [source.topic for source in sources], [source.partition for source in sources]
        held = [
            Source(str(topic), int(partition))
            for topic, partition in self._ask(
                "select topic, partition from unnest(%s::text[], %s::int[]) as source (topic, partition)"
                " where pg_try_advisory_lock(hashtext(topic), partition)",
                *(topics, partitions),
            )
        ]
        try:
            yield held
        finally:
            if held and not self._conn.closed:
                self._ask(
                    "select pg_advisory_unlock(hashtext(topic), partition)"
                    " from unnest(%s::text[], %s::int[]) as source (topic, partition)",
                    *([source.topic for source in held], [source.partition for source in held]),
                )

    def take_rows(self, sources: Sequence[Source]) -> list[Row]:
        """Take the first rows of these sources that wait, in the order of their making: some, not too many events.

        None of a source while another relay, which may have lost its connection but not its way to Kafka, can still
        have some of it on their way: what it sends would come after what is newer.
        """
        rows = self._ask(
            "with first as materialized (select o.*, sum(count) over source - count as before,"
            "   bool_or(taken_by <> %s and taken_at > clock_timestamp() - %s * interval '1 second') over whole as away"
            "  from unnest(%s::text[], %s::int[]) as s (topic, partition), lateral"
            "  (select id, taken_by, taken_at, count, source_topic, source_partition from outbox"
            "    where source_topic = s.topic and source_partition = s.partition and published_at is null"
            "    order by id limit %s) o"
            "  window whole as (partition by source_topic, source_partition), source as (whole order by id))"
            " update outbox o set taken_by = %s, taken_at = clock_timestamp() from first"
            " where o.id = first.id and before < %s and away is not true returning o.id, o.topic, o.events",
            *(self._me, IN_FLIGHT_S, [source.topic for source in sources], [source.partition for source in sources]),
            *(ROWS_AT_ONCE, self._me, EVENTS_AT_ONCE // max(1, len(sources))),
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
