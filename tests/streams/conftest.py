"""A log in memory folded into a real database, batch by batch, for the tests of the store."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ops.secrets import ensure_secret
from ops.store import fix_partitions
from schemas.codec import encode
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.batches import Batch, Log
from streams.joining.store import JoiningStore
from streams.sealing import read_seal
from streams.store import BatchStore
from streams.visits import VisitFold
from tests.streams.expected import expected_visits_and_counts, ledger_holds, stored_visits_and_counts
from tests.streams.flow import add_facilities, ask

CLUSTER = "a-cluster"
LOGGED_MS = 1_772_500_000_000
HOUR = timedelta(hours=1)


class Fold:
    """A log in memory, and the store that folds it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        ensure_secret(settings, "seal", "dead-letters")
        self.log: dict[int, list[Any]] = {number: [] for number in range(settings.partitions)}
        self.sent: list[Scan | ScanDecision] = []
        self.store = self.new_store()

    def new_store(self, cluster: str = CLUSTER) -> BatchStore:
        store = JoiningStore(
            self.settings, "jejak_visits", VisitFold(self.settings.partitions), read_seal(self.settings)
        )
        ends = {("scan.v1", number): 10**9 for number in self.log}
        store.positions(Log(cluster, dict.fromkeys(ends, 0), ends))
        return store

    def append(self, partition: int, value: bytes | None) -> int:
        records = self.log[partition]
        records.append(SimpleNamespace(offset=len(records), timestamp=LOGGED_MS, key=b"k", value=value))
        return len(records) - 1

    def batch(self, partition: int, first: int = 0, end: int | None = None) -> Batch:
        return Batch("scan.v1", partition, self.log[partition][first:end])

    def fold(self, *events: Scan | ScanDecision) -> None:
        """Append events and fold them, one batch per partition."""
        firsts = {number: len(records) for number, records in self.log.items()}
        for event in events:
            self.append(partition_of(event.person_id, self.settings.partitions), encode(event))
        self.sent += events
        for number, first in firsts.items():
            if self.log[number][first:]:
                self.store.apply(self.batch(number, first))

    def assert_equal_to_the_pure_fold(self) -> None:
        assert stored_visits_and_counts(self.settings) == expected_visits_and_counts(self.sent)
        assert ledger_holds(self.settings)

    def ledger(self) -> tuple[int, int, int]:
        rows = ask(self.settings, "select sum(applied)::int, sum(duplicate)::int, sum(dead)::int from position")
        return rows[0][0], rows[0][1], rows[0][2]

    def reasons(self) -> list[str]:
        return [row[0] for row in ask(self.settings, 'select reason from dead_letter order by partition, "offset"')]


def new_fold(settings: Settings) -> Fold:
    """Return a fold into a new database."""
    fix_partitions(settings)
    add_facilities(settings)
    return Fold(settings)


@pytest.fixture
def fold(fresh_database: Callable[[], Settings]) -> Iterable[Fold]:
    made = new_fold(fresh_database())
    yield made
    made.store.close()


@pytest.fixture
def random() -> Random:
    return Random(20260302)
