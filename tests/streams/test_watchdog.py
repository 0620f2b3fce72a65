"""Standing still is: records wait and nothing is folded, or the loop does not turn; waiting for a database is not."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep

from streams.watchdog import Progress

STANDS_STILL = """
import streams.watchdog as watchdog
watchdog.STALL_S = 0.2
progress = watchdog.Progress()
progress.beat(7)
watchdog.watch(progress, "visits-0")
import time
time.sleep(30)
"""


def test_records_that_wait_without_progress_are_standing_still() -> None:
    progress = Progress()
    progress.beat(5)
    sleep(0.06)
    progress.beat(5)
    assert progress.stalled_s() >= 0.05
    progress.made()
    progress.beat(5)
    assert progress.stalled_s() < 0.05


def test_an_empty_log_is_not_standing_still() -> None:
    progress = Progress()
    sleep(0.06)
    progress.beat(0)
    assert progress.stalled_s() < 0.05


def test_waiting_for_the_database_is_not_standing_still() -> None:
    progress = Progress()
    progress.beat(5)
    with progress.excused():
        sleep(0.06)
        progress.beat(5)
        assert progress.stalled_s() < 0.05
    progress.beat(5)
    assert progress.stalled_s() < 0.05


def test_it_is_said_what_is_waited_for() -> None:
    progress = Progress()
    with progress.excused(for_s=1), progress.excused("the database"):
        assert progress.waits_for() == "the database"
    assert progress.waits_for() == ""


def test_a_trace_being_run_is_standing_still_only_after_its_time() -> None:
    progress = Progress()
    progress.beat(5)
    with progress.working(), progress.excused(for_s=0.1):
        sleep(0.06)
        progress.beat(5)
        assert progress.stalled_s() < 0.05
        sleep(0.06)
        progress.beat(5)
        assert progress.stalled_s() >= 0.1


def test_a_loop_that_does_not_turn_is_standing_still_even_without_lag() -> None:
    progress = Progress()
    progress.beat(0)
    sleep(0.06)
    assert progress.stalled_s() >= 0.05


def test_a_worker_that_stands_still_is_ended_with_1() -> None:
    ended = subprocess.run([sys.executable, "-c", STANDS_STILL], timeout=20, check=False, capture_output=True)
    assert ended.returncode == 1
    assert b"no progress although records wait" in ended.stdout + ended.stderr


def test_a_thread_whose_batch_does_not_end_stands_still_whatever_the_others_do() -> None:
    progress = Progress()
    with ThreadPoolExecutor(1) as other, progress.working():
        sleep(0.06)
        progress.beat(5)
        other.submit(progress.made).result()
        assert progress.stalled_s() >= 0.05
        progress.made()
        progress.beat(5)
        assert progress.stalled_s() < 0.05
