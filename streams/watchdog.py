"""Ends a worker that stands still while records wait: a stuck stream is only logged by Faust, nobody restarts it.

A thread of its own, because what it watches is the event loop. Time spent waiting for a database that is away does
not count: that ends by itself, with its own exit code. Neither does a trace being run, for so long as one may take.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import get_ident
from time import monotonic
from typing import Final, NoReturn

import structlog

STALL_S: Final = 8.0
RUN_MAX_S: Final = 120.0  # a trace of a whole hospital's staff takes its time; after that it stands still
_log = structlog.get_logger(__name__)


class Progress:
    """What is known of a worker's progress; written by the loop and the database threads, read by the watchdog."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, int], int] = {}  # partition: the next offset to fold
        self.lag = 0  # records in the log not yet folded, as the loop last saw it
        self._moved_at = monotonic()
        self._beat_at = monotonic()
        self._excused: dict[int, tuple[float, str]] = {}  # by thread: until when, and what it waits for
        self._begun: dict[int, float] = {}  # by thread: when what it has in hand last went on

    def made(self) -> None:
        """Something was folded, or there is nothing to fold."""
        self._moved_at = monotonic()
        if get_ident() in self._begun:
            self._begun[get_ident()] = self._moved_at

    @contextmanager
    def working(self) -> Iterator[None]:
        """In here this thread has a batch in hand: it stands still when that does not end, whatever others do."""
        self._begun[get_ident()] = monotonic()
        try:
            yield
        finally:
            del self._begun[get_ident()]

    def beat(self, lag: int) -> None:
        """The event loop turns, and sees this lag."""
        self.lag = lag
        self._beat_at = monotonic()
        if not lag:
            self.made()

    @contextmanager
    def excused(self, waits_for: str = "", for_s: float = inf) -> Iterator[None]:
        """Time in here does not count as standing still, for so long; what is waited for is no progress either."""
        before = self._excused.get(get_ident())
        self._excused[get_ident()] = monotonic() + for_s, waits_for
        try:
            yield
        finally:
            if before is None:
                del self._excused[get_ident()]
            else:
                self._excused[get_ident()] = before
            self.made()

    def is_excused(self) -> bool:
        """Return whether some thread may take its time now."""
        return any(monotonic() < until for until, _ in list(self._excused.values()))

    def waits_for(self) -> str:
        """Return what the work waits for outside of this process; empty: nothing."""
        return next((what for _, what in list(self._excused.values()) if what), "")

    def stalled_s(self) -> float:
        """Return for how long records have waited without progress, or the loop has not turned."""
        now = monotonic()
        still = [now - self._beat_at]
        if self.lag:
            excused = {thread for thread, (until, _) in list(self._excused.items()) if now < until}
            still += [now - begun for thread, begun in list(self._begun.items()) if thread not in excused]
            if not excused:
                still.append(now - self._moved_at)
        return max(still)


def watch(progress: Progress, name: str) -> None:
    """Start the thread that ends this process with 1 when it stands still for 8 s."""
    threading.Thread(target=_watch, args=(progress, name), name="watchdog", daemon=True).start()


def _watch(progress: Progress, name: str) -> NoReturn:
    pause = threading.Event()
    while progress.stalled_s() < STALL_S:
        pause.wait(1.0)
    _log.error("no progress although records wait", worker=name, lag=progress.lag)
    os._exit(1)  # the loop may be what hangs; everything of record is in a transaction or not at all
