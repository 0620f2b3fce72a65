"""Where the one transaction must stop, wait or begin again, and that nothing is lost or done twice by it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from random import Random
from threading import Event
from time import sleep

import psycopg2
import pytest

from schemas.codec import encode
from schemas.errors import Conflict, DatabaseAway, GapInLog, InvalidSettings, LogReplaced, StopWorker
from schemas.events import Gate
from schemas.partition import partition_of
from streams.batches import Batch, Log, Record
from streams.sealing import read_seal
from streams.store import BatchStore, Result, Source
from streams.visits import VisitFold
from tests.streams.conftest import CLUSTER, LOGGED_MS, Fold
from tests.streams.flow import START, ask, closing_after, person, scan, with_settings
from tracing.store import Cursor

HOUR = timedelta(hours=1)


def test_a_right_that_is_missing_stops_the_worker_and_makes_no_dead_letters(fold: Fold, random: Random) -> None:
    with closing_after(fold.settings, "jejak_owner") as cur:
        cur.execute("revoke insert on scan from jejak_visits")
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
    with closing_after(fold.settings, "postgres") as cur:
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


class FreezesInCopy(VisitFold):
    """Stops in the middle of a COPY, as a process does that gets SIGSTOP, and goes on when it is told to."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.frozen, self.thaw = Event(), Event()

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        if not self.thaw.is_set():
            cur.copy_expert("copy stage_scan from stdin", _Freezing(self))
        return super().fold(cur, source, records)


class _Freezing(BytesIO):
    def __init__(self, fold: FreezesInCopy) -> None:
        super().__init__()
        self._fold = fold

    def read(self, _size: int | None = -1, /) -> bytes:
        self._fold.frozen.set()
        self._fold.thaw.wait()
        return b""


def test_a_worker_frozen_in_the_middle_of_a_copy_is_replaced_and_writes_nothing_when_it_wakes(
    fold: Fold, random: Random
) -> None:
    who = person(random)
    work = FreezesInCopy(fold.settings.partitions)
    freezing = BatchStore(fold.settings, "jejak_visits", work, read_seal(fold.settings))
    ends = {("scan.v1", number): 10**9 for number in fold.log}
    freezing.positions(Log(CLUSTER, dict.fromkeys(ends, 0), ends))
    at = partition_of(who, fold.settings.partitions)
    one = scan(random, who, "RS-1", START)
    fold.append(at, encode(one))
    fold.sent.append(one)
    with ThreadPoolExecutor(1) as pool:
        waking = pool.submit(freezing.apply, fold.batch(at))
        try:
            assert work.frozen.wait(10)
            fold.store.apply(fold.batch(at))  # waits for the lock until the other's session is ended
        finally:
            work.thaw.set()
        waking.result()
    freezing.close()
    assert fold.ledger() == (1, 0, 0)
    assert fold.reasons() == []
    fold.assert_equal_to_the_pure_fold()


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
