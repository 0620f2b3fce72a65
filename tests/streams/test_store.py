"""The one transaction, on a real database, batch by batch: what is applied, repeated, refused; where it must stop."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from random import Random
from time import sleep
from types import SimpleNamespace
from typing import Any

import msgspec
import psycopg2
import pytest

from ops.secrets import ensure_secret
from ops.store import fix_partitions
from schemas.codec import encode
from schemas.errors import Conflict, DatabaseAway, GapInLog, InvalidSettings, LogReplaced, StopWorker
from schemas.events import Gate, Role, Scan, ScanDecision, Verdict
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.batches import Batch, Log, Record
from streams.sealing import read_seal
from streams.store import BatchStore, Result, Source
from streams.visits import VisitFold
from tests.streams.expected import expected_visits_and_counts, ledger_holds, stored_visits_and_counts
from tests.streams.flow import START, add_facilities, ask, closing_after, person, scan, town, with_settings
from tracing.store import Cursor

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
        store = BatchStore(self.settings, "jejak_visits", VisitFold(self.settings.partitions), read_seal(self.settings))
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


@pytest.fixture
def fold(fresh_database: Callable[[], Settings]) -> Iterable[Fold]:
    settings = fresh_database()
    fix_partitions(settings)
    add_facilities(settings)
    made = Fold(settings)
    yield made
    made.store.close()


@pytest.fixture
def random() -> Random:
    return Random(20260302)


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
    with _owner(fold.settings) as cur:
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


def test_a_right_that_is_missing_stops_the_worker_and_makes_no_dead_letters(fold: Fold, random: Random) -> None:
    with _owner(fold.settings) as cur:
        cur.execute("revoke insert on visit from jejak_visits")
    with pytest.raises(StopWorker, match="SQLSTATE 42501"):
        fold.fold(scan(random, person(random), "RS-1", START))
    assert fold.reasons() == []
    assert fold.ledger() == (0, 0, 0)


def test_offsets_that_are_skipped_stop_the_worker_with_70(fold: Fold, random: Random) -> None:
    who = person(random)
    partition = partition_of(who, fold.settings.partitions)
    for hours in range(3):
        fold.append(partition, encode(scan(random, who, "RS-1", START + hours * HOUR)))
    with pytest.raises(GapInLog):
        fold.store.apply(fold.batch(partition, 1))
    records = fold.log[partition]
    with pytest.raises(GapInLog):
        fold.store.apply(Batch("scan.v1", partition, [records[0], records[2]]))
    assert GapInLog.exit_code == 70
    assert fold.ledger() == (0, 0, 0)


@pytest.mark.parametrize(("cluster", "first", "end"), [("another", 0, 9), (CLUSTER, 0, 3), (CLUSTER, 5, 9)])
def test_a_log_that_is_not_the_one_we_read_stops_the_worker_with_72(
    fold: Fold, random: Random, cluster: str, first: int, end: int
) -> None:
    who = person(random)
    fold.fold(*(scan(random, who, "RS-1", START + hours * HOUR) for hours in range(4)))
    at = ("scan.v1", partition_of(who, fold.settings.partitions))
    with pytest.raises(LogReplaced):
        fold.store.positions(Log(cluster, {at: first}, {at: end}))
    assert LogReplaced.exit_code == 72
    assert fold.store.positions(Log(CLUSTER, {at: 4}, {at: 4})) == {at: 4}


def test_a_partition_never_read_begins_where_its_log_begins(fold: Fold) -> None:
    at = ("test-result.v1", 0)
    assert fold.store.positions(Log(CLUSTER, {at: 17}, {at: 20})) == {at: 17}
    assert ask(fold.settings, "select first, next_offset from position where topic = %s", at[0]) == [(17, 17)]


def test_a_worker_whose_position_was_moved_by_another_does_not_write(fold: Fold, random: Random) -> None:
    who = person(random)
    partition = partition_of(who, fold.settings.partitions)
    zombie = fold.new_store()
    fold.fold(scan(random, who, "RS-1", START))
    zombie.apply(fold.batch(partition))
    zombie.close()
    assert fold.ledger() == (1, 0, 0)


def test_another_number_of_partitions_than_the_installation_s_is_refused(fold: Fold) -> None:
    fold.settings = with_settings(fold.settings, partitions=fold.settings.partitions + 1)
    with pytest.raises(Conflict, match="JEJAK_PARTITIONS"):
        fold.new_store()


def test_a_lost_connection_is_opened_again_and_the_batch_folded_once(fold: Fold, random: Random) -> None:
    who = person(random)
    fold.fold(scan(random, who, "RS-1", START))
    with _owner(fold.settings, "postgres") as cur:
        cur.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'jejak_visits' and datname = current_database()"
        )
    fold.fold(scan(random, who, "RS-1", START + HOUR, Gate.EXIT))
    assert fold.ledger() == (2, 0, 0)
    fold.assert_equal_to_the_pure_fold()


class LosesAnswerOnce(BatchStore):
    """Loses the connection after the commit was done and before its answer came."""

    lost = False

    def _count(self, source: Source, result: Result) -> None:
        if not self.lost:
            self.lost = True
            raise psycopg2.OperationalError
        super()._count(source, result)


def test_a_commit_whose_answer_is_lost_is_not_done_twice(fold: Fold, random: Random) -> None:
    fold.store.close()
    work = VisitFold(fold.settings.partitions)
    fold.store = LosesAnswerOnce(fold.settings, "jejak_visits", work, read_seal(fold.settings))
    ends = {("scan.v1", number): 10**9 for number in fold.log}
    fold.store.positions(Log(CLUSTER, dict.fromkeys(ends, 0), ends))
    one = scan(random, person(random), "RS-1", START)
    fold.fold(one)
    assert fold.ledger() == (1, 0, 0)
    at = ("scan.v1", partition_of(one.person_id, fold.settings.partitions))
    assert fold.store.progress.done[at] == 1
    fold.assert_equal_to_the_pure_fold()


class SlowOnce(VisitFold):
    """Thinks so long, once, that the server ends the transaction under it."""

    slow = True

    def opened(self, cur: Cursor) -> None:
        super().opened(cur)
        cur.execute("set idle_in_transaction_session_timeout = '100ms'")

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        if self.slow:
            self.slow = False
            sleep(0.4)
        return super().fold(cur, source, records)


def test_a_transaction_the_server_ended_is_tried_again_and_no_record_is_blamed(fold: Fold, random: Random) -> None:
    fold.store.close()
    fold.store = BatchStore(fold.settings, "jejak_visits", SlowOnce(fold.settings.partitions), read_seal(fold.settings))
    ends = {("scan.v1", number): 10**9 for number in fold.log}
    fold.store.positions(Log(CLUSTER, dict.fromkeys(ends, 0), ends))
    fold.fold(scan(random, person(random), "RS-1", START))
    assert fold.ledger() == (1, 0, 0)
    assert fold.reasons() == []


def test_a_scan_is_accepted_when_the_log_took_it(fold: Fold, random: Random) -> None:
    fold.fold(scan(random, person(random), "RS-1", START))
    assert ask(fold.settings, "select extract(epoch from accepted_at)::bigint * 1000 from scan") == [(LOGGED_MS,)]


def test_a_database_that_stays_away_ends_the_worker_with_71(fold: Fold) -> None:
    address = with_settings(fold.settings, database="postgresql://127.0.0.1:1/jejak", database_wait_s=1)
    away = BatchStore(address, "jejak_visits", VisitFold(12), read_seal(fold.settings))
    with pytest.raises(DatabaseAway):
        away.positions(Log(CLUSTER, {("scan.v1", 0): 0}, {("scan.v1", 0): 0}))
    assert DatabaseAway.exit_code == 71


def test_a_key_file_that_is_no_key_is_named(fold: Fold) -> None:
    settings = with_settings(fold.settings, secrets=str(fold.settings.home / "other"))
    with pytest.raises(InvalidSettings, match="JEJAK_SECRETS"):
        read_seal(settings)
    path = settings.secret_file("seal", "dead-letters")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("short")
    with pytest.raises(InvalidSettings, match="64 hex digits"):
        read_seal(settings)


def test_a_sealed_letter_cannot_be_passed_off_as_another(fold: Fold) -> None:
    seal = read_seal(fold.settings)
    sealed = seal.seal(b"bytes", "scan.v1", 3, 7)
    assert seal.unseal(sealed, "scan.v1", 3, 7) == b"bytes"
    with pytest.raises(Conflict):
        seal.unseal(sealed, "scan.v1", 3, 8)


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


def _owner(settings: Settings, role: str = "jejak_owner") -> AbstractContextManager[Any]:
    return closing_after(settings, role)
