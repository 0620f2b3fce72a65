"""What went on around a meeting: how many were there, who else came and left. Counted by whole clock hours.

By hours, because that is what a server keeps of every facility (`facility_hour`): a file and a server say the same.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tracing.exposure import Flags, Ints, Visits
from tracing.instants import HOUR_US

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]
DAY_HOURS: Final = 24  # around an arrival or a leaving: what share of a day's falls into the hours of both
EXTRA: Final = 2
THE_TWO: Final = 2  # themselves: never fewer, even where a server no longer keeps an hour
BEFORE_HOURS: Final = 11  # of these, the hours before that in which the first of both came or left
CELLS_MIN: Final = 1 << 20
CELLS_PER_VISIT: Final = 5  # memory: 16 bytes each
_LATEST: Final = 1 << 61  # after every year


class Meetings(NamedTuple):
    """Two persons' visits to one facility that share some time: rows of the visits, and from when to when it counts."""

    one: Ints
    other: Ints
    start: Ints
    end: Ints


class Around(NamedTuple):
    """What was counted around each meeting."""

    crowd: Floats  # persons present, the mean of the clock hours that the meeting touches
    arrivals: Floats  # check-ins a minute in the hours from the first arrival to the second, as a share of the day's
    leavings: Floats  # check-outs likewise


class Hours:
    """Check-ins and check-outs of every facility, counted by clock hour once, to be asked many times.

    Whatever is asked is asked for whole hours, so a few sums per facility and hour are all that is kept.
    """

    def __init__(self, visits: Visits, facilities: Ints | None = None) -> None:
        """Count the visits of all facilities, or of some; facilities are numbered from 0."""
        self._visits = visits
        some = np.flatnonzero(np.bincount(visits.facility if facilities is None else facilities))
        self._number = np.full(int(visits.facility.max(initial=-1)) + 1, -1, dtype=np.int64)
        self._number[some] = np.arange(some.size)
        number = self._number[visits.facility]
        rows = slice(None) if facilities is None else np.flatnonzero(number >= 0)
        number, came, left = number[rows], visits.check_in[rows], visits.check_out[rows]
        self._first = int(came.min(initial=_LATEST)) // HOUR_US
        last = int(left.max(initial=0)) // HOUR_US
        self._width = max(last - self._first, 0) + 2  # one more than the last in which something happened
        self._cells: Cells = _Counted(number * self._width - self._first, came, left, some.size * self._width)

    def knows(self, facilities: Ints) -> bool:
        """Say whether these facilities were counted."""
        return bool((self._number[facilities] >= 0).all())

    def around(self, met: Meetings) -> Around:
        """Return what was counted around each meeting."""
        visits, cells = self._visits, self._cells
        base = self._number[visits.facility[met.one]] * self._width
        begin, end = met.start // HOUR_US, -(-np.maximum(met.end, met.start + 1) // HOUR_US)
        present = self._person_us(base, end) - self._person_us(base, begin)
        came = visits.check_in[met.one], visits.check_in[met.other]
        left = visits.check_out[met.one], visits.check_out[met.other]
        crowd = present / ((end - begin) * HOUR_US)
        return Around(crowd, self._share(cells.came, base, came), self._share(cells.left, base, left))

    def _person_us(self, base: Ints, hour: Ints) -> Ints:
        """Return the time that everybody together had spent there; sums wrap around, their differences are exact."""
        place, cells = self._place(base, hour), self._cells
        time: Ints = (cells.came[place] - cells.left[place]) * (hour * HOUR_US) - cells.times[place]
        return time

    def _share(self, counted: Counts | Ints, base: Ints, ends: tuple[Ints, Ints]) -> Floats:
        """Return how usual an event between two instants was on that day."""
        begin, end, day = hours_of(*ends)
        near = np.maximum(counted[self._place(base, end)] - counted[self._place(base, begin)], THE_TWO)
        of_day = counted[self._place(base, day + DAY_HOURS)] - counted[self._place(base, day)]
        return share_of(near, end - begin, np.maximum(of_day, near))

    def _place(self, base: Ints, hour: Ints) -> Ints:
        return self._cells.place(base + np.clip(hour - self._first, 0, self._width - 1))


def share_of(near: Ints, hours: Ints, day: Ints) -> Floats:
    """Return how many a minute came in some hours, as a share of the day's.

    As if two more had come in every hour: so that an hour without others is no miracle.
    """
    return (near / hours + EXTRA) / (60.0 * day)


def hours_of(one: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the clock hours of both and between: the first, the one after the last, where the day around begins."""
    first, last = np.minimum(one, other), np.maximum(one, other)
    begin = first // HOUR_US
    return begin, last // HOUR_US + 1, begin - BEFORE_HOURS


class Cells:
    """What happened before each hour of each facility, and in all facilities before it: only differences say something.

    A cell is a facility's hour. Some keep only those in which something happened.
    """

    kept: Ints | None = None
    came: Counts | Ints
    left: Counts | Ints
    times: Ints

    def place(self, cell: Ints) -> Ints:
        """Return where in the sums a cell stands."""
        return cell if self.kept is None else np.searchsorted(self.kept, cell)


class _Counted(Cells):
    """Counted of visits; where cells would be far more than the visits, those are kept in which something happened."""

    def __init__(self, base: Ints, came: Ints, left: Ints, cells: int) -> None:
        """Count visits; `base` and the hour make the cell, of which there are so many."""
        if cells > CELLS_MIN + CELLS_PER_VISIT * base.size:
            every = np.sort(np.concatenate([base + came // HOUR_US, base + left // HOUR_US]))
            self.kept = every[np.diff(every, prepend=-1) > 0]
            cells = self.kept.size
        self.came, self.left = (np.zeros(cells + 1, dtype=np.int32) for _ in range(2))
        self.times = np.zeros(cells + 1, dtype=np.int64)  # of check-ins less those of check-outs; wraps around
        for ends, counts, sign in ((came, self.came, 1), (left, self.left, -1)):
            cell = base + ends // HOUR_US
            order = slice(None) if self.kept is None else np.argsort(cell)  # a search is fast in order only
            after = self.place(cell[order]) + 1
            np.add.at(counts, after, np.int32(1))
            np.add.at(self.times, after, sign * ends[order])
        for sums in (self.came, self.left, self.times):
            np.cumsum(sums, out=sums)


def same_zone(one: Ints, other: Ints, unknown: int) -> tuple[Flags, Flags]:
    """Say where both zones are known and are one, and where they are two."""
    known = (one != unknown) & (other != unknown)
    return known & (one == other), known & (one != other)
