"""The standing worker: a visit came, changed or went, so the traces it touches are run again.

It only adapts. One transaction says which traces are due and moves the position; the runs come after it, each once
however many changes touched it. A worker killed in between finds its traces due. Between two runs it takes what came
meanwhile: changes, or partitions that were dealt out. Every few seconds it looks for what the clock ends: traces that
close, advice that is over, and alerts nobody has acknowledged.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

import msgspec
import structlog

from schemas.codec import Codec, encode
from schemas.errors import InvalidEvent
from schemas.events import Alert, VisitChange
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, VISIT
from streams.app import run_worker
from streams.batches import Record
from streams.joining.store import JoiningStore, Part
from streams.metrics import ALERTS_UNACKNOWLEDGED
from streams.runs import TRACE, count_alerts, put_out, run_one, source_of
from streams.sealing import Seal, read_seal
from streams.store import Dead, Result, Source, refusal_named
from tracing.cases.closing import close_due, due_traces, mark_due, mark_stale
from tracing.cases.touching import Touched, touched_by
from tracing.cases.unacknowledged import count_waiting
from tracing.job import Message, end_statuses
from tracing.store import Connection, Cursor

ROLE: Final = "jejak_standing"
CLOCK_S: Final = 4.0  # a step comes every 5 s at least
LINGER_MS: Final = 250  # asking what a change touches costs milliseconds however few come: changes are gathered

_codec: Codec[VisitChange] = Codec(VisitChange)
_log = structlog.get_logger(__name__)


class Touching:
    """The `Work` of the standing worker: marks what is due, or stale."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def opened(self, cur: Cursor) -> None:
        """Nothing is kept per connection."""

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Take the changes of one partition."""
        return self.fold_all(cur, [Part(source, records)])[0]

    def fold_all(self, cur: Cursor, parts: Sequence[Part]) -> list[Result]:
        """Take the changes of several partitions at once: a trace that all of them touch is run once."""
        changes: list[VisitChange] = []
        results = []
        for source, records, _ in parts:
            dead = []
            for record in records:
                try:
                    changes.append(self._read(source, record))
                except InvalidEvent as error:
                    dead.append(Dead(record.offset, record.value, str(error)))
            results.append(Result(len(records) - len(dead), 0, dead))
        touched = touched_by(cur, changes)
        mark_due(cur, [one for one in touched if not one.closed])
        self._tell_stale(cur, [one for one in touched if one.closed])
        return results

    def _read(self, source: Source, record: Record) -> VisitChange:
        change = _codec.decode(record.value or b"")
        if partition_of(change.person_id, self._partitions) != source.partition:
            raise InvalidEvent("belongs to another partition", field="person_id")
        return change

    def _tell_stale(self, cur: Cursor, touched: Sequence[Touched]) -> None:
        if not touched:
            return
        persons = {one.trace_id: one.person for one in touched}
        for trace_id, alert in mark_stale(cur, touched):
            put_out(source_of(persons[trace_id], self._partitions), cur, [_message(alert)])
            count_alerts([alert])


class StandingStore(JoiningStore):
    """Marks and commits; runs what is marked, step by step; a `Handler` of `streams.app`."""

    _work: Touching

    def __init__(self, settings: Settings, seal: Seal) -> None:
        super().__init__(settings, ROLE, Touching(settings.partitions), seal)
        self._due: list[tuple[str, str, str]] = []  # (case, rule, person), the next one last
        self._looked_at = -CLOCK_S

    def tick(self) -> None:
        """Do all that is to be done by now."""
        self._looked_at = -CLOCK_S
        while self.step():
            pass

    def step(self) -> bool:
        """Run a trace that is due, if any is; return whether more of those that were due then are left.

        One that the database refuses stays due: it is tried again after all others, not at once.
        """
        with refusal_named():
            if not self._due:
                if monotonic() - self._looked_at >= CLOCK_S:
                    self._with_database(self._look_at_the_clock)
                    self._looked_at = monotonic()
                self._due = self._with_database(_read_due)[::-1]
            if self._due:
                self._run(*self._due.pop())
        return bool(self._due)

    def _run(self, case_id: str, rule: str, person: str) -> None:
        """Run a trace. One that the database refuses stays due and is tried again; the others go on."""
        source = source_of(person, self._settings.partitions)
        refused = self.run_apart(lambda conn: run_one(conn, case_id, rule, source))
        if refused:
            _log.error("a trace cannot be run", sqlstate=refused)

    def _look_at_the_clock(self, conn: Connection) -> None:
        with conn, conn.cursor() as cur:
            close_due(cur)
            put_out(Source(TRACE, 0), cur, end_statuses(cur, self._settings.partitions))
            for escalated, number in count_waiting(cur).items():
                ALERTS_UNACKNOWLEDGED.labels(escalated).set(number)


def _read_due(conn: Connection) -> list[tuple[str, str, str]]:
    with conn, conn.cursor() as cur:
        return due_traces(cur)


def _message(alert: Alert) -> Message:
    return Message(ALERT_PREFIX + alert.data.office, 0, alert.data.trace_ref.encode(), encode(alert))


def run(settings: Settings, slot: int) -> None:
    """Run the standing worker of this slot until SIGTERM.

    Raises:
        StopWorker: the process must end with its exit code.
    """
    settings = msgspec.structs.replace(settings, linger_ms=max(settings.linger_ms, LINGER_MS))
    handler = StandingStore(settings, read_seal(settings))
    run_worker(settings, "standing", [VISIT.name], handler, slot, apply_all=[handler.apply_all], step=handler.step)
