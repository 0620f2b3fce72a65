"""One run of one contender: started, timed, its result hashed; nothing of it is left."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Final, NamedTuple

import msgspec
import psutil

from bench.contract import Answer, Task, hash_of
from bench.place import Place
from bench.roster import Contender
from bench.store import progress, result_lines, watching
from bench.tools import ROOT
from ops.processes import kill_tree, last_line
from schemas.errors import Unavailable
from schemas.settings import Settings

TIMEOUT_S: Final = 400.0
POLL_S: Final = 0.01


class Run(NamedTuple):
    """What one run took, and the hash of its result."""

    answer: Answer
    result: str


class Failed(Unavailable):
    """A contender ended without an answer."""


def run_in_memory(contender: Contender, task: Task, env: dict[str, str]) -> Run:
    """Run a contender whose result is a file."""
    answer = _run(contender, task, env)
    return Run(answer, hash_of(Path(task.out).read_text().splitlines()) if contender.has_result else "")


def run_durable(contender: Contender, place: Place, events: int, facilities: int) -> Run:
    """Run a contender whose result is in a database of its own."""
    with place.database(facilities) as settings:
        if contender.module or contender.java:
            task = place.task("scan.v1", events, settings.database)
            answer = _run(contender, task, place.environment(settings))
        else:
            answer = fold_with_workers(place, settings, events)[0]
        return Run(answer, hash_of(result_lines(settings)))


def fold_with_workers(
    place: Place, settings: Settings, events: int, workers: int = 1
) -> tuple[Answer, list[tuple[float, int]]]:
    """Let the product's workers fold scan.v1; return what it took, and how far they were at which second.

    Watched from outside, by the position the fold commits: from when the positions are opened to the last commit.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(worker_running(place, settings, slot)) for slot in range(workers)]
        return _watch(settings, events, started)


@contextmanager
def worker_running(place: Place, settings: Settings, slot: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the product's visits workers; it is stopped at the end."""
    with (settings.home / "logs" / f"bench-worker-{slot}.log").open("wb") as log:
        process = subprocess.Popen(
            place.command("worker", "visits", "--slot", str(slot)),
            cwd=ROOT,
            env=place.environment(settings),
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            kill_tree(process.pid)
            process.wait()


def _watch(
    settings: Settings, events: int, workers: list[subprocess.Popen[bytes]]
) -> tuple[Answer, list[tuple[float, int]]]:
    deadline = monotonic() + TIMEOUT_S
    begin = cpu = half = 0.0
    done = 0
    timeline: list[tuple[float, int]] = []
    with watching(settings) as conn:
        while done < events:
            opened, done = progress(conn)
            now = perf_counter()
            if not begin and opened == settings.partitions:
                begin, cpu = now, _cpu_s(workers)
            if begin and (not timeline or timeline[-1][1] != done):
                timeline.append((now - begin, done))
            if not half and done >= events // 2:
                half = now
            if monotonic() > deadline or any(worker.poll() is not None for worker in workers):
                log = settings.home / "logs" / "bench-worker-0.log"
                raise Failed(f"the workers stopped at {done:,} of {events:,} scans: {last_line(log)}")
            sleep(POLL_S)
        end, cpu = timeline[-1][0], _cpu_s(workers) - cpu
    answer = Answer(events=done, seconds=end, second_half_s=max(1e-6, begin + end - half), cpu_s=cpu)
    return answer, timeline


def _cpu_s(workers: list[subprocess.Popen[bytes]]) -> float:
    used = [psutil.Process(worker.pid).cpu_times() for worker in workers]
    return sum(times.user + times.system for times in used)


def _run(contender: Contender, task: Task, env: dict[str, str]) -> Answer:
    path = Path(task.folder) / "task.json"
    path.write_bytes(msgspec.json.encode(task))
    with (Path(task.folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [*contender.command(), str(path)],
            cwd=ROOT,
            env=env | {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            out, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            out = b""
        finally:
            kill_tree(process.pid)
            process.wait()
    lines = out.strip().splitlines()
    try:
        return msgspec.json.decode(lines[-1], type=Answer)
    except (IndexError, msgspec.MsgspecError):
        said = (Path(task.folder) / "log").read_text(errors="replace").strip().splitlines()
        last = said[-1] if said else f"exit {process.returncode}"
        raise Failed(f"{contender.name} gave no answer: {last}") from None
