"""What a contender is told, and what it answers: the same for all, in whatever language.

Told: a JSON file. Answered: the last line of stdout, and, where the work is in memory, a file of result lines.
Time runs from the moment the partitions are known (or the first record comes) to the last record done.
"""

import gc
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from schemas.settings import Settings

GC_THRESHOLDS: Final = (100_000, 20, 50)
USER: Final = "admin"  # may read and write everything: peers make topics of their own


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one contender; numbers are text where Java reads them."""

    kafka: str
    database: str
    home: str
    secrets: str
    topic: str
    group: str  # of consumers; new for every run
    folder: str  # the run's own
    out: str  # where the result lines go
    events: int
    partitions: int
    threads: int = 2
    user: str = USER

    def settings(self) -> Settings:
        """Return the product's settings for this run."""
        return Settings(
            home=Path(self.home),
            kafka=self.kafka,
            database=self.database,
            secrets=self.secrets,
            partitions=self.partitions,
        )


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one run took."""

    events: int
    seconds: float
    second_half_s: float
    cpu_s: float

    def rate(self) -> float:
        """Return events per second."""
        return self.events / self.seconds

    def warm_rate(self) -> float:
        """Return events per second over the second half; 0: not known."""
        return self.events / 2 / self.second_half_s if self.second_half_s else 0.0


class Stopwatch:
    """Times a run inside its process."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen = 0
        self._start = self._half = self._end = 0.0
        self._cpu = 0.0

    def start(self) -> None:
        """Begin, once; later calls change nothing."""
        if not self._start:
            self._cpu = time.process_time()
            self._start = time.perf_counter()

    def count(self, records: int) -> bool:
        """Count records that are done; say whether all are."""
        before, self._seen = self._seen, self._seen + records
        if before < self._total // 2 <= self._seen < self._total:
            self._half = time.perf_counter()
        if self._seen >= self._total and not self._end:
            self._end = time.perf_counter()
            self._cpu = time.process_time() - self._cpu
        return self._seen >= self._total

    def answer(self) -> Answer:
        """Return what the run took."""
        return Answer(
            events=self._seen,
            seconds=self._end - self._start,
            second_half_s=self._end - self._half if self._half else 0.0,
            cpu_s=self._cpu,
        )


def read_task() -> Task:
    """Return the task named by the last argument of this process.

    Also sets the garbage collector as our worker does: what helps ours helps every contender in Python.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return msgspec.json.decode(Path(sys.argv[-1]).read_bytes(), type=Task)


def say(watch: Stopwatch) -> None:
    """Print the answer."""
    sys.stdout.write("\n" + msgspec.json.encode(watch.answer()).decode() + "\n")
    sys.stdout.flush()


def hash_of(lines: Iterable[str]) -> str:
    """Return the hash of result lines, whatever order they came in."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
