"""The one transaction per batch: position, what the work does, dead letters, outbox; all of it or nothing.

`BatchStore` is the frame every worker shares, its `Work` is what differs. A batch that was committed already changes
nothing: what lies below the position is dropped. Trouble of the database is waited out; a record it refuses is
found by halving the batch, and kept as a dead letter with its SQLSTATE.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from time import monotonic, sleep
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
import psycopg2
import structlog
from psycopg2.extras import execute_values

from schemas.errors import DatabaseAway, GapInLog, LogReplaced, StopWorker, Unavailable
from schemas.settings import Settings
from streams.batches import Batch, Log, Partition, Record
from streams.failpoints import reach, reach_commit, watch_statements
from streams.metrics import FOLD_BATCH_SECONDS, FOLD_LAG, FOLD_RECORDS, FOLD_RETRIES
from streams.sealing import Seal
from streams.watchdog import Progress
from tracing import copies
from tracing.store import Connection, Cursor, check_partitions, connect, is_trouble

OURS: Final = frozenset({"28", "42"})  # no record is to blame for these: none may become a dead letter by them
PAUSE_MIN_S: Final = 0.05
PAUSE_MAX_S: Final = 2.0
# A worker that was stopped in mid-transaction must not hold its position for ever, nor wait for one that does.
SESSION: Final = "set idle_in_transaction_session_timeout = '10s'; set lock_timeout = '5s'"
LOCKED: Final = "55P03"
_OUTBOX_FIELDS: Final = copies.fields(5)

T = TypeVar("T")
Event: TypeAlias = tuple[int, bytes, bytes | None]  # partition, key, value or None for a tombstone
_log = structlog.get_logger(__name__)


class Source(NamedTuple):
    """The partition a batch came from."""

    topic: str
    partition: int


class Dead(NamedTuple):
    """A record that cannot be used; `reason` names the field, never its value."""

    offset: int
    value: bytes | None
    reason: str


class Result(NamedTuple):
    """What became of the records of a batch; the three add up to their number."""

    applied: int
    duplicate: int
    dead: Sequence[Dead]


class RunFirst(Exception):
    """Raised by a work whose batch needs something of its own transaction before: roll back, do it, begin again."""

    def __init__(self, step: Callable[[Cursor], None]) -> None:
        self.step = step


class Work(Protocol):
    """What one worker does with its records."""

    def opened(self, cur: Cursor) -> None:
        """Make ready for a new connection: temporary tables, caches. Committed right after."""

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Do what the records ask for, inside the transaction; may be called again with the same, or a part."""


