"""The shape of two persons' co-visits, as the few numbers that the model weighs. Pure, on arrays.

Nothing here knows who is the case: a pair has one shape, whichever of the two is asked about.
"""

from typing import Final, NamedTuple

import numpy as np

from tracing.exposure import Flags, Ints, Visits
from tracing.instants import DAY_US, MINUTE_US, offset_us
from tracing.ranking.crowds import Around, Floats, Meetings, same_zone

JITTER_MINUTES: Final = 15.0  # between two who came together, one scan is off by so much against the other, on average
TOGETHER_SHARE: Final = 0.3  # of a day's meetings of close persons, how many begin together: what one may prove at most
NEAR_US: Final = 15 * MINUTE_US  # what the reason calls within minutes of each other
CROWD_MIN: Final = 2.0  # the two themselves
_STEADY_US: Final = 15 * MINUTE_US  # no zone moves its clock inside one


class Stays(NamedTuple):
    """The visits that meetings point into, with what else is known of them."""

    visits: Visits
    zone: Ints
    unknown_zone: int  # the number that stands for no zone known
    came: Flags  # the check-in was scanned; one that is assumed says nothing about coming together


class Shapes(NamedTuple):
    """One entry per pair."""

    share: Floats  # time together of the time that either was there, over the visits in which they met
    days: Ints  # local days on which they met
    arrival: Floats  # how much more likely the arrivals are if they came together, as a logarithm, summed over days
    leaving: Floats
    crowd: Floats  # persons present, the two among them
    same_zone: Floats  # part of the meetings in which both had one known zone
    other_zone: Floats  # and in which they had two
    came_together: Ints  # days on which both came within minutes; for words, not weighed
    left_together: Ints


def shapes_of(stays: Stays, met: Meetings, around: Around, begins: Ints, time_zone: str) -> Shapes:
    """Return the shape of each pair.

    Args:
        stays: the visits.
        met: the pairs' meetings, pair by pair, each in the order of their starts.
        around: what was counted around each.
        begins: where each pair's meetings begin; not empty.
        time_zone: whose days are meant.
    """
    visits = stays.visits
    came = visits.check_in[met.one], visits.check_in[met.other]
    left = visits.check_out[met.one], visits.check_out[met.other]
    both_came = stays.came[met.one] & stays.came[met.other]
    both_left = visits.recorded[met.one] & visits.recorded[met.other]
    arrival = _likeness(*came, around.arrivals, both_came)
    leaving = _likeness(*left, around.leavings, both_left)
    first_day, last_day = _days(met, time_zone)
    pair = np.repeat(np.arange(begins.size), np.diff(begins, append=met.start.size))
    days = _days_touched(pair, first_day, last_day, begins)
    per_day = np.flatnonzero((np.diff(pair, prepend=-1) != 0) | (np.diff(first_day, prepend=-1) != 0))
    of_pair = np.searchsorted(per_day, begins)
    same, other = same_zone(stays.zone[met.one], stays.zone[met.other], stays.unknown_zone)
    number = np.diff(begins, append=met.start.size)
    near_in, near_out = both_came & _near(*came), both_left & _near(*left)
    return Shapes(
        share=_share(visits, met, pair, days, (came, left)),
        days=days,
        arrival=np.add.reduceat(np.maximum.reduceat(arrival, per_day), of_pair),
        leaving=np.add.reduceat(np.maximum.reduceat(leaving, per_day), of_pair),
        crowd=np.maximum(np.add.reduceat(around.crowd, begins) / number, CROWD_MIN),
        same_zone=np.add.reduceat(same.astype(np.int64), begins) / number,
        other_zone=np.add.reduceat(other.astype(np.int64), begins) / number,
        came_together=np.add.reduceat(np.maximum.reduceat(near_in.astype(np.int64), per_day), of_pair),
        left_together=np.add.reduceat(np.maximum.reduceat(near_out.astype(np.int64), per_day), of_pair),
    )


