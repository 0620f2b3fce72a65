"""The simulation finds nothing in the protocol as it is, and each bug that is planted in it; what it finds is short."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from click.testing import CliRunner

import streams.visits
from ops.commands.simulate import simulate
from ops.simulation.search import Failure, search
from ops.simulation.tables import Database, MemoryLedger, Transaction
from ops.simulation.world import Protocol, Worker
from streams.intake import Intake
from streams.joining.store import Part, fold_parts
from streams.store import Result, Source

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
        for (source, _), one in zip(parts, results, strict=True):
            self.ledger.bury(cur, source, one.dead)
            self.ledger.advance(cur, [(source, positions[source], one)])
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


def test_the_command_says_how_many_and_ends_with_1_and_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(simulate, ["--schedules", "5", "--seed", "3"])
    assert done.exit_code == 0
    assert done.output.startswith("5 schedules, ")
    monkeypatch.setattr(Protocol, "begin", KafkasOffsetIsBelieved.begin)
    monkeypatch.setattr(Protocol, "acks_before_commit", True)
    done = CliRunner().invoke(simulate, ["--schedules", "600"])
    assert done.exit_code == 1
    assert "goes wrong" in done.output