class BatchStore:
    """Folds batches into the database, exactly once; a `Handler` of `streams.app`."""

    def __init__(self, settings: Settings, role: str, work: Work, seal: Seal) -> None:
        self.progress = Progress()
        self._settings = settings
        self._role = role
        self._work = work
        self._seal = seal
        self._conn: Connection | None = None
        self._cluster_id = ""

    def positions(self, log: Log) -> Mapping[Partition, int]:
        """Return the position of each partition of `log`; a partition never read begins where its log begins.

        Raises:
            LogReplaced: this is another cluster's log, or records we have not read are gone.
        """

        def open_all(conn: Connection) -> dict[Partition, int]:
            with conn, conn.cursor() as cur:
                return {at: open_position(cur, Source(*at), log) for at in sorted(log.starts)}

        self._cluster_id = log.cluster_id
        with refusal_named():
            found = self._with_database(open_all)
        self.progress.done = dict(found)
        self.progress.made()
        return found

    def apply(self, batch: Batch) -> None:
        """Fold the batch and commit."""
        source = Source(batch.topic, batch.partition)
        with FOLD_BATCH_SECONDS.labels(batch.topic).time(), self.progress.working(), refusal_named():
            self._apply(source, batch.records)
        self.progress.made()
        self.show_lag(batch)

    def close(self) -> None:
        """Leave the database."""
        if self._conn is not None:
            with suppress(psycopg2.Error):
                self._conn.close()
        self._conn = None

    def _apply(self, source: Source, records: Sequence[Record]) -> None:
        try:
            self._with_database(lambda conn: self._attempt(conn, source, records))
        except psycopg2.Error as error:
            if is_ours(error):
                raise
            code = error.pgcode or "none"
            FOLD_RETRIES.labels("refused").inc()
            _log.warning("the database refused a batch", topic=source.topic, sqlstate=code, records=len(records))
            if len(records) > 1:
                middle = len(records) // 2
                self._apply(source, records[:middle])
                self._apply(source, records[middle:])
                return
            refused = [Dead(records[0].offset, records[0].value, f"the database refused it: SQLSTATE {code}")]
            self._with_database(
                lambda conn: self._commit(conn, source, lambda cur: self._bury(cur, source, records, refused))
            )

    def _attempt(self, conn: Connection, source: Source, records: Sequence[Record]) -> None:
        self._commit(conn, source, lambda cur: self._fold(cur, source, records))

    def _commit(self, conn: Connection, source: Source, step: Callable[[Cursor], Result]) -> None:
        self._count(source, in_transaction(conn, step))

    def _fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        at = lock_position(cur, source, self._cluster_id)
        reach("positions locked")
        records = due_records(records, at)
        self.progress.done[source] = at
        if not records:
            return Result(0, 0, ())
        result = self._work.fold(cur, source, records)
        return self._book(cur, source, records, result)

    def _bury(self, cur: Cursor, source: Source, records: Sequence[Record], refused: Sequence[Dead]) -> Result:
        if not due_records(records, lock_position(cur, source, self._cluster_id)):
            return Result(0, 0, ())
        return self._book(cur, source, records, Result(0, 0, refused))

    def _book(self, cur: Cursor, source: Source, records: Sequence[Record], result: Result) -> Result:
        check_sum(records, result)
        write_dead(cur, self._seal, source, result.dead)
        reach("dead letters written")
        advance(cur, source, records[0].offset, result)
        reach("positions moved")
        return result

    def _count(self, source: Source, result: Result) -> None:
        counted = {"applied": result.applied, "duplicate": result.duplicate, "dead": len(result.dead)}
        for name, number in counted.items():
            FOLD_RECORDS.labels(source.topic, name).inc(number)
        self.progress.done[source] = self.progress.done.get(source, 0) + sum(counted.values())
        self.progress.made()
        if result.dead:
            first = result.dead[0].offset
            _log.warning(
                "dead letters", topic=source.topic, partition=source.partition, offset=first, records=len(result.dead)
            )

    def show_lag(self, batch: Batch) -> None:
        """Say how far the partition is behind."""
        source = Source(batch.topic, batch.partition)
        FOLD_LAG.labels(*source).set(max(0, batch.end - self.progress.done.get(source, batch.end)))

    def _with_database(self, step: Callable[[Connection], T]) -> T:
        """Return `step(connection)`, tried again on a fresh connection while the database is in trouble."""
        until, pause = 0.0, PAUSE_MIN_S
        with ExitStack() as excuse:
            while True:
                try:
                    return step(self._connection())
                except (psycopg2.Error, Unavailable) as error:
                    if not (is_trouble(error) or self._is_lost()):
                        raise
                    code = getattr(error, "pgcode", None) or "none"
                    if code == LOCKED:
                        self._end_frozen()
                    self.close()
                if not until:
                    excuse.enter_context(self.progress.excused("the database"))
                    until = monotonic() + self._settings.database_wait_s
                if monotonic() > until:
                    raise DatabaseAway(f"the database stayed away for {self._settings.database_wait_s:g} s")
                FOLD_RETRIES.labels("trouble").inc()
                _log.warning("the database is in trouble", sqlstate=code)
                sleep(pause)
                pause = min(2 * pause, PAUSE_MAX_S)

    def _end_frozen(self) -> None:
        with suppress(psycopg2.Error), self._connection() as conn, conn.cursor() as cur:
            if ended := end_frozen(cur):
                _log.warning("ended sessions of workers that stopped in the middle of a COPY", sessions=ended)

    def _is_lost(self) -> bool:
        """Say whether the server let go of us, whatever SQLSTATE it gave as the reason."""
        return self._conn is not None and bool(self._conn.closed)

    def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            conn = self._conn = connect(self._settings, self._role)
            watch_statements(conn)
            with conn, conn.cursor() as cur:
                cur.execute(SESSION)
                check_partitions(cur, self._settings)
                self._work.opened(cur)
        return self._conn


def in_transaction(conn: Connection, step: Callable[[Cursor], T]) -> T:
    """Return what `step` makes in a transaction of its own; what must run before it, runs in another one."""
    try:
        with conn:
            with conn.cursor() as cur:
                made = step(cur)
            reach_commit(conn)
        reach("committed")
    except RunFirst as order:
        with conn, conn.cursor() as cur:
            order.step(cur)
        return in_transaction(conn, step)
    return made


@contextmanager
def refusal_named() -> Iterator[None]:
    """Turn what the database refuses for good into its SQLSTATE: its own text may hold a row."""
    try:
        yield
    except psycopg2.Error as error:
        raise StopWorker(f"the database refuses this worker: SQLSTATE {error.pgcode}") from None


def is_ours(error: psycopg2.Error) -> bool:
    """Say whether the error speaks of this worker, not of a record: no right, no such table, no such login."""
    return (error.pgcode or "")[:2] in OURS


