"""The traces worker: results, requests and decisions become cases, and each case that is due gets its trace run.

It only adapts. A record takes two transactions: the first stores the fact and opens the trace, the second runs it
and moves the position; a worker killed in between finds the fact stored and the trace due, and only runs it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import ContactDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import CONTACT_DECISION, TEST_RESULT, TRACE_REQUEST
from streams.app import run_worker
from streams.batches import Record
from streams.failpoints import reach
from streams.runs import TRACE, put_out, run_one
from streams.sealing import Seal, read_seal
from streams.store import (
    BatchStore,
    Dead,
    Result,
    Source,
    due_records,
    in_transaction,
    lock_position,
)
from streams.watchdog import RUN_MAX_S
from tracing.cases.register import Fact, register
from tracing.cases.rows import due_traces, person_uuid
from tracing.job import Message, end_statuses
from tracing.store import Connection, Cursor

ROLE: Final = "jejak_traces"
TOPICS: Final = (TEST_RESULT.name, TRACE_REQUEST.name, CONTACT_DECISION.name)

_codecs: Mapping[str, Codec[TestResult] | Codec[TraceRequest] | Codec[ContactDecision]] = {
    TEST_RESULT.name: Codec(TestResult),
    TRACE_REQUEST.name: Codec(TraceRequest),
    CONTACT_DECISION.name: Codec(ContactDecision),
}


class Facts:
    """The `Work` of the traces worker's first transaction."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def opened(self, cur: Cursor) -> None:
        """Nothing is kept per connection."""

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Store the facts; a record that is none, or contradicts what is stored, is dead."""
        applied, duplicate, dead = 0, 0, []
        for record in records:
            try:
                taken = register(cur, self.read(source, record))
            except InvalidEvent as error:
                dead.append(Dead(record.offset, record.value, str(error)))
                continue
            applied += taken == "applied"
            duplicate += taken == "duplicate"
        return Result(applied, duplicate, dead)

    def read(self, source: Source, record: Record) -> Fact:
        """Return the fact in a record.

        Raises:
            InvalidEvent: there is none.
        """
        event: Fact = _codecs[source.topic].decode(record.value or b"")
        if partition_of(event.person_id, self._partitions) != source.partition:
            raise InvalidEvent("belongs to another partition", field="person_id")
        return event


class TraceStore(BatchStore):
    """Takes a batch record by record: stores the fact, then runs what is due; a `Handler` of `streams.app`."""

    def __init__(self, settings: Settings, seal: Seal) -> None:
        self._facts = Facts(settings.partitions)
        super().__init__(settings, ROLE, self._facts, seal)

    def _attempt(self, conn: Connection, source: Source, records: Sequence[Record]) -> None:
        for record in records:
            result, due = self._store(conn, source, record)
            if due:
                self._run(conn, source, record, result, due)
            self._count(source, result)

    def _store(self, conn: Connection, source: Source, record: Record) -> tuple[Result, list[tuple[str, str]]]:
        """Store the fact; return what became of it and the traces to run. With none, the position moves here."""

        def store(cur: Cursor) -> tuple[Result, list[tuple[str, str]]]:
            at = lock_position(cur, source, self._cluster_id)
            reach("positions locked")
            self.progress.done[source] = at
            if not due_records([record], at):
                return Result(0, 0, ()), []
            put_out(Source(TRACE, source.partition), cur, end_statuses(cur, self._settings.partitions))
            reach("statuses ended")
            result = self._facts.fold(cur, source, [record])
            reach("fact stored")
            due = [] if result.dead else due_traces(cur, person_uuid(self._facts.read(source, record).person_id))
            reach("trace opened")
            if not due:
                self._book(cur, source, [record], result)
            return result, due

        return in_transaction(conn, store)

    def _run(
        self, conn: Connection, source: Source, record: Record, result: Result, due: Sequence[tuple[str, str]]
    ) -> None:
        """Run the traces; the position moves with the last."""

        def finish(cur: Cursor, _: Sequence[Message]) -> None:
            lock_position(cur, source, self._cluster_id)
            self._book(cur, source, [record], result)

        out = Source(TRACE, source.partition)  # by person, as the facts are
        with self.progress.excused(for_s=RUN_MAX_S):
            for case_id, rule in due[:-1]:
                run_one(conn, case_id, rule, out)
            run_one(conn, *due[-1], out, finish)


def run(settings: Settings, slot: int) -> None:
    """Run the traces worker of this slot until SIGTERM.

    Raises:
        StopWorker: the process must end with its exit code.
    """
    run_worker(settings, "traces", TOPICS, TraceStore(settings, read_seal(settings)), slot)
