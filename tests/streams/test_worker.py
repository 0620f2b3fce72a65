"""The visits worker as a process, between a real Kafka and a real PostgreSQL: whatever kills it, the rows are right."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from random import Random

import pytest

from ops.chaos.proxy import Proxy
from ops.embedded.home import free_port
from ops.health import worker_troubles
from ops.secrets import ensure_secret
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.sealing import read_seal
from tests.commands import environment, wait_until
from tests.streams.expected import expected_visits_and_counts, ledger_holds, stored_visits_and_counts
from tests.streams.flow import (
    START,
    add_facilities,
    ask,
    closing_after,
    folded,
    person,
    running,
    scan,
    send,
    send_raw,
    town,
    with_settings,
)

NIK = b"3671014508900003"


class Town:
    """What was sent to the log so far."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: list[Scan | ScanDecision] = []
        self.raw: list[tuple[int, bytes | None]] = []

    def send(self, records: list[Scan | ScanDecision]) -> None:
        send(self.settings, records)
        self.sent += records

    def send_raw(self, values: list[tuple[int, bytes | None]]) -> None:
        send_raw(self.settings, values)
        self.raw += values

    def is_folded(self) -> bool:
        return folded(self.settings) == len(self.sent) + len(self.raw)

    def assert_folded_exactly(self) -> None:
        assert stored_visits_and_counts(self.settings) == expected_visits_and_counts(self.sent)
        assert ledger_holds(self.settings)
        assert self.is_folded()


@pytest.fixture(scope="module")
def there(installation: Settings) -> Town:
    add_facilities(installation)
    ensure_secret(installation, "seal", "dead-letters")
    return Town(with_settings(installation, batch_max=50))


@pytest.fixture
def random() -> Random:
    return Random(7)


