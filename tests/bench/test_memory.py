"""What is read of a process's memory, and when it is called flat."""

import os
import subprocess
import sys

import pytest

from bench.memory import judge, read_family

ALLOCATES = "import sys; kept = b'x' * (40 << 20); print('up', flush=True); sys.stdin.read()"


def _series(of: "list[float]") -> list[tuple[float, float]]:
    return [(10.0 * number, kept) for number, kept in enumerate(of)]


def test_what_grows_only_while_it_warms_up_is_flat() -> None:
    found = judge(_series([100.0 + number for number in range(60)] + [160.0] * 120))
    assert found.flat
    assert found.grew == 0
    assert found.mib_an_hour == 0
    assert (found.first, found.last, found.highest) == (115.0, 160.0, 160.0)


@pytest.mark.parametrize("mib_an_hour", [30.0, 100.0])
def test_a_small_process_that_leaks_is_not_flat(mib_an_hour: float) -> None:
    found = judge(_series([80.0 + mib_an_hour * number / 360 for number in range(180)]))
    assert not found.flat
    assert found.mib_an_hour == mib_an_hour


def test_what_goes_up_and_down_is_flat_and_what_shrinks_too() -> None:
    assert judge(_series([100.0 + 20 * (number % 2) for number in range(180)])).flat
    assert judge(_series([200.0 - number / 10 for number in range(180)])).flat


def test_a_large_process_may_differ_by_three_hundredths() -> None:
    assert judge(_series([400.0] * 120 + [410.0] * 60)).flat
    assert not judge(_series([400.0] * 120 + [413.0] * 60)).flat


def test_what_a_child_allocates_is_seen_in_its_family() -> None:
    before = read_family(os.getpid())
    command = [sys.executable, "-c", ALLOCATES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        kept, family = read_family(child.pid), read_family(os.getpid())
        child.stdin.close()
    assert before is not None
    assert kept is not None
    assert family is not None
    assert 40 <= kept.own <= kept.pss <= kept.rss < 80
    assert family.own >= before.own + 40


def test_a_child_that_lives_for_seconds_is_left_out() -> None:
    command = ["postgres: autovacuum worker", "-c", ALLOCATES]
    with subprocess.Popen(command, executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        before = read_family(os.getpid())
        child.stdout.readline()
        after = read_family(os.getpid())
        child.stdin.close()
    assert before is not None
    assert after is not None
    assert after.own < before.own + 20


def test_a_process_that_is_gone_keeps_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert read_family(child.pid) is None
