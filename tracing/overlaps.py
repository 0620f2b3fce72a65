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


class Index:
    """Spans sorted once, to be asked many times."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self._classes = [_sorted_class(spans, rows) for rows in _by_class(spans) if rows.size]

    def overlapping(self, ones: Spans, chunk: int = CHUNK) -> tuple[Ints, Ints]:
        """Return the rows (one, other) that share a facility for more than no time, by one, then other."""
        found = [pair for stay in self._classes for pair in self._pairs_of_class(ones, stay, chunk)]
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        one = np.concatenate([pair[0] for pair in found])
        other = np.concatenate([pair[1] for pair in found])
        order = np.lexsort((other, one))
        return one[order], other[order]

    def looked_at(self, ones: Spans) -> Ints:
        """Return how many pairs each of `ones` makes this look at: never fewer than it overlaps."""
        counts = np.zeros(ones.start.size, dtype=np.int64)
        for stay in self._classes:
            asked, low, high = _ranges(ones, stay)
            counts[asked] += high - low
        return counts

    def _pairs_of_class(self, ones: Spans, stay: "_Class", chunk: int) -> Iterator[tuple[Ints, Ints]]:
        asked, low, high = _ranges(ones, stay)
        for part in _parts(high - low, chunk):
            one, place = _expanded(asked[part], low[part], high[part] - low[part])
            other = stay.rows[place]
            overlaps = self.spans.end[other] > ones.start[one]
            yield one[overlaps], other[overlaps]


def overlapping(ones: Spans, others: Spans, chunk: int = CHUNK) -> tuple[Ints, Ints]:
    """Return the rows (one, other) that share a facility for more than no time, by one, then other."""
    return Index(others).overlapping(ones, chunk)


class _Class(NamedTuple):
    """Spans of about one length, in the order of facility, then start."""

    rows: Ints
    keys: Ints  # one number for (facility, start): facility's rank first, then the rank of the start
    facilities: Ints
    instants: Ints
    longest: int


def _by_class(others: Spans) -> Iterator[Ints]:
    length = others.end - others.start
    classes = np.maximum(np.ceil(np.log2(np.maximum(length, 1))), _SHORTEST_BITS)
    for number in np.unique(classes):
        yield np.flatnonzero((classes == number) & (length > 0))


def _sorted_class(spans: Spans, rows: Ints) -> _Class:
    start, facility = spans.start[rows], spans.facility[rows]
    longest = int((spans.end[rows] - start).max())
    instants, facilities = np.unique(start), np.unique(facility)
    keys = np.searchsorted(facilities, facility) * instants.size
    keys += np.searchsorted(instants, start)
    order = np.argsort(keys, kind="stable")
    return _Class(rows[order], keys[order], facilities, instants, longest)


def _ranges(ones: Spans, stay: _Class) -> tuple[Ints, Ints, Ints]:
    """Return the rows of `ones` that may overlap some of the class, and for each from where to where to look."""
    asked = np.flatnonzero((ones.start < ones.end) & np.isin(ones.facility, stay.facilities))
    base = np.searchsorted(stay.facilities, ones.facility[asked]) * stay.instants.size
    first = np.searchsorted(stay.instants, ones.start[asked] - stay.longest, side="right")
    low = np.searchsorted(stay.keys, base + first)
    high = np.searchsorted(stay.keys, base + np.searchsorted(stay.instants, ones.end[asked]))
    return asked, low, high


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
