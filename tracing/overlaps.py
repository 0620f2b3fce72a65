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
_LATEST: Final = 1 << 61  # after every year
_KEY_MAX: Final = 1 << 62
_SHORTEST_BITS: Final = 32  # stays up to 2^32 microseconds (72 min) are one class; each doubling is one more


class Spans(NamedTuple):
    """Spans of time in facilities, microseconds since 1970; nothing overlaps an empty one (end ≤ start)."""

    facility: Ints
    start: Ints
    end: Ints


class Index:
    """Spans sorted once, to be asked many times.

    One number stands for (facility, start): the facility's place first, then the start's. What is asked is put into
    that order too, so that one search begins where the last ended, in memory that is near.
    """

    def __init__(self, spans: Spans, rows: Ints | None = None) -> None:
        """Sort the spans, or only these rows of them."""
        self.spans = spans
        rows = np.flatnonzero(spans.start < spans.end) if rows is None else rows[spans.start[rows] < spans.end[rows]]
        self._facilities = _distinct(spans.facility[rows])
        self._clock = _Clock(spans.start[rows], self._facilities.size)
        self._classes = [self._sorted_class(some) for some in _by_class(spans, rows)]

    def overlapping(self, ones: Spans, chunk: int = CHUNK) -> tuple[Ints, Ints]:
        """Return the rows (one, other) that share a facility for more than no time, by one, then other."""
        asked = self._asked(ones)
        found = [pair for stay in self._classes for pair in self._pairs_of_class(ones, asked, stay, chunk)]
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        one = np.concatenate([pair[0] for pair in found])
        other = np.concatenate([pair[1] for pair in found])
        order = np.lexsort((other, one))
        return one[order], other[order]

    def looked_at(self, ones: Spans) -> Ints:
        """Return how many pairs each of `ones` makes this look at: never fewer than it overlaps."""
        counts = np.zeros(ones.start.size, dtype=np.int64)
        asked = self._asked(ones)
        for stay in self._classes:
            low, high = self._ranges(ones, asked, stay)
            counts[asked] += high - low
        return counts

    def _pairs_of_class(self, ones: Spans, asked: Ints, stay: "_Class", chunk: int) -> Iterator[tuple[Ints, Ints]]:
        low, high = self._ranges(ones, asked, stay)
        for part in _parts(high - low, chunk):
            one, place = _expanded(asked[part], low[part], high[part] - low[part])
            other = stay.rows[place]
            overlaps = self.spans.end[other] > ones.start[one]
            yield one[overlaps], other[overlaps]

    def _sorted_class(self, rows: Ints) -> "_Class":
        start = self.spans.start[rows]
        keys = self._base(self.spans.facility[rows]) + self._clock.number(start)
        order = np.argsort(keys)
        return _Class(rows[order], keys[order], int((self.spans.end[rows] - start).max()))

    def _asked(self, ones: Spans) -> Ints:
        """Return the rows of `ones` that may overlap something, in the order of the index."""
        asked = np.flatnonzero((ones.start < ones.end) & np.isin(ones.facility, self._facilities))
        return asked[np.argsort(self._base(ones.facility[asked]) + self._clock.number(ones.start[asked]))]

    def _ranges(self, ones: Spans, asked: Ints, stay: "_Class") -> tuple[Ints, Ints]:
        """Return from where to where in the class each of the asked has to look."""
        base = self._base(ones.facility[asked])
        low = np.searchsorted(stay.keys, base + self._clock.number(ones.start[asked] - stay.longest + 1))
        return low, np.searchsorted(stay.keys, base + self._clock.number(ones.end[asked]))

    def _base(self, facility: Ints) -> Ints:
        return np.searchsorted(self._facilities, facility) * self._clock.width


def overlapping(ones: Spans, others: Spans, chunk: int = CHUNK) -> tuple[Ints, Ints]:
    """Return the rows (one, other) that share a facility for more than no time, by one, then other."""
    return Index(others).overlapping(ones, chunk)


def pairs_within(spans: Spans, least: int, chunk: int = CHUNK) -> Iterator[tuple[Ints, Ints]]:
    """Yield (one, other) of all rows that share a facility for at least `least`, each pair once, some at a time.

    `one` begins first. Nothing is looked at in vain: whoever is long enough himself, and begins in time before the
    end of `one`, is a pair. So the cost is the answer's.

    Args:
        spans: of anybody, in any order.
        least: more than zero.
        chunk: about how many pairs come together.
    """
    rows = np.flatnonzero(spans.end - spans.start >= least)
    facilities = _distinct(spans.facility[rows])
    clock = _Clock(spans.start[rows], facilities.size)
    base = np.searchsorted(facilities, spans.facility[rows]) * clock.width
    keys = base + clock.number(spans.start[rows])
    order = np.argsort(keys, kind="stable")
    rows, keys, base = rows[order], keys[order], base[order]
    places = np.arange(rows.size, dtype=np.int64)
    low, high = places + 1, np.searchsorted(keys, base + clock.number(spans.end[rows] - least + 1))
    counts = np.maximum(high - low, 0)
    for part in _parts(counts, chunk):
        one, other = _expanded(places[part], low[part], counts[part])
        yield rows[one], rows[other]


class _Class(NamedTuple):
    """Spans of about one length, in the order of facility, then start."""

    rows: Ints
    keys: Ints
    longest: int


class _Clock:
    """Numbers for instants: as far apart as they are, or, where facilities times years are too many, their ranks."""

    def __init__(self, starts: Ints, facilities: int) -> None:
        self._first = int(starts.min(initial=_LATEST))
        last = int(starts.max(initial=self._first))
        self.width = last - self._first + 2  # one more than any start's number
        self._instants: Ints | None = None
        if self.width * facilities >= _KEY_MAX:
            self._instants = np.unique(starts)
            self.width = self._instants.size + 1

    def number(self, at: Ints) -> Ints:
        """Return the number of the first start that is not before `at`; `width - 1` where there is none."""
        if self._instants is not None:
            return np.searchsorted(self._instants, at)
        return np.clip(at - self._first, 0, self.width - 1)


def _distinct(facility: Ints) -> Ints:
    """Return the values in order; small whole numbers, as files and tables have them, are not sorted for that."""
    if facility.size and facility.min() >= 0 and facility.max() <= 4 * facility.size:
        return np.flatnonzero(np.bincount(facility))
    return np.unique(facility)


def _by_class(spans: Spans, rows: Ints) -> Iterator[Ints]:
    length = spans.end[rows] - spans.start[rows]
    classes = np.maximum(np.ceil(np.log2(length)), _SHORTEST_BITS).astype(np.int8)
    for number in np.flatnonzero(np.bincount(classes)).tolist():
        yield rows[classes == number]


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
