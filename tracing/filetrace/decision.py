"""Which exposures the cases of a file have: first and second degree, and backward. Cases share the sorted visits.

Pure. Answers come some cases at a time, in the order of the cases, so that memory does not grow with their number.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from tracing.exposure import (
    CWA_GRID_US,
    Cases,
    Direction,
    Ints,
    Others,
    Visits,
    case_spans,
    find_exposures,
    others_of,
)
from tracing.rulesets import Rule
from tracing.windows import Window, case_window, contact_window, source_window

PAIRS_AT_ONCE: Final = 2_000_000  # pairs of visits looked at in one go: memory, not meaning
FIRST_PAIRS_AT_ONCE: Final = 200_000  # where each contact found has visits of his own to look at


class Asked(NamedTuple):
    """A case as the decision sees it; a person without visits is -1."""

    person: int
    day_zero: date
    date_isolation: date | None


class Found(NamedTuple):
    """Exposures, one entry each: whose, the visits of both persons (it passes `from` one `to` the other), and when."""

    case: Ints
    degree: Ints
    from_row: Ints
    to_row: Ints
    start: Ints
    end: Ints


class Town:
    """The visits of a file, and whose they are."""

    def __init__(self, visits: Visits) -> None:
        self.visits = visits

    @cached_property
    def everybody(self) -> "PersonIndex":
        """The visits of all persons; sorted when first asked for."""
        return PersonIndex(self.visits.person, np.arange(self.visits.person.size, dtype=np.int64))

    def only(self, persons: Ints) -> "PersonIndex":
        """Return the visits of some persons, without sorting the others'."""
        wanted = np.zeros(int(self.visits.person.max(initial=-1)) + 1, dtype=np.bool_)
        wanted[persons[persons >= 0]] = True
        return PersonIndex(self.visits.person, np.flatnonzero(wanted[self.visits.person]))

    def visits_between(
        self, index: "PersonIndex", persons: Ints, start: Ints, end: Ints, slack_us: int
    ) -> tuple[Ints, Ints]:
        """Return (index of the person, row) of visits less than `slack_us` away from that person's span."""
        which, rows = index.rows_of(persons)
        near = self.visits.check_in[rows] < end[which] + slack_us
        near &= self.visits.check_out[rows] > start[which] - slack_us
        return which[near], rows[near]


class PersonIndex:
    """Rows of visits in the order of the person, then of the file."""

    def __init__(self, person: Ints, rows: Ints) -> None:
        self._rows = rows[np.argsort(person[rows], kind="stable")]
        self._persons = person[self._rows]

    def rows_of(self, persons: Ints) -> tuple[Ints, Ints]:
        """Return (place in `persons`, row) of each of their visits."""
        low = np.searchsorted(self._persons, persons)
        counts = np.searchsorted(self._persons, persons, side="right") - low
        which = np.repeat(np.arange(persons.size, dtype=np.int64), counts)
        places = np.arange(which.size, dtype=np.int64) - np.repeat(np.cumsum(counts) - counts - low, counts)
        return which, self._rows[places]