def test_workers_killed_in_mid_batch_leave_the_rows_of_the_pure_fold(there: Town, random: Random) -> None:
    records = town(random, 400)
    records.sort(key=lambda one: one.person_id[::-1] if random.random() < 0.5 else one.scan_id)
    records += random.sample(records, len(records) // 20)
    there.send(records)
    poison: list[tuple[int, bytes | None]] = [
        (number % 12, NIK + bytes([random.randrange(256) for _ in range(20)])) for number in range(24)
    ]
    there.send_raw(poison)
    with ExitStack() as stack:
        stack.enter_context(running(there.settings, "worker", "visits", "--slot", "1"))
        for share in (0.0, 0.2, 0.5):
            with running(there.settings, "worker", "visits", "--slot", "0") as victim:
                wait_until(lambda share=share: folded(there.settings) > share * len(records))  # type: ignore[misc] # bound
                victim.send_signal(signal.SIGKILL)
        stack.enter_context(running(there.settings, "worker", "visits", "--slot", "0"))
        wait_until(there.is_folded)
    there.assert_folded_exactly()


def test_a_worker_frozen_past_its_session_is_replaced_and_writes_nothing_when_it_wakes(there: Town) -> None:
    records = town(Random(5), 150)
    half = len(records) // 2
    settings = with_settings(there.settings, batch_max=10)
    with (
        running(settings, "worker", "visits", "--slot", "0") as frozen,
        running(settings, "worker", "visits", "--slot", "1"),
    ):
        there.send(records[:half])
        wait_until(lambda: folded(settings) > len(there.sent) + len(there.raw) - half)
        frozen.send_signal(signal.SIGSTOP)
        there.send(records[half:])
        wait_until(there.is_folded)
        frozen.send_signal(signal.SIGCONT)
        one, other = _two_of_one_person(Random(6))
        there.send([one, other])
        wait_until(there.is_folded)
    there.assert_folded_exactly()


def test_dead_letters_unsealed_are_the_bytes_that_were_sent_and_no_clear_column_holds_them(there: Town) -> None:
    rows = ask(
        there.settings,
        "select topic, partition, \"offset\", sealed, reason from dead_letter where reason like 'field body%'",
    )
    seal = read_seal(there.settings)
    unsealed = sorted(seal.unseal(bytes(sealed), *place) for *place, sealed, _ in rows)
    assert unsealed == sorted(value or b"" for _, value in there.raw)
    assert not any(NIK.decode() in reason for *_, reason in rows)


def test_a_scan_a_week_late_changes_what_was_folded_before(there: Town, random: Random) -> None:
    late = town(Random(99), 30, days=1)
    on_time = [one for one in late if random.random() < 0.6]
    with running(there.settings, "worker", "visits") as process:
        there.send(on_time)
        wait_until(there.is_folded)
        there.send([one for one in late if one not in on_time])
        wait_until(there.is_folded)
        process.terminate()
        assert process.wait(20) == 0
    there.assert_folded_exactly()


def test_offsets_that_are_skipped_end_the_process_with_70_and_a_restart_reads_them(there: Town, random: Random) -> None:
    one, other = _two_of_one_person(random)
    partition = partition_of(one.person_id, there.settings.partitions)
    with running(there.settings, "worker", "visits") as process:
        there.send([one])
        wait_until(there.is_folded)
        with closing_after(there.settings, "jejak_ops") as cur:
            cur.execute(
                "update position set next_offset = next_offset - 1, first = first - 1 where topic = 'scan.v1'"
                " and partition = %s",
                (partition,),
            )
        there.send([other])
        assert process.wait(20) == 70
        assert "was not delivered" in _last_line(process)
    with running(there.settings, "worker", "visits"):
        wait_until(lambda: folded(there.settings) == len(there.sent) + len(there.raw) + 1)
    with closing_after(there.settings, "jejak_ops") as cur:
        cur.execute(
            "update position set first = first + 1, duplicate = duplicate - 1 where partition = %s", (partition,)
        )
    there.assert_folded_exactly()


def test_a_log_of_another_cluster_ends_the_process_with_72(there: Town) -> None:
    with _changed(there.settings, "cluster_id = 'another'"), running(there.settings, "worker", "visits") as process:
        assert process.wait(30) == 72
        assert "another cluster" in _last_line(process)


def test_a_log_that_ends_before_the_position_ends_the_process_with_72(there: Town) -> None:
    with (
        _changed(there.settings, "next_offset = next_offset + 1000, applied = applied + 1000"),
        running(there.settings, "worker", "visits") as process,
    ):
        assert process.wait(30) == 72
        assert "is not in the log" in _last_line(process)


def test_a_database_that_stays_away_ends_the_process_with_71(there: Town) -> None:
    away = with_settings(there.settings, database="postgresql://127.0.0.1:1/jejak", database_wait_s=1.0)
    with running(away, "worker", "visits") as process:
        assert process.wait(30) == 71


def test_a_worker_says_that_it_waits_for_the_database_and_when_it_works_again(there: Town) -> None:
    settings = with_settings(there.settings, database_wait_s=60.0)
    with running(settings, "worker", "visits"):
        wait_until(lambda: worker_troubles(settings, "visits") == [])
        with closing_after(settings, "postgres") as cur:
            cur.execute("lock table position in access exclusive mode")
            there.send([scan(Random(8), person(Random(8)), "RS-1", START)])
            wait_until(lambda: worker_troubles(settings, "visits") == ["visits-0 waits for the database"])
        wait_until(there.is_folded)
        wait_until(lambda: worker_troubles(settings, "visits") == [])
    there.assert_folded_exactly()


def test_a_worker_waits_for_a_broker_that_is_away_and_goes_on_when_it_comes(there: Town, random: Random) -> None:
    host, _, port = there.settings.kafka.rpartition(":")
    door = free_port()
    away = with_settings(there.settings, kafka=f"127.0.0.1:{door}")
    there.send([scan(random, person(random), "RS-1", START)])
    with running(away, "worker", "visits") as process:
        wait_until(lambda: worker_troubles(away, "visits") == ["visits-0 waits for Kafka: no broker listens"])
        assert process.poll() is None
        with Proxy(door, (host, int(port))):
            wait_until(there.is_folded)
    there.assert_folded_exactly()


READS_LESS = """
import os
import sys
import streams.app
from schemas.errors import StopWorker
from schemas.settings import load_settings
from streams.sealing import read_seal
from streams.traces import TraceStore
streams.app.JOIN_MAX_S = 3.0
settings = load_settings(os.environ)
try:
    streams.app.run_worker(settings, "traces", ["test-result.v1"], TraceStore(settings, read_seal(settings)), 0)
except StopWorker as error:
    sys.exit(f"{error.exit_code}: {error}")
"""


def test_a_worker_that_gets_no_partitions_ends_and_says_so(there: Town) -> None:
    settings = with_settings(there.settings, session_timeout_s=45.0)
    with running(settings, "worker", "traces") as read_more:
        wait_until(lambda: worker_troubles(settings, "traces") == [])
        read_more.kill()  # its group still knows it, with all its topics
        read_more.wait()
        found = subprocess.run(
            [sys.executable, "-c", READS_LESS],
            env=environment(there.settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "1: Kafka dealt out no partitions for 3 s" in found.stderr.splitlines()


def test_another_number_of_partitions_ends_the_process_with_2_and_one_line(there: Town) -> None:
    with running(with_settings(there.settings, partitions=7), "worker", "visits") as process:
        assert process.wait(30) == 2
        assert "JEJAK_PARTITIONS" in _last_line(process)


def test_a_dead_letter_is_listed_and_shown_and_seeing_it_is_on_record(there: Town) -> None:
    topic, partition, offset, reason = ask(
        there.settings,
        "select topic, partition, \"offset\", reason from dead_letter where reason like 'field body%' limit 1",
    )[0]
    with running(there.settings, "dead", "list", "--limit", "9999", stdout=subprocess.PIPE) as process:
        listed, _ = process.communicate(timeout=30)
        assert f"{topic} {partition} {offset}" in listed
        assert reason in listed
    with running(
        there.settings, "dead", "show", topic, str(partition), str(offset), stdout=subprocess.PIPE, text=False
    ) as process:
        shown, _ = process.communicate(timeout=30)
        assert (partition, shown) in there.raw
    audit = ask(there.settings, "select action, object from audit order by id desc limit 1")
    assert audit == [("dead letter unsealed", f"{topic} {partition} {offset}")]
    with running(there.settings, "dead", "show", topic, str(partition), "999999") as process:
        assert process.wait(30) == 2
    assert ask(there.settings, "select count(*) from audit") == [(1,)]


def test_workers_that_come_and_go_in_turn_share_the_work_and_end_with_0(there: Town) -> None:
    records = town(Random(12), 200)
    quarter = len(records) // 4
    first, second, third = (records[quarter * number : quarter * (number + 1)] for number in range(3))
    settings = with_settings(there.settings, batch_max=10)
    with ExitStack() as stack:
        steady = stack.enter_context(running(settings, "worker", "visits", "--slot", "0"))
        there.send(first)
        wait_until(lambda: worker_troubles(settings, "visits") == [])
        comes = stack.enter_context(running(settings, "worker", "visits", "--slot", "1"))
        there.send(second)
        wait_until(there.is_folded)
        wait_until(lambda: worker_troubles(settings, "visits") == [])  # both have partitions
        there.send(third)
        comes.terminate()  # with records in its hands
        assert comes.wait(20) == 0
        there.send(records[3 * quarter :])
        wait_until(there.is_folded)
        steady.terminate()
        assert steady.wait(20) == 0
    there.assert_folded_exactly()


def _two_of_one_person(random: Random) -> list[Scan | ScanDecision]:
    who = person(random)
    return [scan(random, who, "RS-1", START), scan(random, who, "RS-2", START)]


def _last_line(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return process.stderr.read().strip().rpartition("\n")[2]


def _changed(settings: Settings, change: str) -> "ExitStack":
    """Change one position, and put it back."""
    stack = ExitStack()
    kept = ask(
        settings, "select cluster_id, next_offset, applied from position where topic = 'scan.v1' and partition = 5"
    )[0]
    where = " where topic = 'scan.v1' and partition = 5"
    with closing_after(settings, "jejak_ops") as cur:
        cur.execute(f"update position set {change}{where}")  # noqa: S608 — one of two constants

    def put_back() -> None:
        with closing_after(settings, "jejak_ops") as cur:
            cur.execute(f"update position set cluster_id = %s, next_offset = %s, applied = %s{where}", kept)  # noqa: S608 — constants

    stack.callback(put_back)
    return stack