def _likeness(one: Ints, other: Ints, usual: Floats, known: Flags) -> Floats:
    """Return the logarithm of how much better "together" explains two instants than "each for himself" does.

    Together, they differ by what two independent delays differ by; each for himself, by chance: in the rush of the
    morning two arrivals in one minute mean little. Where an instant is only assumed, nothing is said: 0.
    """
    apart = np.abs(one - other) / MINUTE_US
    together = np.exp(-apart / JITTER_MINUTES) / (2 * JITTER_MINUTES)
    return np.where(known, np.log(1 - TOGETHER_SHARE + TOGETHER_SHARE * together / usual), 0.0)


def _near(one: Ints, other: Ints) -> Flags:
    near: Flags = np.abs(one - other) <= NEAR_US
    return near


def _days(met: Meetings, time_zone: str) -> tuple[Ints, Ints]:
    """Return the local days on which each meeting begins and ends; an end at midnight belongs to the day before.

    A day that a zone left out, as Samoa did on 30 December 2011, is not counted.
    """
    start, end = met.start, np.maximum(met.end - 1, met.start)
    first = int(start.min(initial=end.max(initial=0))) // _STEADY_US
    one, other = start // _STEADY_US - first, end // _STEADY_US - first
    number = np.zeros(int(max(one.max(initial=0), other.max(initial=0))) + 1, dtype=np.int64)
    number[one], number[other] = 1, 1
    blocks = np.flatnonzero(number)
    offsets = np.array(
        [offset_us((first + block) * _STEADY_US, time_zone) for block in blocks.tolist()], dtype=np.int64
    )
    number[blocks] = offsets - DAY_US * np.cumsum(np.diff(offsets, prepend=offsets[:1]) > DAY_US // 2)
    return (start + number[one]) // DAY_US, (end + number[other]) // DAY_US


def _days_touched(pair: Ints, first_day: Ints, last_day: Ints, begins: Ints) -> Ints:
    """Return on how many days each pair met, each day once."""
    if not pair.size:
        return pair
    low, high = first_day.min(), last_day.max()
    lane = (high - low + 2) * pair  # no pair's days reach into the next pair's
    reached = np.maximum.accumulate(lane + last_day - low)
    before = np.concatenate([np.full(1, -1, dtype=np.int64), reached[:-1]])
    new = reached - np.maximum(before, lane + first_day - low - 1)
    return np.add.reduceat(np.maximum(new, 0), begins)


def _share(
    visits: Visits, met: Meetings, pair: Ints, days: Ints, ends: tuple[tuple[Ints, Ints], tuple[Ints, Ints]]
) -> Floats:
    """Return the time together as a share of the time that either was there.

    A visit that met several of the other's counts once, and nobody counts for more than a day for each day on which
    they met: a patient is there for weeks.
    """
    came, left = ends
    together = np.maximum(np.minimum(*left) - np.maximum(*came), 0)
    pairs = days.size
    shared = np.bincount(pair, together, minlength=pairs)
    most = days * float(DAY_US)
    one = np.minimum(_time_of(visits, met.one, pair, pairs), most)
    other = np.minimum(_time_of(visits, met.other, pair, pairs), most)
    shared = np.minimum(shared, np.minimum(one, other))
    share: Floats = shared / np.maximum(one + other - shared, 1.0)
    return share


def _time_of(visits: Visits, row: Ints, pair: Ints, pairs: int) -> Floats:
    """Return how long the visits of one side took, each once; whole microseconds, exact as floats."""
    time = visits.check_out[row] - visits.check_in[row]
    several = np.flatnonzero((np.diff(pair, prepend=-1) == 0) | (np.diff(pair, append=-1) == 0))  # most met once
    order = several[np.lexsort((row[several], pair[several]))]
    time[order[1:][(np.diff(row[order]) == 0) & (np.diff(pair[order]) == 0)]] = 0
    times: Floats = np.bincount(pair, time, minlength=pairs).astype(np.float64)
    return times
