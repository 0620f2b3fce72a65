"""The exposure decision: which overlaps of two persons' visits count. Change it here and nowhere else.

Pure, on arrays of whole microseconds. The online trace, a file, a replay in memory and Spark call the same
functions, so their answers cannot differ. Who counts is the rule's (`tracing/rules`); how is written here.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tracing.instants import DAY_US, MINUTE_US
from tracing.overlaps import Index, Spans
from tracing.rulesets import Rule

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Direction: TypeAlias = Literal["forward", "backward"]

CWA_GRID_US: Final = 10 * MINUTE_US


class Visits(NamedTuple):
    """Visits as columns of equal length. Persons and facilities are any whole numbers, one per thing."""

    person: Ints
    facility: Ints
    check_in: Ints
    check_out: Ints
    recorded: Flags  # the check-out was scanned; an estimated end has no tail


class Cases(NamedTuple):
    """What is asked of each visit of a case, one entry per visit."""

    group: Ints  # the case (degree 2: the case and the contact): each group is judged on its own
    start: Ints  # of its window
    end: Ints


class Others(NamedTuple):
    """Visits of anybody, sorted once to be asked many times; `others_of` makes it for one rule and direction."""

    person: Ints
    visits: Index


class Exposures(NamedTuple):
    """The overlaps that count: rows of the case's visits and of the others', from when to when."""

    visit: Ints
    other: Ints
    start: Ints
    end: Ints


def find_exposures(
    rule: Rule, visits: Visits, cases: Cases, others: Visits | Others, direction: Direction = "forward"
) -> Exposures:
    """Return the exposures that `visits` (of cases) and `others` make, in the order of visit.

    A person never exposes himself; that a contact is a case too changes nothing.

    Args:
        rule: what counts.
        visits: of the cases; one visit may come in several groups, as several rows.
        cases: group and window of each of these rows.
        others: visits of anybody, those of the cases too; sorted ones were made for this rule and direction.
        direction: backward asks whom the case met, and a tail is then the other's.
    """
    spans = case_spans(rule, visits, cases, direction)
    if isinstance(others, Visits):
        others = others_of(rule, others, direction)
    one_is_enough = rule.interval == "visit" and rule.count == "visit"
    least = max(rule.minutes_us, 1) if one_is_enough else 1
    found = Exposures(*others.visits.overlaps(spans, least, persons=(visits.person, others.person)))
    if one_is_enough:
        return found
    counts = counted(rule, cases.group[found.visit], others.person[found.other], found.start, found.end)
    return Exposures(*(column[counts] for column in found))


def others_of(rule: Rule, visits: Visits, direction: Direction = "forward", rows: Ints | None = None) -> Others:
    """Return the visits, or only these rows of them, sorted for many calls of `find_exposures`."""
    return Others(visits.person, Index(other_spans(rule, visits, direction), rows))


def other_spans(rule: Rule, visits: Visits, direction: Direction = "forward") -> Spans:
    """Return from when to when each visit of anybody can be met; persons are not looked at."""
    if direction == "backward":
        return _infectious(rule, visits)
    return Spans(visits.facility, visits.check_in, visits.check_out)


def case_spans(rule: Rule, visits: Visits, cases: Cases, direction: Direction = "forward") -> Spans:
    """Return from when to when each visit of a case can count; an empty span (end ≤ start) never does.

    This is what a database is asked for: nothing that overlaps none of these spans can be an exposure.
    """
    if direction == "backward":
        return _clipped(visits, visits.check_in, visits.check_out, cases)
    if rule.interval == "cwa":
        derived = _infectious(rule, visits)
        return _clipped(visits, derived.start, derived.end, cases)
    spans = _clipped(visits, visits.check_in, visits.check_out, cases)
    tailed = visits.recorded & (visits.check_out <= cases.end) & (spans.start < spans.end)
    return spans._replace(end=np.where(tailed, spans.end + rule.tail_us, spans.end))


def counted(rule: Rule, group: Ints, person: Ints, start: Ints, end: Ints) -> Flags:
    """Return which overlaps count: of one group and person, all have to be there, in any order.

    Args:
        rule: what counts.
        group: of the one who is asked about.
        person: the other.
        start: of each overlap.
        end: of each overlap.
    """
    if rule.interval == "cwa":
        return np.ones(start.size, dtype=np.bool_)
    if rule.count == "visit":
        return end - start >= rule.minutes_us
    pair = _codes(group, person)
    return most_within_a_day(pair, start, end) >= rule.minutes_us


def cwa_spans(check_in: Ints, check_out: Ints, tail_us: Ints, stay_min_us: int) -> tuple[Ints, Ints]:
    """Return start and end of what the Corona-Warn-App derives from stays; start = end where it drops one.

    The stay and its tail, rounded to whole grid cells, begin with the first cell or end with the last:
    whichever they cover more of. So the other end may be a cell away from where the grid would have it.
    """
    end = check_out + tail_us
    first, last = check_in - check_in % CWA_GRID_US, end - end % CWA_GRID_US
    later = end - last > first + CWA_GRID_US - check_in
    length = (end - check_in + CWA_GRID_US // 2) // CWA_GRID_US * CWA_GRID_US
    length = np.where(check_out - check_in < stay_min_us, 0, length)
    start = np.where(later, last + CWA_GRID_US - length, first)
    return start, start + length


def most_within_a_day(group: Ints, start: Ints, end: Ints) -> Ints:
    """Return for each row the most time that its group's rows have inside one window of exactly 24 hours.

    The time inside a window that slides is a line with bends; its tops are where the window begins with a
    row or ends with one. Sums may wrap around, their differences are exact all the same.
    """
    if not group.size:
        return start
    tops = np.concatenate([start, end - DAY_US])
    tops_group = np.concatenate([group, group])
    inside = _time_before(group, start, end, tops_group, tops + DAY_US)
    inside -= _time_before(group, start, end, tops_group, tops)
    _, where = np.unique(group, return_inverse=True)
    most = np.zeros(where.max() + 1, dtype=np.int64)
    np.maximum.at(most, np.concatenate([where, where]), inside)
    return most[where]


def _infectious(rule: Rule, visits: Visits) -> Spans:
    if rule.interval == "cwa":
        stays = visits.check_out - visits.check_in
        tail = np.where(visits.recorded, np.minimum(stays, rule.tail_us), 0)
        return Spans(visits.facility, *cwa_spans(visits.check_in, visits.check_out, tail, rule.minutes_us))
    tail = np.where(visits.recorded & (visits.check_in < visits.check_out), rule.tail_us, 0)
    return Spans(visits.facility, visits.check_in, visits.check_out + tail)


def _clipped(visits: Visits, start: Ints, end: Ints, cases: Cases) -> Spans:
    return Spans(visits.facility, np.maximum(start, cases.start), np.minimum(end, cases.end))


def _codes(one: Ints, other: Ints) -> Ints:
    """Return one number per pair of values."""
    _, first = np.unique(one, return_inverse=True)
    values, second = np.unique(other, return_inverse=True)
    return (first * max(values.size, 1) + second).astype(np.int64)


def _time_before(group: Ints, start: Ints, end: Ints, at_group: Ints, at: Ints) -> Ints:
    """Return how much time of its group's rows lies before each instant."""
    points = np.concatenate([start, end, at])
    signs = np.concatenate([np.ones_like(start), -np.ones_like(end), np.zeros_like(at)])
    groups = np.concatenate([group, group, at_group])
    order = np.lexsort((signs == 0, points, groups))
    points, signs, groups = points[order], signs[order], groups[order]
    begun, sums = np.cumsum(signs), np.cumsum(signs * points)
    first = np.searchsorted(groups, groups)  # of the group's entries
    sums -= np.where(first > 0, sums[first - 1], 0)  # `begun` is back at zero where a group begins
    time = np.empty_like(points)
    time[order] = points * begun - sums
    return time[2 * start.size :]
