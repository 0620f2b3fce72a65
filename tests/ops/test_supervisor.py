"""The supervisor with real processes: what an exit code means, how long it waits, in which order it stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ops.supervisor import PAUSE_MAX_S, Service, Supervisor, meaning, pause_s

Make = Callable[..., Service]
DIES_ONCE = (
    "import os, sys; p = sys.argv[1] + '.was'; f = not os.path.exists(p); open(p, 'w'); f and os._exit({code})\n"
)
RUNS = "import time\nwhile True: time.sleep(0.05)"
NOTES_ITS_END = """
import signal, sys, time
def end(*_):
    time.sleep({wait})
    open(sys.argv[1], "a").write("{name}\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: time.sleep(0.05)
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def service(name: str, code: str) -> Service:
        return Service(
            name=name,
            argv=[sys.executable, "-c", code, str(tmp_path / "notes")],
            env={"PATH": os.environ["PATH"]},
            log=tmp_path / f"{name}.log",
            record=tmp_path / f"{name}.json",
        )

    return service


def run_until(supervisor: Supervisor, is_so: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    supervisor.run(until=lambda: is_so() or time.monotonic() > deadline)
    assert is_so()


def is_running(service: Service) -> bool:
    return service.process is not None and service.process.poll() is None


@pytest.mark.parametrize(("code", "said"), [(70, "at once"), (71, "in 0.2 s"), (1, "in 0.2 s")])
def test_what_died_runs_again(make: Make, tmp_path: Path, code: int, said: str) -> None:
    lines: list[str] = []
    service = make("fold", DIES_ONCE.format(code=code) + RUNS)
    supervisor = Supervisor([[service]], lines.append, is_ready=True)
    supervisor.start()
    try:
        first = service.process
        run_until(supervisor, lambda: service.process is not first)
        run_until(supervisor, lambda: is_running(service))
        assert (tmp_path / "notes.was").exists()
        assert lines == [f"fold ended (exit {code}); again {said}"]
    finally:
        supervisor.stop()


def test_a_killed_service_runs_again_and_the_others_are_not_touched(make: Make) -> None:
    one, other = make("one", RUNS), make("other", RUNS)
    lines: list[str] = []
    supervisor = Supervisor([[one], [other]], lines.append, is_ready=True)
    supervisor.start()
    try:
        assert one.process is not None
        assert other.process is not None
        pid, untouched = one.process.pid, other.process.pid
        os.kill(pid, signal.SIGKILL)
        run_until(supervisor, lambda: is_running(one) and one.process is not None and one.process.pid != pid)
        assert other.process.pid == untouched
        assert lines == ["one ended (killed by SIGKILL); again in 0.2 s"]
    finally:
        supervisor.stop()


def test_a_service_whose_log_was_replaced_is_left_alone_and_that_is_said_once(make: Make) -> None:
    lines: list[str] = []
    service = make("fold", "import os; os._exit(72)")
    supervisor = Supervisor([[service]], lines.append, is_ready=True)
    supervisor.start()
    first = service.process
    run_until(supervisor, lambda: bool(lines))
    until = time.monotonic() + 1
    supervisor.run(until=lambda: time.monotonic() > until)
    assert service.process is first
    assert len(lines) == 1
    assert "jejak doctor" in lines[0]
    supervisor.stop()


def test_exit_2_before_all_is_ready_ends_the_run_and_names_the_service(make: Make) -> None:
    refuses = make("gate", "import sys; print('jejak: field JEJAK_PORT: in use', file=sys.stderr); sys.exit(2)")
    runs = make("fold", RUNS)
    supervisor = Supervisor([[refuses], [runs]], lambda _: None)
    supervisor.start()
    run_until(supervisor, lambda: supervisor.refused is not None)
    supervisor.stop()
    assert supervisor.refused is refuses
    assert refuses.last_words() == "jejak: field JEJAK_PORT: in use"
    assert not is_running(runs)


def test_exit_2_later_is_a_death_like_others(make: Make) -> None:
    service = make("gate", DIES_ONCE.format(code=2) + RUNS)
    supervisor = Supervisor([[service]], lambda _: None, is_ready=True)
    supervisor.start()
    try:
        first = service.process
        run_until(supervisor, lambda: service.process is not first and is_running(service))
    finally:
        supervisor.stop()


def test_groups_stop_one_after_the_other(make: Make, tmp_path: Path) -> None:
    # The slowest group stops first: only an order that waits can write its name first.
    slow, quick = (
        make(name, NOTES_ITS_END.format(name=name, wait=wait)) for name, wait in (("gate", 0.6), ("relay", 0))
    )
    supervisor = Supervisor([[slow], [quick]], lambda _: None)
    supervisor.start()
    run_until(supervisor, lambda: all("up" in service.log.read_text() for service in (slow, quick)))
    supervisor.stop()
    assert (tmp_path / "notes").read_text() == "gate\nrelay\n"


def test_what_does_not_stop_in_time_is_killed_with_its_children(make: Make) -> None:
    stubborn = make(
        "stubborn",
        "import signal, subprocess, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\nprint(child.pid, flush=True)\nwhile True: time.sleep(1)",
    )
    supervisor = Supervisor([[stubborn]], lambda _: None, stop_timeout_s=0.5)
    supervisor.start()
    run_until(supervisor, lambda: bool(stubborn.log.read_text()))
    child = psutil.Process(int(stubborn.log.read_text()))
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 5
    assert not is_running(stubborn)
    assert not child.is_running()


def test_services_end_with_the_process_that_supervises_them(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from pathlib import Path
from ops.supervisor import Service, Supervisor
here = Path({str(tmp_path)!r})
service = Service(name="x", argv=["sleep", "600"], env=dict(os.environ), log=here / "x.log", record=here / "x.json")
Supervisor([[service]], print).start()
print(service.process.pid, flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as supervising:
        assert supervising.stdout is not None
        child = psutil.Process(int(supervising.stdout.readline()))
        assert child.is_running()
        supervising.kill()
    child.wait(5)
    assert not child.is_running()


def test_pauses_grow_to_a_limit_and_70_has_none_at_first() -> None:
    pauses = [pause_s(1, deaths) for deaths in range(1, 50)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_MAX_S
    assert [pause_s(70, deaths) for deaths in (1, 2, 3)] == [0, 0, 0]
    assert pause_s(70, 10) > 0


def test_an_exit_code_is_said_in_words() -> None:
    assert [meaning(code) for code in (71, -9, -200)] == ["exit 71", "killed by SIGKILL", "killed by signal 200"]


def test_a_child_that_cannot_be_started_is_tried_later_and_the_supervisor_lives_on(make: Make, tmp_path: Path) -> None:
    lines: list[str] = []
    service = make("fold", RUNS)
    supervisor = Supervisor([[service]], lines.append, is_ready=True)
    supervisor.start()
    try:
        assert service.process is not None
        service.record = tmp_path / "blocked" / "fold.json"
        service.record.parent.write_text("a file where a folder should be: no record can be written")
        service.process.kill()
        run_until(supervisor, lambda: any("cannot be started" in line for line in lines))
        assert not is_running(service)
        service.record.parent.unlink()
        service.record.parent.mkdir()
        run_until(supervisor, lambda: is_running(service) and service.record.exists())
    finally:
        supervisor.stop()
