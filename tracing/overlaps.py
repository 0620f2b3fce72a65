"""Which spans of one set overlap which of another, facility by facility: the join under every exposure.

The others are cut into classes by their length, as the visit tables are by stay: in a class whose longest is m, what
overlaps (a, b) begins after a - m, so one binary search finds it and little else. Cost: n log n and the answer.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Places: TypeAlias = npt.NDArray[np.int32]

CHUNK: Final = 1 << 17  # pairs looked at in one go, few enough to stay near the processor
PAIRS_CHUNK: Final = 1 << 16
FEW: Final = 512  # spans are one class: to look at all of them is cheaper than to look in many places
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

    def __init__(self, spans: Spans, rows: Ints | None = None, few: int = FEW) -> None:
        """Sort the spans, or only these rows of them; up to `few` are one class."""
        rows = np.flatnonzero(spans.start < spans.end) if rows is None else rows[spans.start[rows] < spans.end[rows]]
        self._facilities = _distinct(spans.facility[rows])
        self._clock = _Clock(spans.start[rows], self._facilities.size)
        self._classes = [self._sorted_class(spans, some) for some in _by_class(spans, rows, few)]

    def overlaps(
        self, ones: Spans, least: int = 1, chunk: int = CHUNK, persons: tuple[Ints, Ints] | None = None
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """Return (one, other, start, end) of all that share a facility for at least `least`, by one.

        Args:
            ones: who is asked about.
            least: more than zero.
            chunk: how many pairs are looked at in one go.
            persons: of `ones` and of the others, where nobody is to meet himself.
        """
        asked, near = self._asked(ones)
        looks = [self._look(ones, asked, near, stay) for stay in self._classes]
        work = np.zeros_like(asked)
        for look in looks:
            work += look.counts
        start, end = ones.start[asked], ones.end[asked]
        # Room for all that is looked at, of which only what is found is ever touched.
        found = [np.empty(int(work.sum()), dtype=np.int64) for _ in range(4)]
        done = 0
        for part in _parts(work, chunk):
            some = [look.found(part, start[part], end[part], least) for look in looks]
            place, other, begin, until = (np.concatenate(columns) for columns in zip(*some, strict=True))
            one = asked[part][place]
            order = np.argsort(place, kind="stable")  # a few runs, one for each class
            if persons is not None:
                order = order[(persons[0][one] != persons[1][other])[order]]
            for column, values in zip(found, (one, other, begin, until), strict=True):
                column[done : done + order.size] = values[order]
            done += order.size
        one, other, begin, until = (column[:done] for column in found)
        return one, other, begin, until

    def looked_at(self, ones: Spans) -> Ints:
        """Return how many pairs each of `ones` makes this look at: never fewer than it overlaps."""
        counts = np.zeros(ones.start.size, dtype=np.int64)
        asked, near = self._asked(ones)
        for stay in self._classes:
            counts[asked] += self._look(ones, asked, near, stay).counts
        return counts

    def _look(self, ones: Spans, asked: Ints, near: Ints, stay: "_Class") -> "_Look":
        """Return where each of the asked has to look; searched for in the order of the index, where all is near."""
        rows = asked[near]
        base = self._base(ones.facility[rows])
        low = np.searchsorted(stay.keys, base + self._clock.number(ones.start[rows] - stay.longest + 1))
        high = np.searchsorted(stay.keys, base + self._clock.number(ones.end[rows]))
        first, counts = np.empty_like(low), np.empty_like(low)
        first[near], counts[near] = low, high - low
        return _Look(stay, first, counts)

    def _sorted_class(self, spans: Spans, rows: Ints) -> "_Class":
        keys = self._base(spans.facility[rows]) + self._clock.number(spans.start[rows])
        order = np.argsort(keys, kind="stable")  # fastest where the visits come by time
        rows = rows[order]
        start, end = spans.start[rows], spans.end[rows]
        return _Class(rows, keys[order], start, end, int((end - start).max()))

    def _asked(self, ones: Spans) -> tuple[Ints, Ints]:
        """Return the rows of `ones` that may overlap something, and their places in the order of the index."""
        asked = np.flatnonzero((ones.start < ones.end) & np.isin(ones.facility, self._facilities))
        return asked, np.argsort(self._base(ones.facility[asked]) + self._clock.number(ones.start[asked]))

    def _base(self, facility: Ints) -> Ints:
        return np.searchsorted(self._facilities, facility) * self._clock.width


def overlapping(ones: Spans, others: Spans) -> tuple[Ints, Ints]:
    """Return the rows (one, other) that share a facility for more than no time, by one."""
    return Index(others).overlaps(ones)[:2]


class Together:
    """All pairs of spans that share a facility for at least so long, sorted once; a pair is two places in `rows`.

    Nothing is looked at in vain: whoever is long enough himself, and begins in time before the end of one who began
    earlier, makes a pair with him. All of these stand behind one another, so the cost is that of writing the answer.
    """

    def __init__(self, spans: Spans, least: int, person: Ints | None = None) -> None:
        """Sort the spans that are long enough.

        Args:
            spans: of anybody, in any order.
            least: more than zero.
            person: whose each is, where pairs of one person with himself are to be left out.
        """
        rows = np.flatnonzero(spans.end - spans.start >= least)
        facilities = _distinct(spans.facility[rows])
        clock = _Clock(spans.start[rows], facilities.size)
        base = np.searchsorted(facilities, spans.facility[rows]) * clock.width
        keys = base + clock.number(spans.start[rows])
        order = np.argsort(keys, kind="stable")
        rows, keys, base = rows[order], keys[order], base[order]
        last = np.searchsorted(keys, base + clock.number(spans.end[rows] - least + 1))
        self.rows = rows
        self._counts = np.maximum(last - np.arange(1, rows.size + 1), 0)
        self._ends = np.cumsum(self._counts)
        self._left_out = np.empty(0, dtype=np.int64)
        if person is not None:
            self._left_out = self._of_one_person(base, person[rows])

    @property
    def size(self) -> int:
        """Return how many pairs there are."""
        return int(self._counts.sum()) - self._left_out.size

    def pairs(self, chunk: int = PAIRS_CHUNK) -> Iterator[tuple[Places, Places]]:
        """Yield (one, other), each pair once, about `chunk` at a time; `one` begins first."""
        steps = np.empty(0, dtype=np.int32)
        for part in _parts(self._counts, chunk):
            counts, ends = self._counts[part], self._ends[part]
            before, size = int(ends[0] - counts[0]), int(ends[-1] - ends[0] + counts[0])
            if steps.size < size:
                steps = np.arange(size, dtype=np.int32)
            place = np.arange(part.start, part.stop, dtype=np.int32)
            shift = place + 1 - (ends - counts - before)
            one, other = np.repeat(place, counts), np.repeat(shift.astype(np.int32), counts)
            other += steps[:size]
            low, high = np.searchsorted(self._left_out, [before, before + size])
            if low < high:
                left_out = self._left_out[low:high] - before
                one, other = np.delete(one, left_out), np.delete(other, left_out)
            yield one, other

    def _of_one_person(self, base: Ints, person: Ints) -> Ints:
        """Return the numbers of the pairs of one person, in the order of the pairs.

        In the order of place, a person's next span but one is with him only if the next one is.
        """
        order = np.lexsort((person, base))  # stable: of one facility and person, by place
        base, person = base[order], person[order]
        found = [np.empty(0, dtype=np.int64)]
        for step in range(1, order.size):
            same = (person[step:] == person[:-step]) & (base[step:] == base[:-step])
            one, other = order[:-step][same], order[step:][same]
            near = other - one <= self._counts[one]
            if not near.any():
                break
            one, other = one[near], other[near]
            found.append(self._ends[one] - self._counts[one] + other - one - 1)
        return np.sort(np.concatenate(found))


class _Class(NamedTuple):
    """Spans of about one length, by facility, then start; with both ends beside, so that they are read in turn."""

    rows: Ints
    keys: Ints
    start: Ints
    end: Ints
    longest: int


class _Look(NamedTuple):
    """From where and how far each of the asked looks in a class."""

    stay: _Class
    first: Ints
    counts: Ints

    def found(self, part: slice, start: Ints, end: Ints, least: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Return (place in the part, other, from when to when) of the overlaps of some of the asked.

        Args:
            part: which of them.
            start: theirs.
            end: theirs.
            least: the shortest overlap.
        """
        counts, stay = self.counts[part], self.stay
        one, place = _expanded(np.arange(counts.size, dtype=np.int64), self.first[part], counts)
        begin = np.maximum(stay.start[place], start[one])
        until = np.minimum(stay.end[place], end[one])
        kept = np.flatnonzero(until - begin >= least)
        return one[kept], stay.rows[place[kept]], begin[kept], until[kept]


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


def _by_class(spans: Spans, rows: Ints, few: int) -> Iterator[Ints]:
    if rows.size <= few:
        yield from [rows] * bool(rows.size)
        return
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