class Trace:
    """One question to a town: a rule, the days of a time zone, and the cases in the order of the answer."""

    def __init__(self, town: Town, rule: Rule, time_zone: str, cases: Sequence[Asked]) -> None:
        self.windows = [case_window(rule, case.day_zero, case.date_isolation, time_zone) for case in cases]
        self.source_windows = [source_window(rule, case.day_zero, time_zone) for case in cases]
        self._town, self._rule, self._time_zone = town, rule, time_zone
        self._persons = np.array([case.person for case in cases], dtype=np.int64)

    def forward(self, degrees: int) -> Iterator[tuple[range, Found]]:
        """Yield cases and their exposures, those of second degree too where `degrees` is 2."""
        rows = self._rows_of(self._town.only(self._persons), self._persons, self.windows)
        if degrees == 1:
            others = others_of(self._rule, self._town.visits, rows=self._near(rows))
            for cases, asked in self._batches(rows, others, "forward", PAIRS_AT_ONCE):
                yield cases, self._decide(asked, others, "forward")
            return
        others = others_of(self._rule, self._town.visits)
        for cases, asked in self._batches(rows, others, "forward", FIRST_PAIRS_AT_ONCE):
            yield from self._second_degree(cases, self._decide(asked, others, "forward"), others)

    def backward(self) -> Iterator[tuple[range, Found]]:
        """Yield cases and the exposures by which they may have caught it; `from` is the possible source."""
        rows = self._rows_of(self._town.only(self._persons), self._persons, self.source_windows)
        others = others_of(self._rule, self._town.visits, "backward", self._near(rows))
        for cases, asked in self._batches(rows, others, "backward", PAIRS_AT_ONCE):
            found = self._decide(asked, others, "backward")
            yield cases, found._replace(from_row=found.to_row, to_row=found.from_row)

    def _near(self, rows: "Rows") -> Ints:
        """Return the visits of the facilities where the rows are: nobody else is met."""
        facility = self._town.visits.facility
        near = np.zeros(int(facility.max(initial=-1)) + 1, dtype=np.bool_)
        near[facility[rows.row]] = True
        return np.flatnonzero(near[facility])

    def _batches(self, rows: "Rows", others: Others, direction: Direction, most: int) -> Iterator[tuple[range, "Rows"]]:
        work = self._work(rows, others, direction)
        for part in in_parts(_sums(rows.group, work, self._persons.size), most):
            yield part, rows.groups(part)

    def _second_degree(self, cases: range, first: Found, others: Others) -> Iterator[tuple[range, Found]]:
        """Yield the same cases in smaller parts, with those whom their contacts met."""
        case, person, windows = self._contacts(first)
        rows = self._rows_of(self._town.everybody, person, windows)
        work = _sums(rows.group, self._work(rows, others, "forward"), case.size)
        per_case = _sums(case - cases.start, work, len(cases))
        for part in in_parts(per_case, PAIRS_AT_ONCE, cases.start):
            groups = range(*np.searchsorted(case, [part.start, part.stop]).tolist())
            second = [
                self._of_contacts(rows.groups(some), case, first, others)
                for some in in_parts(work[groups.start : groups.stop], PAIRS_AT_ONCE, groups.start)
            ]
            own = slice(*np.searchsorted(first.case, [part.start, part.stop]).tolist())
            yield part, joined([Found(*(column[own] for column in first)), *second])

    def _contacts(self, first: Found) -> tuple[Ints, Ints, list[Window]]:
        """Return case, person and window of each contact of first degree, by case."""
        person = self._town.visits.person[first.to_row]
        order = np.lexsort((person, first.case))
        case, person = first.case[order], person[order]
        begins = np.flatnonzero((np.diff(case, prepend=-1) != 0) | (np.diff(person, prepend=-1) != 0))
        if not begins.size:
            return case, person, []
        starts = np.minimum.reduceat(first.start[order], begins).tolist()
        ends = np.maximum.reduceat(first.end[order], begins).tolist()
        windows = [
            contact_window(self._rule, start, end, self._time_zone) for start, end in zip(starts, ends, strict=True)
        ]
        return case[begins], person[begins], windows

    def _of_contacts(self, rows: "Rows", case: Ints, first: Found, others: Others) -> Found:
        return self._beyond(self._decide(rows, others, "forward"), case, first)

    def _beyond(self, found: Found, case: Ints, first: Found) -> Found:
        """Return whom the contacts met: neither the case nor one whom the case met himself.

        Args:
            found: exposures of the contacts, by their place in `case`.
            case: of each contact.
            first: the exposures of first degree of the same cases.
        """
        person = self._town.visits.person
        found = found._replace(case=case[found.case], degree=np.full(found.case.size, 2, dtype=np.int64))
        met = person[found.to_row]
        known = np.isin(self._codes(found.case, met), self._codes(first.case, person[first.to_row]))
        keep = ~known & (met != self._persons[found.case])
        return Found(*(column[keep] for column in found))

    def _codes(self, case: Ints, person: Ints) -> Ints:
        return case * self._town.visits.person.size + person

    def _rows_of(self, index: PersonIndex, persons: Ints, windows: Sequence[Window]) -> "Rows":
        start = np.array([window.start for window in windows], dtype=np.int64)
        end = np.array([window.end for window in windows], dtype=np.int64)
        # What cwa derives from a stay reaches beyond it.
        slack = self._rule.tail_us + CWA_GRID_US
        group, row = self._town.visits_between(index, persons, start, end, slack)
        return Rows(group, row, start[group], end[group])

    def _work(self, rows: "Rows", others: Others, direction: Direction) -> Ints:
        spans = case_spans(self._rule, rows.visits(self._town.visits), rows.cases, direction)
        return others.visits.looked_at(spans)

    def _decide(self, rows: "Rows", others: Others, direction: Direction) -> Found:
        met = find_exposures(self._rule, rows.visits(self._town.visits), rows.cases, others, direction)
        degree = np.ones(met.visit.size, dtype=np.int64)
        return Found(rows.group[met.visit], degree, rows.row[met.visit], met.other, met.start, met.end)


Engine: TypeAlias = Callable[[Town, Rule, str, Sequence[Asked]], Trace]  # what answers: this process, or others too


class Rows(NamedTuple):
    """Visits that are asked about: each group is judged on its own, in its own window; groups ascend."""

    group: Ints
    row: Ints
    start: Ints
    end: Ints

    @property
    def cases(self) -> Cases:
        """What is asked of each."""
        return Cases(self.group, self.start, self.end)

    def visits(self, visits: Visits) -> Visits:
        """Return their columns."""
        row = self.row
        return Visits(
            visits.person[row], visits.facility[row], visits.check_in[row], visits.check_out[row], visits.recorded[row]
        )

    def groups(self, groups: range) -> "Rows":
        """Return those of some groups."""
        own = slice(*np.searchsorted(self.group, [groups.start, groups.stop]).tolist())
        return Rows(*(column[own] for column in self))


def joined(parts: Sequence[Found]) -> Found:
    """Return all of them, by case and degree."""
    whole = Found(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.lexsort((whole.degree, whole.case))
    return Found(*(column[order] for column in whole))


def _sums(group: Ints, work: Ints, groups: int) -> Ints:
    return np.bincount(group, work, minlength=groups).astype(np.int64)  # floats are exact up to 2^53 pairs


def in_parts(work: Ints, most: int, first: int = 0) -> Iterator[range]:
    """Yield ranges that together are all of `work`, numbered from `first`, each of at most about `most` work."""
    ends = np.cumsum(work)
    low = 0
    while low < ends.size:
        done = ends[low - 1] if low else 0
        high = max(int(np.searchsorted(ends, done + most, side="right")), low + 1)
        yield range(first + low, first + high)
        low = high
