"""The witness log: one JSON line before a request is sent and one with its answer, each on the disk before we go on.

A line that was written half when the power went is the last one and is left out by the reader. Standard library only.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OK: Final = "ok"
FAIL: Final = "fail"
UNKNOWN: Final = "unknown"


class Diary:
    """Appends lines to a log; safe to share between threads."""

    def __init__(self, path: Path, first: int = 1, *, sync: bool = True) -> None:
        self._sync = os.fsync if sync else _forget  # without: for a run that nobody kills
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._synced = threading.Condition()
        self._written = self._safe = 0
        self._syncing = False
        self._next = first

    def begin(self, **facts: Any) -> None:  # noqa: ANN401 — JSON
        """Write what the run is, once."""
        self._write({"begin": facts})

    def ask(self, op: str, what: Any) -> int:  # noqa: ANN401 — JSON
        """Write that a request is about to be sent; return its number."""
        with self._lock:
            number, self._next = self._next, self._next + 1
        self._write({"n": number, "t": time.time(), "op": op, "what": what})
        return number

    def answer(self, number: int, got: str, **more: Any) -> None:  # noqa: ANN401 — JSON
        """Write what came of a request."""
        self._write({"n": number, "t": time.time(), "got": got, **more})

    def close(self) -> None:
        """Close the log."""
        os.close(self._file)

    def _write(self, line: dict[str, Any]) -> None:
        """Write a line and return when it is on the disk; who waits at the same time shares one sync."""
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            self._written += 1
            mine = self._written
        with self._synced:
            while self._safe < mine:
                if self._syncing:
                    self._synced.wait()
                    continue
                self._syncing = True
                with self._lock:
                    reached = self._written
                self._synced.release()
                try:
                    self._sync(self._file)
                finally:
                    self._synced.acquire()
                    self._syncing = False
                    self._synced.notify_all()
                self._safe = max(self._safe, reached)


def _forget(_: int) -> None:
    """Leave it to the system when it writes."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log; one that is not whole ends it."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)
