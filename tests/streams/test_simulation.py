"""The simulation finds nothing in the protocol as it is, and each bug that is planted in it; what it finds is short."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import streams.visits
import tracing.carries
from ops.commands.simulate import simulate
from ops.simulation.horizons import Horizons
from ops.simulation.search import Failure, search
from ops.simulation.tables import Database, Kept, MemoryLedger, Transaction
from ops.simulation.world import Protocol, Worker
from streams.arrivals import read_arrivals
from streams.intake import Intake
from streams.joining.store import Part, fold_parts
from streams.store import Result, Source
from tracing.stays import Stays
from tracing.visits import Carry, settled

SCHEDULES = 2_000
FOUND_WITHIN = 600


class AnybodyMoves(MemoryLedger):
    def is_allowed(self, at: int, was: int) -> bool:
        del at, was
        return True


class WithoutCompareAndSet(Protocol):
    locking = False
    ledger = AnybodyMoves()


class KafkasOffsetIsBelieved(Protocol):
    acks_before_commit = True

    def begin(self, database: Database, kafka: dict[int, int], partition: int) -> int:
        del database
        return kafka[partition]


class PositionBeforeRows(Protocol):
    """Two transactions: the position's is committed first."""

    def fold(self, cur: Any, parts: Sequence[Part], work: Any) -> object:
        return fold_parts(cur, parts, work, Ahead())  # type: ignore[arg-type] # a transaction stands in for a cursor


class Ahead(MemoryLedger):
    def advance(self, cur: Transaction, moves: Sequence[tuple[Source, int, Result]]) -> None:
        first = Transaction(cur._database, lambda _: None, locking=False)
        super().advance(first, moves)
        first.commit()


class NothingIsDropped(Protocol):
    """What is below the position is folded again, and moves the position on."""

    def fold(self, cur: Any, parts: Sequence[Part], work: Any) -> object:
        positions = self.ledger.lock(cur, [part.source for part in parts])
        results = work.fold_all(cur, parts)
        for (source, *_), one in zip(parts, results, strict=True):
            self.ledger.bury(cur, source, one.dead)
            self.ledger.advance(cur, [(source, positions[source].next_offset, one)])
        return results


class NothingIsInHand(Intake):
    """What one hand has taken of a partition does not keep the other from the rest of it."""

    def take_now(self) -> list[Any]:
        self._in_hand.clear()
        return super().take_now()


class TwoHandsOnOnePartition(Protocol):
    intake = NothingIsInHand


class FirstOfTheTransaction(Protocol):
    """The positions of the other partitions of a transaction are left where they were."""

    def fold(self, cur: Any, parts: Sequence[Part], work: Any) -> object:
        return fold_parts(cur, parts, work, OnlyTheFirst())  # type: ignore[arg-type] # a transaction stands in for a cursor


class OnlyTheFirst(MemoryLedger):
    def advance(self, cur: Transaction, moves: Sequence[tuple[Source, int, Result]]) -> None:
        super().advance(cur, moves[:1])


def test_the_protocol_as_it_is_never_goes_wrong() -> None:
    assert search(iter(range(SCHEDULES))) is None


@pytest.mark.parametrize(
    "planted",
    [
        WithoutCompareAndSet,
        KafkasOffsetIsBelieved,
        PositionBeforeRows,
        NothingIsDropped,
        TwoHandsOnOnePartition,
        FirstOfTheTransaction,
    ],
)
def test_a_planted_bug_of_the_protocol_is_found_and_shown_in_few_steps(planted: Callable[[], Protocol]) -> None:
    failure = search(iter(range(FOUND_WITHIN)), planted)
    assert failure is not None
    assert len(failure.schedule) <= 12, failure  # none: it needs no misfortune
    assert search(iter([failure.seed]), planted) == failure


def test_two_transactions_of_one_worker_are_open_at_once_in_many_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    open_at_once: list[int] = []
    right = Worker.statement

    def statement(self: Worker, name: str) -> None:
        open_at_once.append(sum(hand.transaction is not None for hand in self.hands))
        right(self, name)

    monkeypatch.setattr(Worker, "statement", statement)
    assert search(iter(range(100))) is None
    assert open_at_once.count(2) > 100


def test_a_late_scan_taken_for_one_in_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.visits, "is_in_order", lambda *_: True)
    assert isinstance(search(iter(range(FOUND_WITHIN))), Failure)


def lost(*_: object) -> None:
    """Write nothing."""


def without_the_exit(carry: Carry, horizon: int, stays: Stays) -> Carry:
    return msgspec.structs.replace(settled(carry, horizon, stays), exit_facility=None)


def without_what_was_ignored(carry: Carry, horizon: int, stays: Stays) -> Carry:
    kept = settled(carry, horizon, stays)
    return kept if kept.opened is None else msgspec.structs.replace(kept, latest=kept.opened.at)


def without_the_end_before(carry: Carry, horizon: int, stays: Stays) -> Carry:
    return msgspec.structs.replace(settled(carry, horizon, stays), previous_end=None)


@pytest.mark.parametrize("bug", [without_the_exit, without_what_was_ignored, without_the_end_before])
def test_a_carry_that_lacks_something_is_found(
    monkeypatch: pytest.MonkeyPatch, bug: Callable[[Carry, int, Stays], Carry]
) -> None:
    monkeypatch.setattr(tracing.carries, "settled", bug)
    assert isinstance(search(iter(range(5 * FOUND_WITHIN))), Failure)


def test_a_carry_that_is_not_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "write_carries", lost)
    assert isinstance(search(iter(range(FOUND_WITHIN))), Failure)


def test_a_horizon_that_retention_takes_for_a_microsecond_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Kept.lock
    monkeypatch.setattr(Kept, "lock", lambda *of: None if (at := right(*of)) is None else at + 1)
    assert isinstance(search(iter(range(FOUND_WITHIN))), Failure)


def test_a_horizon_that_the_fold_takes_for_a_microsecond_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.visits, "read_arrivals", lambda *of: read_arrivals(*of[:4], *[of[4] + 1]))
    assert isinstance(search(iter(range(FOUND_WITHIN))), Failure)


def test_a_fold_that_takes_in_what_is_too_old_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.visits, "read_arrivals", lambda *of: read_arrivals(*of[:4]))
    assert isinstance(search(iter(range(FOUND_WITHIN))), Failure)


def test_horizons_move_while_records_are_on_their_way_in_many_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[int, bool]] = []
    right = Horizons._drop

    def drop(self: Horizons, partition: int) -> int:
        waits = self._database.tables["position"][partition][0] < len(self._log[partition])
        steps.append((right(self, partition), waits))
        return steps[-1][0]

    monkeypatch.setattr(Horizons, "_drop", drop)
    assert search(iter(range(200))) is None
    assert sum(persons for persons, waits in steps if waits) > 50


def test_the_command_says_how_many_and_ends_with_1_and_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(simulate, ["--schedules", "5", "--seed", "3"])
    assert done.exit_code == 0
    assert done.output.startswith("5 schedules, ")
    monkeypatch.setattr(Protocol, "begin", KafkasOffsetIsBelieved.begin)
    monkeypatch.setattr(Protocol, "acks_before_commit", True)
    done = CliRunner().invoke(simulate, ["--schedules", "600"])
    assert done.exit_code == 1
    assert "goes wrong" in done.output
