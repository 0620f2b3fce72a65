"""One of the two installations: its log, the workers' own transactions on it, and processes that die there."""

import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any, Final

from ops.chaos.points.store import positions, visit_changes
from schemas.settings import Settings
from schemas.topics import CONTACT_DECISION, SCAN, TEST_RESULT, TRACE_REQUEST, VISIT
from streams.batches import Batch, Log
from streams.failpoints import arm
from streams.joining.store import JoiningStore
from streams.outbox.store import Outbox
from streams.relay import Relay, make_sender
from streams.sealing import read_seal
from streams.standing import StandingStore
from streams.store import BatchStore
from streams.traces import TraceStore
from streams.visits import VisitFold

FACTS: Final = (TEST_RESULT.name, TRACE_REQUEST.name, CONTACT_DECISION.name)
LOGGED_MS: Final = 1_772_500_000_000
DIES_WITHIN_S: Final = 90.0
TICK_S: Final = 0.01


class Side:
    """A database, and the log that is folded into it; `cluster` is whose log that is."""

    def __init__(self, settings: Settings, cluster: str) -> None:
        self.settings = settings
        self.log: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        self._cluster = cluster
        self._read_up_to = 0  # row of the outbox

    def append(self, topic: str, partition: int, value: bytes) -> None:
        """Append a record."""
        records = self.log[topic, partition]
        records.append(SimpleNamespace(offset=len(records), timestamp=LOGGED_MS, key=b"", value=value))

    def fold(self, *, together: bool) -> None:
        """Fold the scans that wait: all partitions in one transaction, or each in its own."""
        store = JoiningStore(
            self.settings, "jejak_visits", VisitFold(self.settings.partitions), read_seal(self.settings)
        )
        batches = self._open(store, (SCAN.name,))
        if together:
            store.apply_all(batches)
        else:
            _apply(store, batches)
        store.close()

    def trace(self) -> None:
        """Take in the facts that wait, and run what is due."""
        store = TraceStore(self.settings, read_seal(self.settings))
        _apply(store, self._open(store, FACTS))
        store.close()

    def hear_of_visits(self) -> None:
        """Take the changes of visits that the fold left, as the relay would bring them."""
        for row_id, events in visit_changes(self.settings, self._read_up_to):
            self._read_up_to = row_id
            for partition, _, value in events:
                self.append(VISIT.name, partition, value or b"")

    def stand_by(self) -> None:
        """Run again the traces that the changes touch, and what was left due."""
        store = StandingStore(self.settings, read_seal(self.settings))
        store.apply_all(self._open(store, (VISIT.name,)))
        store.tick()
        store.close()

    def relay(self) -> None:
        """Publish what waits."""
        with make_sender(self.settings) as sender:
            outbox = Outbox(self.settings)
            Relay(self.settings, sender, outbox).work_off()
            outbox.close()

    def dies(self, place: str, work: Callable[[], None]) -> bool:
        """Do the work in a child process that dies at a place; False when it never came there, and finished."""
        child = os.fork()
        if not child:
            status = 1
            try:
                arm(place)
                work()
                status = 0
            finally:
                os._exit(status)
        status = _wait(child)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return True
        assert os.waitstatus_to_exitcode(status) == 0, f"the work failed before {place}"
        return False

    def _open(self, store: BatchStore, topics: Iterable[str]) -> list[Batch]:
        """Let the store begin where the database stands; return what waits, a batch for each partition."""
        places = [(topic, number) for topic in topics for number in range(self.settings.partitions)]
        ends = {place: len(self.log[place]) for place in places}
        store.positions(Log(self._cluster, dict.fromkeys(places, 0), ends))
        at = positions(self.settings)
        return [Batch(*place, self.log[place][at[place] :], ends[place]) for place in places if at[place] < ends[place]]


def _apply(store: BatchStore, batches: Sequence[Batch]) -> None:
    for batch in batches:
        store.apply(batch)


def _wait(child: int) -> int:
    """Return how a child ended; one that takes too long is killed, which is an error of its own."""
    deadline = monotonic() + DIES_WITHIN_S
    while monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        sleep(TICK_S)
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    raise AssertionError("neither died nor ended")