def open_position(cur: Cursor, source: Source, log: Log) -> int:
    """Return the position of a partition, its row made if there is none.

    Raises:
        LogReplaced: this is another cluster's log, or it does not hold the records we have not read.
    """
    first, end = log.starts[source], log.ends[source]
    cur.execute(
        "insert into position (topic, partition, cluster_id, first, next_offset) values (%s, %s, %s, %s, %s)"
        " on conflict do nothing",
        (*source, log.cluster_id, first, first),
    )
    at = lock_position(cur, source, log.cluster_id)
    if not first <= at <= end:
        raise LogReplaced(f"{source.topic} {source.partition}: the next offset {at} is not in the log {first}–{end}")
    return at


def lock_position(cur: Cursor, source: Source, cluster_id: str) -> int:
    """Return the partition's next offset, locked until the transaction ends.

    Raises:
        LogReplaced: the position was taken from another cluster's log.
    """
    cur.execute(
        "select cluster_id, next_offset from position where topic = %s and partition = %s for update", tuple(source)
    )
    row = cur.fetchone()
    if row is None or row[0] != cluster_id:
        raise another_cluster(source)
    return int(row[1])


def end_frozen(cur: Cursor) -> int:
    """End this role's sessions that have waited ten seconds for the next bytes of a COPY; return how many.

    No timeout of the server counts while it waits in a COPY: a worker frozen there would keep its position locked.
    One that was only slow begins its batch again.
    """
    cur.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = current_user"
        " and datname = current_database() and state = 'active' and wait_event = 'ClientRead'"
        " and query_start < clock_timestamp() - interval '10 seconds'"
    )
    return int(cur.fetchone()[0])  # type: ignore[index] # an aggregate always has a row


def another_cluster(source: Source) -> LogReplaced:
    """Return the error of a position that was taken from another log."""
    return LogReplaced(f"{source.topic} {source.partition}: the log belongs to another cluster than the position")


def due_records(records: Sequence[Record], at: int) -> Sequence[Record]:
    """Return the records from offset `at` on; those below are folded already.

    Raises:
        GapInLog: an offset is missing.
    """
    if not records or records[-1].offset < at:
        return ()
    if records[-1].offset - records[0].offset != len(records) - 1 or records[0].offset > at:
        raise GapInLog(f"offset {at} was not delivered")
    return records[at - records[0].offset :]


def advance(cur: Cursor, source: Source, was: int, result: Result) -> None:
    """Move the position from `was` past the records of `result`.

    Raises:
        GapInLog: somebody else moved it.
    """
    dead = len(result.dead)
    cur.execute(
        "update position set next_offset = next_offset + %s, applied = applied + %s, duplicate = duplicate + %s,"
        " dead = dead + %s, updated_at = clock_timestamp() where topic = %s and partition = %s and next_offset = %s",
        (result.applied + result.duplicate + dead, result.applied, result.duplicate, dead, *source, was),
    )
    if cur.rowcount != 1:
        raise GapInLog("the position was moved by another process")


def check_sum(records: Sequence[Record], result: Result) -> None:
    """Assert that every record became one thing."""
    assert result.applied + result.duplicate + len(result.dead) == len(records), "a record was counted twice"


def write_dead(cur: Cursor, seal: Seal, source: Source, dead: Iterable[Dead]) -> None:
    """Keep the records that cannot be used, sealed."""
    rows = [(*source, one.offset, seal.seal(one.value, *source, one.offset), one.reason) for one in dead]
    if rows:
        into = 'insert into dead_letter (topic, partition, "offset", sealed, reason) values %s on conflict do nothing'
        execute_values(cur, into, rows)


def write_outbox(cur: Cursor, source: Source, topic: str, events: Sequence[Event]) -> None:
    """Leave events for the relay, which publishes them in this order once this transaction is committed.

    Args:
        cur: of the batch's transaction.
        source: the partition whose batch made them; the order holds within it.
        topic: where they go.
        events: (partition, key, value or None for a tombstone).
    """
    write_outboxes(cur, [(source, topic, events)])


def write_outboxes(cur: Cursor, rows: Iterable[tuple[Source, str, Sequence[Event]]]) -> None:
    """Leave events of several sources and topics, a row each; as a parameter they would be sent twice over."""
    lines = [
        b"".join(
            (
                _OUTBOX_FIELDS,
                copies.TEXT[source.topic],
                copies.integer(source.partition),
                copies.TEXT[topic],
                copies.blob(msgspec.msgpack.encode(events)),
                copies.integer(len(events)),
            )
        )
        for source, topic, events in rows
        if events
    ]
    if lines:
        into = "copy outbox (source_topic, source_partition, topic, events, count) from stdin (format binary)"
        cur.copy_expert(into, BytesIO(b"".join((copies.HEADER, *lines, copies.END))))
