"""The one transaction, on a real database, batch by batch: what is applied, what is repeated, what is refused."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import msgspec
import pytest

from schemas.codec import encode
from schemas.events import Gate, Role, Scan, ScanDecision, Verdict
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.sealing import read_seal
from tests.streams.conftest import Fold, new_fold
from tests.streams.expected import ledger_holds, stored_visits_and_counts
from tests.streams.flow import START, add_facilities, ask, closing_after, person, scan, town

HOUR = timedelta(hours=1)


def test_batches_of_any_size_lead_to_what_the_pure_fold_says(fold: Fold, random: Random) -> None:
    records = town(random, 60)
    random.shuffle(records)
    records += random.sample(records, 40)
    while records:
        size = random.randint(1, 120)
        fold.fold(*records[:size])
        del records[:size]
    fold.assert_equal_to_the_pure_fold()
    applied, duplicate, _ = fold.ledger()
    assert applied > 300
    assert duplicate >= 40


def test_scans_in_order_and_scans_in_no_order_leave_the_same_rows_of_visits_counts_and_persons(
    fresh_database: Callable[[], Settings], random: Random
) -> None:
    records = [one for one in town(random, 50, days=10) if isinstance(one, Scan)]
    records.sort(key=lambda one: (one.at, one.scan_id))
    in_order, shuffled = (new_fold(fresh_database()) for _ in range(2))
    for first in range(0, len(records), 40):
        in_order.fold(*records[first : first + 40])
    random.shuffle(records)
    for first in range(0, len(records), 60):
        shuffled.fold(*records[first : first + 60])
    rows = "select person, state::json->>0, state from pairing order by 1"
    assert ask(in_order.settings, rows) == ask(shuffled.settings, rows)
    assert stored_visits_and_counts(in_order.settings) == stored_visits_and_counts(shuffled.settings)
    for fold in (in_order, shuffled):
        fold.assert_equal_to_the_pure_fold()
        fold.store.close()


def test_a_person_whose_row_is_not_known_is_folded_from_his_history(fold: Fold, random: Random) -> None:
    who = person(random)
    fold.fold(scan(random, who, "RS-1", START))
    with closing_after(fold.settings, "jejak_owner") as cur:
        cur.execute("update pairing set state = null")
    fold.fold(scan(random, who, "RS-1", START + HOUR, Gate.EXIT))
    fold.assert_equal_to_the_pure_fold()
    assert ask(fold.settings, "select count(*) from pairing where state is null") == [(0,)]


def test_a_batch_that_comes_again_changes_nothing(fold: Fold, random: Random) -> None:
    fold.fold(*town(random, 10))
    before = stored_visits_and_counts(fold.settings), fold.ledger(), ask(fold.settings, "select count(*) from outbox")
    for number, records in fold.log.items():
        if records:
            fold.store.apply(fold.batch(number))
    assert (
        stored_visits_and_counts(fold.settings),
        fold.ledger(),
        ask(fold.settings, "select count(*) from outbox"),
    ) == before


def test_a_batch_that_overlaps_the_position_is_folded_from_there(fold: Fold, random: Random) -> None:
    who = person(random)
    partition = partition_of(who, fold.settings.partitions)
    for hours in range(4):
        one = scan(random, who, "PKM-1", START + hours * HOUR)
        fold.append(partition, encode(one))
        fold.sent.append(one)
    fold.store.apply(fold.batch(partition, 0, 2))
    fold.store.apply(fold.batch(partition, 1))
    assert fold.ledger() == (4, 0, 0)
    fold.assert_equal_to_the_pure_fold()


def test_a_repeat_is_a_duplicate_and_another_body_is_dead(fold: Fold, random: Random) -> None:
    first = scan(random, person(random), "RS-1", START)
    repeat = msgspec.structs.replace(first, at=START.astimezone(tz=None), received_at=START + HOUR)
    other = msgspec.structs.replace(first, at=START + HOUR)
    fold.fold(first, repeat, other)
    fold.fold(other, repeat)
    assert fold.ledger() == (1, 2, 2)
    assert fold.reasons() == ["field scan_id: is that of an earlier record with another body"] * 2
    fold.assert_equal_to_the_pure_fold()


def test_a_decision_s_repeat_is_a_duplicate_and_another_body_is_dead(fold: Fold, random: Random) -> None:
    about = scan(random, person(random), "RS-1", START)
    first = _decision(about, Verdict.VOID, 1)
    fold.fold(first, about)
    fold.fold(first, msgspec.structs.replace(first, decision=Verdict.CLEAR), _decision(about, Verdict.CLEAR, 2))
    assert fold.ledger() == (3, 1, 1)
    fold.assert_equal_to_the_pure_fold()


def test_a_decision_that_comes_before_its_scan_counts_when_the_scan_comes(fold: Fold, random: Random) -> None:
    about = scan(random, person(random), "RS-1", START)
    fold.fold(_decision(about, Verdict.VOID, 1))
    fold.fold(about)
    assert ask(fold.settings, "select count(*) from every_visit") == [(0,)]
    fold.fold(_decision(about, Verdict.CLEAR, 2))
    assert ask(fold.settings, "select count(*) from every_visit") == [(1,)]
    fold.assert_equal_to_the_pure_fold()


def test_a_visit_that_grows_over_a_day_moves_to_the_table_of_long_stays_and_back(fold: Fold, random: Random) -> None:
    who = person(random)
    leave = scan(random, who, "RS-1", START + 30 * HOUR, Gate.EXIT)
    fold.fold(scan(random, who, "RS-1", START))
    assert _tables(fold) == (1, 0)
    fold.fold(leave)
    assert _tables(fold) == (0, 1)
    fold.assert_equal_to_the_pure_fold()
    fold.fold(_decision(leave, Verdict.VOID, 1))
    assert _tables(fold) == (1, 0)
    fold.assert_equal_to_the_pure_fold()


def test_a_visit_changed_by_a_late_scan_moves_to_another_week(fold: Fold, random: Random) -> None:
    who = person(random)
    fold.fold(scan(random, who, "RS-1", START + timedelta(days=7, hours=3), Gate.EXIT, role=Role.INPATIENT))
    fold.assert_equal_to_the_pure_fold()
    fold.fold(scan(random, who, "RS-1", START + timedelta(days=6, hours=23)))
    fold.assert_equal_to_the_pure_fold()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"facility_id": "no such"}, "field facility_id: is not a facility we know"),
        ({"kind": "clinic"}, "field kind: is not the facility's"),
        ({"time_zone": "Asia/Makassar"}, "field time_zone: is not the facility's"),
        ({"gate": "window"}, "field gate: is not one of the allowed values"),
        ({"zone": "a\tb"}, "field zone: holds a control character"),
        ({"at": "2019-12-31T23:59:59Z"}, "field at: is outside the years 2020–2100"),
        ({"at": "2026-03-02T00:00:00"}, "field at: has no offset"),
        ({"nik": "3671010101010001"}, "field body: has a field that is not known"),
    ],
)
def test_a_record_that_cannot_be_used_is_kept_sealed_with_its_reason(
    fold: Fold, random: Random, change: dict[str, str], reason: str
) -> None:
    good = scan(random, person(random), "RS-1", START)
    value = msgspec.json.encode(msgspec.json.decode(encode(good)) | change)
    partition = partition_of(good.person_id, fold.settings.partitions)
    offset = fold.append(partition, value)
    fold.store.apply(fold.batch(partition))
    assert fold.reasons() == [reason]
    sealed = bytes(ask(fold.settings, "select sealed from dead_letter")[0][0])
    assert value not in sealed
    assert good.person_id.encode() not in sealed
    assert read_seal(fold.settings).unseal(sealed, "scan.v1", partition, offset) == value
    assert fold.ledger() == (0, 0, 1)
    assert ledger_holds(fold.settings)


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff\xfe", b"{", b"[" * 100_000, b'{"event":"nothing"}'])
def test_bytes_that_are_no_event_are_kept_sealed_and_the_next_record_is_folded(
    fold: Fold, random: Random, value: bytes | None
) -> None:
    good = scan(random, person(random), "RS-1", START)
    partition = partition_of(good.person_id, fold.settings.partitions)
    fold.append(partition, value)
    fold.append(partition, encode(good))
    fold.store.apply(fold.batch(partition))
    assert fold.ledger() == (1, 0, 1)
    sealed = bytes(ask(fold.settings, "select sealed from dead_letter")[0][0])
    assert read_seal(fold.settings).unseal(sealed, "scan.v1", partition, 0) == (value or b"")


def test_a_record_in_a_partition_that_is_not_its_person_s_is_dead(fold: Fold, random: Random) -> None:
    one = scan(random, person(random), "RS-1", START)
    wrong = (partition_of(one.person_id, fold.settings.partitions) + 1) % fold.settings.partitions
    fold.append(wrong, encode(one))
    fold.store.apply(fold.batch(wrong))
    assert fold.reasons() == ["field person_id: belongs to another partition"]


def test_a_facility_added_while_the_worker_runs_is_known_when_its_first_scan_comes(fold: Fold, random: Random) -> None:
    one = scan(random, person(random), "RS-1", START)
    add_facilities(fold.settings, {"new": (one.kind, one.time_zone)})
    fold.fold(msgspec.structs.replace(one, facility_id="new"))
    assert fold.ledger() == (1, 0, 0)
    fold.assert_equal_to_the_pure_fold()


def test_a_record_the_database_refuses_is_found_among_the_others_and_kept_with_its_sqlstate(
    fold: Fold, random: Random
) -> None:
    with closing_after(fold.settings, "jejak_owner") as cur:
        cur.execute("alter table scan add constraint no_such_zone check (zone <> 'broken')")
    who = person(random)
    good = [scan(random, who, "PKM-1", START + hours * HOUR) for hours in range(7)]
    bad = scan(random, who, "PKM-1", START + 3 * HOUR, zone="broken")
    for event in [*good[:3], bad, *good[3:]]:
        fold.append(partition_of(who, fold.settings.partitions), encode(event))
    fold.store.apply(fold.batch(partition_of(who, fold.settings.partitions)))
    assert fold.ledger() == (7, 0, 1)
    assert fold.reasons() == ["the database refused it: SQLSTATE 23514"]
    assert ask(fold.settings, 'select "offset" from dead_letter') == [(3,)]
    fold.sent += good
    fold.assert_equal_to_the_pure_fold()


def _decision(about: Scan, verdict: Verdict, serial: int) -> ScanDecision:
    return ScanDecision(
        scan_id=about.scan_id,
        person_id=about.person_id,
        scan_at=about.at,
        decision=verdict,
        serial=serial,
        by="rule",
    )


def _tables(fold: Fold) -> tuple[int, int]:
    rows = ask(fold.settings, "select (select count(*) from visit)::int, (select count(*) from visit_long)::int")
    return rows[0][0], rows[0][1]


def test_a_count_that_is_told_says_how_far_its_shard_was(fold: Fold, random: Random) -> None:
    who = person(random)
    for hours in range(3):
        fold.fold(scan(random, who, "PKM-1", START + hours * HOUR))
    packed = ask(fold.settings, "select events from outbox where topic = 'facility-count.v1' order by id")
    told = [msgspec.msgpack.decode(bytes(events)) for (events,) in packed]
    assert [{msgspec.json.decode(value)["as_of"] for _, _, value in events} for events in told] == [{1}, {2}, {3}]
