"""Keeps processes running: starts again what dies, and at the end stops all in their order.

What an exit code says: 70 begin again at once; 72 do not, somebody must look first; 2 before it was ever ready: the
installation is wrong, and trying again would not help; anything else: again, after a growing pause.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import psutil

from ops.embedded.daemon import Record
from ops.processes import kill_tree, last_line, open_log, spawn
from ops.secrets import write_private
from schemas.errors import GapInLog, JejakError, LogReplaced

PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 3.0
STEADY_S = 10.0  # who ran this long had work in hand: it is no loop of failing starts, and earlier deaths are forgiven
AT_ONCE_MAX = 3  # so often in a row; a worker that can do nothing but ask for a restart must not spin
STOP_TIMEOUT_S = 20.0
TICK_S = 0.1


class Child(Protocol):
    """A process to keep: one of our services, or an embedded server."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running process, or the one that ran last."""

    def start(self) -> None:
        """Start it, again if it died."""

    def ask_to_stop(self) -> None:
        """Tell it to stop."""

    def stop(self, timeout_s: float) -> None:
        """Wait until it stopped; kill it when it takes longer."""


@dataclass(kw_only=True)
class Service:
    """One of our own processes, with a log file of its own."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    record: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and remember it, as `Daemon` does."""
        with open_log(self.log) as log:
            self.process = spawn(self.argv, log=log, env=self.env, last_signal=signal.SIGTERM)
        started = psutil.Process(self.process.pid).create_time()
        record = Record(self.name, self.process.pid, started, 0, int(signal.SIGTERM))
        write_private(self.record, msgspec.json.encode(record).decode())

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Wait until it is gone, then forget it."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_tree(self.process.pid)
            self.process.wait()
        self.record.unlink(missing_ok=True)

    def last_words(self) -> str:
        """Return the last line of its log."""
        return last_line(self.log)


@dataclass
class _Care:
    """What the supervisor knows of one child."""

    child: Child
    started: float = 0.0
    deaths: int = 0  # in a row, none of them after a steady run
    again_at: float | None = None
    left_alone: bool = False


@dataclass
class Supervisor:
    """Runs groups of children; the first group is stopped first and started last.

    The calling thread must live as long as the children: they end with it.
    """

    groups: Sequence[Sequence[Child]]
    say: Callable[[str], None]
    stop_timeout_s: float = STOP_TIMEOUT_S
    is_ready: bool = False  # set by the caller, once all has been seen to work
    refused: Child | None = None  # ended with 2 before all was ready
    _cares: list[_Care] = field(default_factory=list)

    def start(self) -> None:
        """Start all that do not run yet, the last group first."""
        now = time.monotonic()
        for group in reversed(self.groups):
            for child in group:
                if child.process is None or child.process.poll() is not None:
                    child.start()
                self._cares.append(_Care(child, started=now))

    def run(self, until: Callable[[], bool]) -> None:
        """Look after the children until `until` says so, or one has refused to run."""
        while self.refused is None and not until():
            self.tick()
            time.sleep(TICK_S)

    def tick(self) -> None:
        """Look once at every child; start again those whose pause is over."""
        now = time.monotonic()
        for care in self._cares:
            process = care.child.process
            if care.left_alone or process is None:
                continue
            if care.again_at is None and process.poll() is not None:
                self._mourn(care, process.returncode, now)
            if care.again_at is not None and now >= care.again_at:
                self._start_again(care, now)

    def stop(self) -> None:
        """Stop all, group after group; kill what does not stop in time."""
        for group in self.groups:
            for child in group:
                child.ask_to_stop()
            deadline = time.monotonic() + self.stop_timeout_s
            for child in group:
                child.stop(max(0.1, deadline - time.monotonic()))

    def _start_again(self, care: _Care, now: float) -> None:
        """Start a child; where the system refuses (a full disk has no room for its record) try later, and live on."""
        care.again_at, care.started = None, now
        try:
            care.child.start()
        except OSError as error:
            process = care.child.process
            if process is not None and process.poll() is None:  # it runs, but nobody could find it later
                kill_tree(process.pid)
                process.wait()
            care.deaths += 1
            pause = pause_s(1, care.deaths)
            care.again_at = now + pause
            self.say(f"{care.child.name} cannot be started ({error.strerror}); again in {pause:.1f} s")

    def _mourn(self, care: _Care, code: int, now: float) -> None:
        name = care.child.name
        if code == LogReplaced.exit_code:
            care.left_alone = True
            self.say(
                f"{name} ended with {code}: its log is another one or lost records. Not restarted; see `jejak doctor`"
            )
            return
        if code == JejakError.exit_code and not self.is_ready:
            care.left_alone = True
            self.refused = care.child
            return
        care.deaths = 1 if now - care.started >= STEADY_S else care.deaths + 1
        pause = pause_s(code, care.deaths)
        care.again_at = now + pause
        self.say(f"{name} ended ({meaning(code)}); again " + (f"in {pause:.1f} s" if pause else "at once"))


def pause_s(code: int, deaths: int) -> float:
    """Return how long to wait before the next start, after so many deaths in a row."""
    if code == GapInLog.exit_code and deaths <= AT_ONCE_MAX:
        return 0.0
    return float(min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** min(deaths - 1, 10)))


def meaning(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
