"""What went on around a meeting: how many were there, who else came and left. Counted by whole clock hours.

By hours, because that is what a server keeps of every facility (`facility_hour`): a file and a server say the same.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tracing.exposure import Flags, Ints, Visits
from tracing.instants import HOUR_US

Floats = npt.NDArray[np.float64]
DAY_HOURS: Final = 24  # around an arrival or a leaving: what share of a day's falls into the hours of both
EXTRA: Final = 2
BEFORE_HOURS: Final = 11  # of these, the hours before that in which the first of both came or left


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
    """Check-ins and check-outs of every facility, sorted once to be asked many times."""

    def __init__(self, visits: Visits, facilities: Ints | None = None) -> None:
        """Sort the visits of all facilities, or of some."""
        self._visits = visits
        self._facilities = np.unique(visits.facility if facilities is None else facilities)
        rows = slice(None) if facilities is None else np.flatnonzero(np.isin(visits.facility, self._facilities))
        facility = np.searchsorted(self._facilities, visits.facility[rows])
        self._came = _Events(facility, visits.check_in[rows], self._facilities.size)
        self._left = _Events(facility, visits.check_out[rows], self._facilities.size)

    def knows(self, facilities: Ints) -> bool:
        """Say whether these facilities were sorted."""
        return bool(np.isin(facilities, self._facilities).all())

    def around(self, met: Meetings) -> Around:
        """Return what was counted around each meeting."""
        visits = self._visits
        facility = np.searchsorted(self._facilities, visits.facility[met.one])
        start, end = _floor(met.start), _ceil(np.maximum(met.end, met.start + 1))
        present = self._person_us(facility, end) - self._person_us(facility, start)
        came = visits.check_in[met.one], visits.check_in[met.other]
        left = visits.check_out[met.one], visits.check_out[met.other]
        return Around(present / (end - start), self._came.share(facility, *came), self._left.share(facility, *left))

    def _person_us(self, facility: Ints, at: Ints) -> Ints:
        """Return the time that everybody together had spent there; sums wrap around, their differences are exact."""
        return self._came.time_since(facility, at) - self._left.time_since(facility, at)


def share_of(near: Ints, hours: Ints, day: Ints) -> Floats:
    """Return how many a minute came in some hours, as a share of the day's.

    As if two more had come in every hour: so that an hour without others is no miracle.
    """
    return (near / hours + EXTRA) / (60.0 * day)


def hours_of(one: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the clock hours in which both came: where they begin, where they end, and where the day around begins."""
    first, last = np.minimum(one, other), np.maximum(one, other)
    begin = _floor(first)
    return begin, _floor(last) + HOUR_US, begin - BEFORE_HOURS * HOUR_US


class _Events:
    """Instants of facilities by clock hour; whatever is asked is asked for whole hours, so the hour is order enough."""

    def __init__(self, facility: Ints, at: Ints, facilities: int) -> None:
        hour = at // HOUR_US
        self._first = int(hour.min()) if hour.size else 0
        self._hours = int(hour.max()) - self._first + 2 if hour.size else 1
        keys = facility * self._hours + (hour - self._first)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._sums = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(at[order] - self._first * HOUR_US)])
        self._begins = np.searchsorted(self._keys, np.arange(facilities + 1) * self._hours)

    def time_since(self, facility: Ints, at: Ints) -> Ints:
        """Return the time since every event before a full hour, added up."""
        place, begin = self._before(facility, at), self._begins[facility]
        since: Ints = (place - begin) * (at - self._first * HOUR_US) - (self._sums[place] - self._sums[begin])
        return since

    def share(self, facility: Ints, one: Ints, other: Ints) -> Floats:
        """Return how usual an event between two instants was on that day."""
        begin, end, day = hours_of(one, other)
        near = self._before(facility, end) - self._before(facility, begin)
        of_day = self._before(facility, day + DAY_HOURS * HOUR_US) - self._before(facility, day)
        return share_of(near, (end - begin) // HOUR_US, np.maximum(of_day, near))

    def _before(self, facility: Ints, at: Ints) -> Ints:
        """Return how many events of this and earlier facilities are before a full hour of this facility."""
        hour = np.clip(at // HOUR_US - self._first, 0, self._hours - 1)
        return np.searchsorted(self._keys, facility * self._hours + hour)


def _floor(at: Ints) -> Ints:
    return at - at % HOUR_US


def _ceil(at: Ints) -> Ints:
    return _floor(at + HOUR_US - 1)


def same_zone(one: Ints, other: Ints, unknown: int) -> tuple[Flags, Flags]:
    """Say where both zones are known and are one, and where they are two."""
    known = (one != unknown) & (other != unknown)
    return known & (one == other), known & (one != other)
