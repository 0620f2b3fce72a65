"""Which spans of one set overlap which of another, facility by facility: the join under every exposure.

The others are cut into classes by their length, as the visit tables are by stay: in a class whose longest is m, what
overlaps (a, b) begins after a - m, so one binary search finds it and little else. Cost: n log n and the answer.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]

CHUNK: Final = 4_000_000  # pairs looked at in one go: memory, not meaning
_SHORTEST_BITS: Final = 32  # stays up to 2^32 microseconds (72 min) are one class; each doubling is one more


class Spans(NamedTuple):
    """Spans of time in facilities, microseconds since 1970; nothing overlaps an empty one (end ≤ start)."""

    facility: Ints
    start: Ints
    end: Ints


def overlapping(ones: Spans, others: Spans, chunk: int = CHUNK) -> tuple[Ints, Ints]:
    """Return the rows (one, other) that share a facility for more than no time, by one, then other."""
    found = [pair for pairs in _by_class(others) for pair in _pairs_of_class(ones, others, pairs, chunk)]
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    one = np.concatenate([pair[0] for pair in found])
    other = np.concatenate([pair[1] for pair in found])
    order = np.lexsort((other, one))
    return one[order], other[order]


def _by_class(others: Spans) -> Iterator[Ints]:
    length = others.end - others.start
    classes = np.maximum(np.ceil(np.log2(np.maximum(length, 1))), _SHORTEST_BITS)
    for number in np.unique(classes):
        yield np.flatnonzero((classes == number) & (length > 0))


def _pairs_of_class(ones: Spans, others: Spans, rows: Ints, chunk: int) -> Iterator[tuple[Ints, Ints]]:
    if not rows.size:
        return
    longest = int((others.end[rows] - others.start[rows]).max())
    instants = np.unique(others.start[rows])
    facilities = np.unique(others.facility[rows])
    # One number for (facility, start): facility's rank first, then the rank of the start.
    keys = np.searchsorted(facilities, others.facility[rows]) * instants.size
    keys += np.searchsorted(instants, others.start[rows])
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    asked = np.flatnonzero((ones.start < ones.end) & np.isin(ones.facility, facilities))
    base = np.searchsorted(facilities, ones.facility[asked]) * instants.size
    low = np.searchsorted(keys, base + np.searchsorted(instants, ones.start[asked] - longest, side="right"))
    high = np.searchsorted(keys, base + np.searchsorted(instants, ones.end[asked]))
    for part in _parts(high - low, chunk):
        one, place = _expanded(asked[part], low[part], high[part] - low[part])
        other = rows[place]
        overlaps = others.end[other] > ones.start[one]
        yield one[overlaps], other[overlaps]


def _parts(counts: Ints, chunk: int) -> Iterator[slice]:
    """Yield slices of at most about `chunk` pairs."""
    ends = np.cumsum(counts)
    first = 0
    while first < counts.size:
        done = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, done + chunk, side="right")), first + 1)
        yield slice(first, last)
        first = last


def _expanded(ones: Ints, low: Ints, counts: Ints) -> tuple[Ints, Ints]:
    one = np.repeat(ones, counts)
    begins = np.cumsum(counts) - counts
    place = np.arange(one.size, dtype=np.int64) - np.repeat(begins - low, counts)
    return one, place
