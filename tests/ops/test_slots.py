"""Workers' numbers: the lowest free one, free again after a kill, and known to the machine that holds it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import cli
from ops.commands.worker import read_slot
from ops.doctor import diagnose
from ops.slots import held_slot, slots_here
from schemas.errors import BadInput
from schemas.settings import Settings
from streams.readiness import Readiness

HOLD = """
import sys, time
from pathlib import Path
from ops.slots import held_slot
from schemas.settings import Settings
with held_slot(Settings(home=Path(sys.argv[1])), "visits", None) as slot:
    print(slot, flush=True)
    time.sleep(60)
"""


@contextmanager
def another_worker(home: Path) -> Iterator[tuple[int, int]]:
    """Run a process that holds a free number; yields the number and its pid."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


def test_each_worker_takes_the_lowest_free_number(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ExitStack() as stack:
        taken = [stack.enter_context(held_slot(settings, "visits", None)) for _ in range(3)]
        with held_slot(settings, "traces", None) as of_another_service:
            assert (taken, of_another_service) == ([0, 1, 2], 0)
    with held_slot(settings, "visits", None) as again:
        assert again == 0


def test_a_killed_workers_number_is_free_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with another_worker(tmp_path) as (number, pid):
        assert number == 0
        with held_slot(settings, "visits", None) as mine:
            assert mine == 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with held_slot(settings, "visits", None) as mine:
            assert mine == 0


def test_a_number_that_was_asked_for_is_given_though_it_is_held(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with held_slot(settings, "visits", 3) as first, held_slot(settings, "visits", 3) as second:
        assert (first, second) == (3, 3)


def test_the_machine_knows_the_numbers_held_on_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert slots_here(settings, "visits") == []
    with another_worker(tmp_path), another_worker(tmp_path), held_slot(settings, "traces", 7):
        assert slots_here(settings, "visits") == [0, 1]
        assert slots_here(settings, "traces") == [7]
        (tmp_path / "run/slots/visits-1").write_text("another machine")
        assert slots_here(settings, "visits") == [0]
    assert slots_here(settings, "visits") == []


@pytest.mark.parametrize("text", ["-1", "1024", "one", "", "¹"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"field --slot"):
        read_slot(text)


def healthy(home: Path, service: str) -> str:
    result = CliRunner().invoke(cli, ["healthy", service], env={"JEJAK_HOME": str(home)})
    return str(result.exception or "")


def test_a_worker_is_healthy_while_its_metrics_are_fresh(tmp_path: Path) -> None:
    assert healthy(tmp_path, "visits") == "no visits worker runs here"
    with another_worker(tmp_path):
        assert healthy(tmp_path, "visits") == "visits-0 has not begun"
        metrics = tmp_path / "run/metrics/visits-0.prom"
        metrics.parent.mkdir()
        metrics.touch()
        assert healthy(tmp_path, "visits") == ""
        os.utime(metrics, (time.time() - 40, time.time() - 40))
        assert healthy(tmp_path, "visits") == "visits-0 has stood still for 40 s"


def test_a_worker_that_waits_is_not_healthy_and_says_for_what(tmp_path: Path) -> None:
    with another_worker(tmp_path):
        for folder in ("metrics", "ready"):
            (tmp_path / "run" / folder).mkdir()
        (tmp_path / "run/metrics/visits-0.prom").touch()
        readiness = Readiness(Settings(home=tmp_path), "visits-0")
        readiness.say("waits for the database")
        assert healthy(tmp_path, "visits") == "visits-0 waits for the database"
        assert "visits-0 waits for the database" in [one.says for one in diagnose(Settings(home=tmp_path))]
        readiness.say("")
        assert healthy(tmp_path, "visits") == ""
        assert "1 at work" in [one.says for one in diagnose(Settings(home=tmp_path)) if one.subject == "visits"]


def test_a_relay_is_healthy_while_both_its_lanes_work(tmp_path: Path) -> None:
    assert healthy(tmp_path, "relay") == "relay has not begun"
    (tmp_path / "run/metrics").mkdir(parents=True)
    (tmp_path / "run/metrics/relay.prom").touch()
    lanes = [Readiness(Settings(home=tmp_path), name) for name in ("relay-news", "relay-bulk")]
    lanes[0].say("")
    lanes[1].say("waits for Kafka or the database")
    assert healthy(tmp_path, "relay") == "relay-bulk waits for Kafka or the database"
    lanes[1].say("")
    assert healthy(tmp_path, "relay") == ""


def test_a_gate_that_does_not_run_is_not_healthy(tmp_path: Path) -> None:
    assert healthy(tmp_path, "gate").startswith("no gate runs in")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/gate.json").write_text('{"url": "http://127.0.0.1:9", "pid": 1}')
    assert healthy(tmp_path, "gate") == "the gate does not answer"
