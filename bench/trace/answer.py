"""What a contender of `jejak bench trace` answers: the time of each part, and what tells equal answers apart."""

import hashlib
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import msgspec
import numpy as np

from tracing.exposure import Ints
from tracing.rulesets import rule_of

RULE: Final = rule_of()


class Answer(msgspec.Struct, kw_only=True):
    """One run; `seconds` by part: load (Parquet), prepare (sort, index, start), ask."""

    seconds: dict[str, float] = {}
    cpu_s: float = 0.0  # of this process and those it started, for all parts
    peak_mib: int = 0
    rows: int = 0
    result: str = ""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part."""
        began = perf_counter()
        yield
        self.seconds[name] = round(perf_counter() - began, 4)

    def give(self, columns: Sequence[Ints]) -> None:
        """Take the rows, in whatever order, and print the answer; hashing is not timed."""
        self.say(len(columns[0]), hash_of_rows(columns))

    def say(self, rows: int, result: str) -> None:
        """Print the answer."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s = round(process_time() + children.ru_utime + children.ru_stime, 2)
        self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        self.rows, self.result = rows, result
        sys.stdout.write("\n" + msgspec.json.encode(self).decode() + "\n")


def hash_of_rows(columns: Sequence[Ints]) -> str:
    """Return a hash of rows of whole numbers that does not depend on their order."""
    table = np.column_stack([np.asarray(column, dtype=np.int64) for column in columns])
    rows = table[np.lexsort(table.T[::-1])]
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()[:16]


def mixed_sum(columns: Sequence[Any]) -> int:
    """Return a sum over rows that neither order nor parts change: for so many rows that they are not to be sorted."""
    total = np.zeros(len(columns[0]), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            total = (total ^ np.asarray(column).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            total ^= total >> np.uint64(29)
        return int(total.sum(dtype=np.uint64))


def folder_of_task() -> Path:
    """Return the folder with the town, the first argument of this process."""
    return Path(sys.argv[1])
