"""Several partitions in one transaction: all their positions move with their rows, and one's trouble is its own."""

from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.codec import encode
from schemas.errors import GapInLog, LogReplaced
from schemas.partition import partition_of
from streams.batches import Batch
from streams.intake import rounds
from streams.joining.store import JoiningStore
from tests.streams.conftest import Fold
from tests.streams.flow import START, ask, closing_after, person, scan, town

HOUR = timedelta(hours=1)


def _append(fold: Fold, random: Random, persons: int) -> None:
    for event in town(random, persons):
        fold.append(partition_of(event.person_id, fold.settings.partitions), encode(event))
        fold.sent.append(event)


def _store(fold: Fold) -> JoiningStore:
    assert isinstance(fold.store, JoiningStore)
    return fold.store


def _waiting(fold: Fold, size: int = 10_000) -> list[Batch]:
    at = dict(ask(fold.settings, "select partition, next_offset from position where topic = 'scan.v1'"))
    return [fold.batch(number, at[number], at[number] + size) for number in fold.log if fold.log[number][at[number] :]]


def test_partitions_folded_together_hold_what_the_pure_fold_says(fold: Fold, random: Random) -> None:
    _append(fold, random, 60)
    while batches := _waiting(fold, 7):
        _store(fold).apply_all(batches)
    fold.assert_equal_to_the_pure_fold()
    rows = ask(fold.settings, "select source_partition, topic, count(*) from outbox group by 1, 2")
    assert {topic for _, topic, _ in rows} == {"visit.v1", "facility-count.v1"}
    assert len({partition for partition, *_ in rows}) == 12


def test_of_partitions_together_only_what_is_not_folded_is_folded(fold: Fold, random: Random) -> None:
    _append(fold, random, 20)
    batches = _waiting(fold)
    fold.store.apply(batches[0])
    _store(fold).apply_all(batches)
    _store(fold).apply_all(batches)
    fold.assert_equal_to_the_pure_fold()
    assert sum(fold.ledger()) == len(fold.sent)


def test_a_gap_in_one_partition_leaves_all_of_them_where_they_were(fold: Fold, random: Random) -> None:
    _append(fold, random, 20)
    first, *others = _waiting(fold)
    broken = Batch(first.topic, first.partition, first.records[1:])
    with pytest.raises(GapInLog):
        _store(fold).apply_all([broken, *others])
    assert fold.ledger() == (0, 0, 0)
    assert ask(fold.settings, "select count(*) from scan") == [(0,)]


def test_a_record_the_database_refuses_is_a_dead_letter_and_its_neighbours_are_folded(
    fold: Fold, random: Random
) -> None:
    with closing_after(fold.settings, "jejak_owner") as cur:
        cur.execute("alter table scan add constraint no_such_zone check (zone <> 'broken')")
    _append(fold, random, 20)
    bad = scan(random, person(random), "PKM-1", START, zone="broken")
    fold.append(partition_of(bad.person_id, fold.settings.partitions), encode(bad))
    _store(fold).apply_all(_waiting(fold))
    assert [reason for reason in fold.reasons() if "SQLSTATE" in reason] == ["the database refused it: SQLSTATE 23514"]
    assert sum(fold.ledger()) == len(fold.sent) + 1
    fold.assert_equal_to_the_pure_fold()


def test_a_position_of_another_cluster_stops_all(fold: Fold, random: Random) -> None:
    _append(fold, random, 20)
    batches = _waiting(fold)
    with closing_after(fold.settings, "jejak_ops") as cur:
        cur.execute("update position set cluster_id = 'another' where partition = %s", (batches[1].partition,))
    with pytest.raises(LogReplaced):
        _store(fold).apply_all(batches)
    assert fold.ledger() == (0, 0, 0)


def test_an_old_id_with_a_later_instant_is_dead_and_nothing_else_is(fold: Fold, random: Random) -> None:
    who = person(random)
    first = scan(random, who, "RS-1", START)
    fold.fold(first, scan(random, who, "RS-1", START + HOUR))
    later = scan(random, who, "RS-2", START + 5 * HOUR)
    fold.fold(msgspec.structs.replace(first, at=START + 4 * HOUR), later)
    assert fold.reasons() == ["field scan_id: is that of an earlier record with another body"]
    assert fold.ledger() == (3, 0, 1)
    fold.assert_equal_to_the_pure_fold()


def test_batches_of_one_partition_become_one_where_they_go_on_and_wait_where_they_do_not() -> None:
    def batch(partition: int, first: int, end: int) -> Batch:
        records: list[Any] = [SimpleNamespace(offset=offset) for offset in range(first, end)]
        return Batch("scan.v1", partition, records)

    made = rounds([batch(0, 0, 2), batch(1, 5, 6), batch(0, 2, 3), batch(0, 2, 5), batch(1, 6, 7)])
    offsets = [[(one.partition, [record.offset for record in one.records]) for one in some] for some in made]
    assert offsets == [[(0, [0, 1, 2]), (1, [5])], [(0, [2, 3, 4]), (1, [6])]]
    assert rounds([]) == [[]]
