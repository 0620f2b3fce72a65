"""One snapshot of the database, as the audit reads it: a single read-only transaction, large tables row by row.

What follows in order of (shard, person) can be merged without holding a table: memory does not grow with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import psycopg2

from ops.store import OPERATOR, connect
from schemas.errors import Conflict, Unavailable
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, SCAN
from tracing.counts import Counts
from tracing.rows import Facility
from tracing.stays import Stays
from tracing.store import Connection, read_facilities, read_stay_rules

ROWS_AT_ONCE: Final = 10_000
Row: TypeAlias = tuple[Any, ...]
Event: TypeAlias = tuple[int, bytes, bytes | None]  # partition, key, value

_COUNTS: Final = ", ".join(Counts.__struct_fields__)
_events = msgspec.msgpack.Decoder(list[Event])


class Position(NamedTuple):
    """A row of the ledger."""

    topic: str
    partition: int
    cluster_id: str
    first: int
    next_offset: int
    applied: int
    duplicate: int
    dead: int


class OutboxRow(NamedTuple):
    """Events that one transaction left for one topic."""

    row_id: int
    topic: str
    events: list[Event]


class Snapshot:
    """Everything is read as it was at one instant, `at`."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.at: datetime = self.ask("select now()")[0][0]
        installed = self.ask("select value::int from installation where name = 'partitions'")
        if not installed:
            raise Conflict("the installation has no topics yet: run `jejak topics`")
        self.partitions: int = installed[0][0]
        with conn.cursor() as cur:
            cur.execute("set local work_mem = '64MB'")
            self.facilities: dict[int, Facility] = {one.facility_no: one for one in read_facilities(cur)}
            self.stays = Stays(read_stay_rules(cur))
        self.horizons: dict[int, int] = dict(
            self.ask(
                f"select partition, {us('horizon')} from position where topic = %s and horizon is not null",  # noqa: S608 — our own expression
                SCAN.name,
            )
        )
        self._shard = f"(crc32(convert_to(encode(uuid_send({{0}}), 'hex'), 'SQL_ASCII')) % {self.partitions})::int"

    @property
    def conn(self) -> Connection:
        """The connection, in the snapshot's transaction, for what other rooms read."""
        return self._conn

    def ask(self, sql: str, *values: object) -> list[Row]:
        """Return the rows of a small query."""
        with self._conn.cursor() as cur:
            cur.execute(sql, values or None)
            return list(cur.fetchall())

    def stream(self, name: str, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a large query; `name` is the cursor's, one at a time has it."""
        with self._conn.cursor(name=name) as cur:
            cur.itersize = ROWS_AT_ONCE
            cur.execute(sql, values or None)
            yield from cur

    def scans(self) -> Iterator[Row]:
        """Yield (shard, person, scan_id, facility_no, gate, zone, at, admitted, role, channel)."""
        return self.stream(
            "scans",
            f"select {self._shard.format('person')} as shard, person::text, scan_id::text, facility_no, gate, zone,"  # noqa: S608 — our own expressions
            f" {us('at')}, admitted, role, channel from scan order by 1, scan.person",
        )

    def decisions(self) -> Iterator[Row]:
        """Yield (shard, person, scan_id, serial, verdict)."""
        return self.stream(
            "decisions",
            f"select {self._shard.format('person')} as shard, person::text, scan_id::text, serial, decision"  # noqa: S608 — our own expression
            " from scan_decision order by 1, scan_decision.person",
        )

    def visits(self) -> Iterator[Row]:
        """Yield (shard, person, visit_id, key, check_in, check_out, both estimated, role, zones, is long)."""
        return self.stream(
            "visits",
            f"select {self._shard.format('v.person')} as shard, person::text, visit_id::text, key, {us('check_in')},"  # noqa: S608 — our own expressions
            f" {us('check_out')}, check_in_estimated, check_out_estimated, role, zones::text, is_long"
            " from (select *, false as is_long from visit union all select *, true from visit_long) v"
            " order by 1, v.person",
        )

    def carries(self) -> Iterator[Row]:
        """Yield (shard, person, state) of whom something was dropped that can still be asked for."""
        return self.stream(
            "carries",
            f"select {self._shard.format('person')} as shard, person::text, state from carry"  # noqa: S608 — our own expression
            " order by 1, carry.person",
        )

    def dropped_counts(self, shard: int) -> list[Row]:
        """Return (facility_no, hour, …counts) of what was dropped of one shard."""
        return self.ask(
            f"select facility_no, {us('hour')}, {_COUNTS} from dropped_hour where shard = %s",  # noqa: S608 — our own expressions
            shard,
        )

    def dropped_records(self) -> dict[int, int]:
        """Return how many scans and decisions of each partition were dropped."""
        return dict(self.ask("select partition, sum(scans + decisions)::bigint from dropped_day group by 1"))

    def dropped_letters(self) -> dict[tuple[str, int], int]:
        """Return how many dead letters of each partition of a topic were dropped."""
        rows = self.ask("select topic, partition, letters from dropped_letter")
        return {(topic, partition): letters for topic, partition, letters in rows}

    def counts(self, shard: int) -> Iterator[Row]:
        """Yield (facility_no, hour, …counts) of one shard."""
        return self.stream(
            "counts",
            f"select facility_no, {us('hour')}, {_COUNTS} from facility_hour where shard = %s",  # noqa: S608 — our own expressions
            shard,
        )

    def counts_at(self, facilities: Sequence[int]) -> Iterator[Row]:
        """Yield (facility_no, hour, shard, …counts) of these facilities."""
        return self.stream(
            "counts_at",
            f"select facility_no, {us('hour')}, shard, {_COUNTS} from facility_hour where facility_no = any(%s)",  # noqa: S608 — our own expressions
            list(facilities),
        )

    def shards(self) -> set[int]:
        """Return the shards that have counts, or had some of what was dropped."""
        return {
            row[0]
            for row in self.ask(
                "select distinct shard from facility_hour union select distinct shard from dropped_hour"
            )
        }

    def positions(self) -> list[Position]:
        """Return the ledger."""
        return [
            Position(*row)
            for row in self.ask(
                "select topic, partition, cluster_id, first, next_offset, applied, duplicate, dead from position"
                " order by topic, partition"
            )
        ]

    def rows_by_partition(self, table: str, person: str = "person") -> dict[int, int]:
        """Return how many rows of persons' records each partition has."""
        shard = self._shard.format(person)
        return dict(self.ask(f"select {shard}, count(*) from {table} group by 1"))  # noqa: S608 — our own names

    def dead_letters(self) -> list[Row]:
        """Return (topic, partition, letters, highest offset)."""
        return self.ask('select topic, partition, count(*), max("offset") from dead_letter group by 1, 2')

    def outbox(self, topic: str, partition: int) -> Iterator[OutboxRow]:
        """Yield the rows marked as published that one source partition left for a topic, as long as they are kept."""
        rows = self.stream(
            "outbox",
            "select id, topic, events from outbox where topic = %s and source_partition = %s"
            " and published_at is not null",
            topic,
            partition,
        )
        return map(_outbox_row, rows)

    def outbox_of_offices(self) -> Iterator[OutboxRow]:
        """Yield the rows marked as published that hold alerts, as long as they are kept."""
        rows = self.stream(
            "outbox",
            "select id, topic, events from outbox where topic like %s and published_at is not null",
            f"{ALERT_PREFIX}%",
        )
        return map(_outbox_row, rows)


@contextmanager
def open_snapshot(settings: Settings) -> Iterator[Snapshot]:
    """Open a snapshot of now; vacuum keeps what it sees until it is closed."""
    with explained():
        conn = connect(settings, OPERATOR)
        try:
            conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
            yield Snapshot(conn)
        finally:
            conn.close()


@contextmanager
def explained() -> Iterator[None]:
    """Turn the database's errors into ours: their own text may hold a row."""
    try:
        yield
    except psycopg2.Error as error:
        raise Unavailable(f"the database does not answer the audit: SQLSTATE {error.pgcode}") from None


def _outbox_row(row: Row) -> OutboxRow:
    return OutboxRow(row[0], row[1], decode_events(bytes(row[2])))


def decode_events(packed: bytes) -> list[Event]:
    """Return the events of an outbox row."""
    return _events.decode(packed)


def us(column: str) -> str:
    """Return SQL for an instant as microseconds since 1970."""
    return f"(extract(epoch from {column}) * 1000000)::bigint"
