"""The traces worker: results, requests and decisions become cases, and each case that is due gets its trace run.

It only adapts. A record takes two transactions: the first stores the fact and opens the trace, the second runs it
and moves the position; a worker killed in between finds the fact stored and the trace due, and only runs it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final

from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import ContactDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import CONTACT_DECISION, TEST_RESULT, TRACE_REQUEST
from streams.app import run_worker
from streams.batches import Record
from streams.metrics import TRACE_ALERTS, TRACE_SECONDS
from streams.sealing import Seal, read_seal
from streams.store import BatchStore, Dead, Result, Source, due_records, lock_position, write_outbox
from tracing.cases.register import Fact, register
from tracing.cases.rows import due_traces, person_uuid
from tracing.job import Message, Run, end_statuses, run_trace
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
        with conn, conn.cursor() as cur:
            at = lock_position(cur, source, self._cluster_id)
            self.progress.done[source] = at
            if not due_records([record], at):
                return Result(0, 0, ()), []
            put_out(source, cur, end_statuses(cur, self._settings.partitions))
            result = self._facts.fold(cur, source, [record])
            due = [] if result.dead else due_traces(cur, person_uuid(self._facts.read(source, record).person_id))
            if not due:
                self._book(cur, source, [record], result)
        return result, due

    def _run(
        self, conn: Connection, source: Source, record: Record, result: Result, due: Sequence[tuple[str, str]]
    ) -> None:
        """Run the traces; the position moves with the last."""

        def finish(cur: Cursor, messages: Sequence[Message]) -> None:
            put_out(source, cur, messages)
            lock_position(cur, source, self._cluster_id)
            self._book(cur, source, [record], result)

        for case_id, rule in due[:-1]:
            _measure(run_trace(conn, case_id, rule, then=partial(put_out, source)))
        _measure(run_trace(conn, *due[-1], then=finish))


def put_out(source: Source, cur: Cursor, messages: Sequence[Message]) -> None:
    """Leave a run's messages for the relay, in their order."""
    for topic, some in groupby(messages, key=itemgetter(0)):
        write_outbox(cur, source, topic, [(one.partition, one.key, one.value) for one in some])


def _measure(run: Run) -> None:
    TRACE_SECONDS.observe(run.run_ms / 1000)
    for alert in run.alerts:
        TRACE_ALERTS.labels(alert.data.action).inc()


def run(settings: Settings, slot: int) -> None:
    """Run the traces worker of this slot until SIGTERM.

    Raises:
        StopWorker: the process must end with its exit code.
    """
    run_worker(settings, "traces", TOPICS, TraceStore(settings, read_seal(settings)), slot)
