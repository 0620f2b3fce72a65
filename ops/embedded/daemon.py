"""One server process of ours: it cannot outlive us, and what is written down of it lets a later run find it."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from ops.processes import is_same_process, kill_tree, open_log, spawn
from ops.secrets import write_private
from schemas.errors import Unavailable

STOP_TIMEOUT_S = 20.0
POLL_S = 0.02
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}  # ours stays ours: it may hold secrets
TELLING = ("FATAL", "PANIC", "ERROR", "Exception", "error:")


class Record(msgspec.Struct, frozen=True):
    """What `run/<name>.json` holds; pid and start time together name a process for good."""

    name: str
    pid: int
    started: float
    port: int
    stop_signal: int


@dataclass(kw_only=True)
class Daemon:
    """A server process: `start`, `wait_ready`, `stop`; `start` again after it died."""

    name: str
    argv: Sequence[str]
    port: int
    log: Path
    record: Path
    stop_signal: signal.Signals
    is_ready: Callable[["Daemon"], bool]
    before_start: Callable[[], None] = lambda: None
    cwd: Path | None = None
    uid: int | None = None
    gid: int | None = None
    process: subprocess.Popen[bytes] | None = None
    log_from: int = 0

    def start(self) -> None:
        """Start the process and remember it; its output goes to the log."""
        self.before_start()
        with open_log(self.log) as log:
            self.log_from = self.log.stat().st_size
            self.process = spawn(
                self.argv,
                log=log,
                env=ENVIRONMENT,
                last_signal=self.stop_signal,
                cwd=self.cwd,
                uid=self.uid,
                gid=self.gid,
            )
        pid = self.process.pid
        record = Record(self.name, pid, psutil.Process(pid).create_time(), self.port, int(self.stop_signal))
        write_private(self.record, msgspec.json.encode(record).decode())

    def is_alive(self) -> bool:
        """Say whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the server answers.

        Raises:
            Unavailable: it ended or did not come up in time; the message holds the last telling line of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready(self):
            if not self.is_alive():
                raise Unavailable(f"{self.name} ended while starting: {self.last_words()} (log: {self.log})")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} is not up in {timeout_s:.0f} s: {self.last_words()} (log: {self.log})")
            time.sleep(POLL_S)

    def ask_to_stop(self) -> None:
        """Send the stop signal, if it runs."""
        if self.process is not None and self.is_alive():
            self.process.send_signal(self.stop_signal)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop it, kindly first; return when it is gone."""
        if self.process is None:
            return
        self.ask_to_stop()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_tree(self.process.pid)
            self.process.wait()
        self.record.unlink(missing_ok=True)

    def new_log(self) -> str:
        """Return what it has logged since this start."""
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return file.read().decode(errors="replace")

    def last_words(self) -> str:
        """Return the line of the log that most likely says why it does not run."""
        text = self.new_log()
        if "No space left on device" in text:
            return "the disk is full"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if any(word in line for word in TELLING)]
        return (telling or lines or ["no output"])[-1][:300]


def read_record(path: Path) -> Record | None:
    """Return a record whose process still runs, else None."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
    return record if is_same_process(record.pid, record.started) else None


def stop_orphan(path: Path) -> Record | None:
    """Stop the process a killed run left behind, if it still runs; return its record."""
    record = read_record(path)
    if record is not None:
        process = psutil.Process(record.pid)
        family = [*process.children(recursive=True), process]
        process.send_signal(record.stop_signal)
        _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
        for left in alive:
            kill_tree(left.pid)
    path.unlink(missing_ok=True)
    return record
