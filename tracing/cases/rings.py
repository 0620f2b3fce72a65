"""All that a trace finds: first degree with rides and isolation, second degree, and where the case may have it from.

Each is set-based: the database narrows for all visits at once, `exposure.py` decides on columns, and only what counts
is read whole. The same as `jejak trace` of the same visits, but for what a file cannot say: roles, zones and groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from tracing.cases import places
from tracing.cases.candidates import Exposure, Place
from tracing.cases.facts import Case
from tracing.cases.humans import Humans, read_humans
from tracing.cases.inside import inside_rows, read_kinds
from tracing.cases.lookup import (
    asked_of,
    decide,
    details,
    exposure,
    meet,
    own_visits,
    read_places,
    stays_between,
    zones_of,
)
from tracing.cases.met import Asked, Met, codes_of, halves
from tracing.cases.places import Kinds, Stay, isolated_on
from tracing.cases.rides import rides_of, with_rides
from tracing.exposure import CWA_GRID_US, Exposures, Ints
from tracing.rulesets import Rule
from tracing.store import Cursor
from tracing.windows import FARTHEST_US, Window, case_window, contact_window, source_window

Meeting = tuple[Stay, Stay, tuple[int, int]]


class Numbers(NamedTuple):
    """Dated configuration that a search needs."""

    second_limit: int = 0  # pairs of second degree to keep; 0: none is looked for
    ride_hours: int = 24


class Rings(NamedTuple):
    """What a trace found, and how much it looked at."""

    exposures: list[Exposure]  # of both degrees
    sources: list[Exposure]  # backward: from the possible source to the case
    windows: Mapping[str, Window]  # by time zone of the facilities where the case was
    date_isolation: date | None  # as reported, or the first isolation zone, whichever was earlier
    own: list[Stay]  # the case's visits in the windows
    visits_met: int
    second_pairs: int  # of second degree, before the limit


NOTHING: Final = Rings([], [], {}, None, [], 0, 0)


def search(cur: Cursor, rule: Rule, person: str, case: Case, numbers: Numbers) -> Rings:
    """Return everything that a case's visits lead to.

    Args:
        cur: of a transaction that sees one state of the data.
        rule: what counts.
        person: whose case it is.
        case: its days.
        numbers: dated configuration.
    """
    day = case.day_zero
    whole = case_window(rule, day, None, "UTC")
    first = min(whole.start, source_window(rule, day, "UTC").start)
    humans = read_humans(cur, person)
    every = _own(cur, humans, person, Window(first - FARTHEST_US, whole.end + FARTHEST_US))
    own = [stay for stay in every if stay.check_out > whole.start - FARTHEST_US]
    kinds = read_kinds(cur, own)
    zones = zones_of(own)
    isolated = isolated_on(own, {zone: case_window(rule, day, None, zone) for zone in zones}, kinds)
    isolation = min((one for one in (case.date_isolation, isolated) if one is not None), default=None)
    windows = {zone: case_window(rule, day, isolation, zone) for zone in zones}
    uncut = {zone: case_window(rule, day, None, zone) for zone in zones}
    exposures, visits_met = _first(cur, rule, own, (windows, uncut), kinds, humans)
    exposures = _with_own_rides(cur, exposures, person, windows, numbers, humans)
    second, pairs = _second(cur, rule, person, exposures, numbers, humans)
    before = {zone: source_window(rule, day, zone) for zone in zones_of(every)}
    sources = _sources(cur, rule, every, before, numbers, humans)
    return Rings([*exposures, *second], sources, windows, isolation, own, visits_met, pairs)


def _own(cur: Cursor, humans: Humans, person: str, during: Window) -> list[Stay]:
    """Return the visits of the case under all his ids, as his own, in the order of time."""
    found = [humans.seen(stay) for one in humans.ids(person) for stay in own_visits(cur, one, during)]
    return sorted(found, key=lambda stay: (stay.check_in, stay.visit_id)) if len(humans.ids(person)) > 1 else found


def _first(
    cur: Cursor,
    rule: Rule,
    own: Sequence[Stay],
    windows: tuple[Mapping[str, Window], Mapping[str, Window]],
    kinds: Kinds,
    humans: Humans,
) -> tuple[list[Exposure], int]:
    """Return the exposures of first degree: for who is inside the isolation zone, the window does not end there."""
    if not own:
        return [], 0
    cut, uncut = windows
    in_isolation = [stay for stay in own if any(places.spans_in(stay, kinds, "isolation"))] if cut != uncut else []
    rows, asked = [*own, *in_isolation], asked_of(own, cut)
    if in_isolation:
        asked = _joined(asked, asked_of(in_isolation, uncut))
    met = _without(meet(cur, rule, asked, whole=True), humans.ids(own[0].person))
    inside = inside_rows(cur, in_isolation, uncut, kinds, met)
    parties = (np.arange(len(rows), dtype=np.int64) >= len(own)).astype(np.int64), inside
    found = decide(rule, asked, humans.seen_met(met), parties=parties)
    where = {stay.place.facility_no: stay.place for stay in own}
    others = humans.seen_each(details(cur, met, np.unique(found.other), where))
    meetings = [(rows[visit], others[other], span) for visit, other, span in _rows(found) if other in others]
    return _marked(rule, meetings, kinds, 1), met.key.size


def _with_own_rides(
    cur: Cursor,
    exposures: list[Exposure],
    person: str,
    windows: Mapping[str, Window],
    numbers: Numbers,
    humans: Humans,
    *,
    backward: bool = False,
) -> list[Exposure]:
    whole = Window(min(one.start for one in windows.values()), max(one.end for one in windows.values()))
    rides = humans.seen_rides(rides_of(cur, [(one, whole) for one in humans.ids(person)], numbers.ride_hours))
    return with_rides(exposures, rides, lambda stay: windows.get(stay.place.time_zone, whole), backward=backward)


def _second(
    cur: Cursor, rule: Rule, person: str, first: Sequence[Exposure], numbers: Numbers, humans: Humans
) -> tuple[list[Exposure], int]:
    """Return whom the contacts met, the pairs longest together up to the limit, and how many pairs there were."""
    if not numbers.second_limit or not first:
        return [], 0
    spans = _contact_spans(first)
    persons = sorted(spans)
    windows = _Windows(rule, persons, spans)
    slack = rule.tail_us + CWA_GRID_US + FARTHEST_US  # what cwa derives from a stay reaches beyond it
    ids = [(one, number) for number, name in enumerate(persons) for one in humans.ids(name)]
    number_of = np.array([number for _, number in ids], dtype=np.int64)
    spans_asked = windows.whole[number_of]
    asked = stays_between(cur, [one for one, _ in ids], spans_asked[:, 0] - slack, spans_asked[:, 1] + slack)
    as_stored = asked.met
    seen = humans.seen_met(as_stored)
    asked = asked._replace(high=seen.high, low=seen.low, group=number_of[asked.group])
    where = read_places(cur, np.unique(asked.key >> 3).tolist())
    asked = windows.applied(asked, where)
    met = _without(meet(cur, rule, asked, narrow=True), humans.all_ids([person, *persons]))
    met_seen = humans.seen_met(met)
    found, pairs = _longest(asked, met_seen, decide(rule, asked, met_seen), numbers.second_limit)
    ones = humans.seen_each(details(cur, as_stored, np.unique(found.visit), where))
    others = humans.seen_each(details(cur, met, np.unique(found.other), where))
    meetings = [(ones[visit], others[other], span) for visit, other, span in _rows(found)]
    kinds = read_kinds(cur, [one for one, _, _ in meetings])
    exposures = _marked(rule, meetings, kinds, 2)
    each = [(one, windows.of(persons[number], "UTC", FARTHEST_US)) for one, number in ids]
    rides = humans.seen_rides(rides_of(cur, each, numbers.ride_hours))
    known = {person, *persons}
    rides = [ride for ride in rides if ride.other.person not in known]
    exposures = with_rides(exposures, rides, lambda stay: windows.of(stay.person, stay.place.time_zone), degree=2)
    return exposures, max(pairs, len({(one.from_person, one.to_person) for one in exposures}))


def _sources(
    cur: Cursor, rule: Rule, every: Sequence[Stay], windows: Mapping[str, Window], numbers: Numbers, humans: Humans
) -> list[Exposure]:
    """Return whom the case met before day zero, as exposures from the possible source to the case."""
    if not every:
        return []
    person, asked = every[0].person, asked_of(every, windows)
    met = _without(meet(cur, rule, asked, "backward", whole=True), humans.ids(person))
    where = {stay.place.facility_no: stay.place for stay in every}
    recorded = None
    if rule.tail_us:  # only then it matters whether an end was scanned, which the index does not hold
        all_met = details(cur, met, np.arange(met.key.size, dtype=np.int64), where)
        recorded = np.array([not all_met[row].check_out_estimated for row in range(met.key.size)], dtype=np.bool_)
    found = decide(rule, asked, humans.seen_met(met), "backward", recorded=recorded)
    others = humans.seen_each(details(cur, met, np.unique(found.other), where))
    exposures = [
        exposure(others[other], every[visit], span, met_role=others[other].role) for visit, other, span in _rows(found)
    ]
    exposures = _with_own_rides(cur, exposures, person, windows, numbers, humans, backward=True)
    return sorted(exposures, key=lambda one: (one.from_person, one.start, one.from_visit, one.to_visit))


def _contact_spans(first: Iterable[Exposure]) -> dict[str, tuple[int, int]]:
    """Return of each contact when the first exposure begins and the last ends."""
    spans: dict[str, tuple[int, int]] = {}
    for one in first:
        start, end = spans.get(one.to_person, (one.start, one.end))
        spans[one.to_person] = min(start, one.start), max(end, one.end)
    return spans


class _Windows:
    """When each contact can pass it on: days are those of the facility where he is."""

    def __init__(self, rule: Rule, persons: Sequence[str], spans: Mapping[str, tuple[int, int]]) -> None:
        self._rule, self._persons, self._spans = rule, persons, spans
        self.whole = self._columns("UTC")

    def of(self, person: str, zone: str, slack: int = 0) -> Window:
        """Return a contact's window in a time zone, widened by `slack`."""
        window = contact_window(self._rule, *self._spans[person], zone)
        return Window(window.start - slack, window.end + slack)

    def applied(self, asked: Asked, where: Mapping[int, Place]) -> Asked:
        """Return visits, each in the window of its person and its place."""
        zones = sorted({place.time_zone for place in where.values()})
        if not zones:
            return asked
        every = np.stack([self._columns(zone) for zone in zones])
        numbers = np.array(sorted(where), dtype=np.int64)
        zone_of = np.array([zones.index(where[number].time_zone) for number in numbers.tolist()], dtype=np.int64)
        own = every[zone_of[np.searchsorted(numbers, asked.key >> 3)], asked.group]
        return asked._replace(start=own[:, 0], end=own[:, 1])

    def _columns(self, zone: str) -> Ints:
        return np.array([self.of(person, zone) for person in self._persons], dtype=np.int64).reshape(-1, 2)


def _without(met: Met, persons: Sequence[str]) -> Met:
    if len(persons) == 1:
        return met.without(persons[0])
    high, low = halves(persons)
    codes = codes_of(np.concatenate([met.high, high]), np.concatenate([met.low, low]))
    return met.rows(np.flatnonzero(~np.isin(codes[: met.key.size], codes[met.key.size :])))


def _longest(asked: Asked, met: Met, found: Exposures, limit: int) -> tuple[Exposures, int]:
    """Return the exposures of the pairs that were longest together, at a tie by persons, and the number of pairs."""
    if not found.visit.size:
        return found, 0
    who = codes_of(met.high, met.low)[found.other]
    pair = asked.group[found.visit] * (who.max() + 1) + who
    pairs, where = np.unique(pair, return_inverse=True)
    total = np.zeros(pairs.size, dtype=np.int64)
    np.add.at(total, where, found.end - found.start)
    order = np.lexsort((pairs // (who.max() + 1), pairs % (who.max() + 1), -total))
    keep = np.isin(where, order[:limit])
    return Exposures(*(column[keep] for column in found)), pairs.size


def _rows(found: Exposures) -> Iterable[tuple[int, int, tuple[int, int]]]:
    spans = zip(found.start.tolist(), found.end.tolist(), strict=True)
    return zip(found.visit.tolist(), found.other.tolist(), spans, strict=True)


def _marked(rule: Rule, meetings: Iterable[Meeting], kinds: Kinds, degree: int) -> list[Exposure]:
    pairs: dict[tuple[str, str], list[Meeting]] = {}
    for meeting in meetings:
        pairs.setdefault((meeting[0].person, meeting[1].person), []).append(meeting)
    return [
        exposure(one, other, span, degree=degree, apart=mark.apart, ppe_unknown=mark.ppe_unknown)
        for some in pairs.values()
        for (one, other, span), mark in zip(some, places.marks_of(rule, some, kinds), strict=True)
    ]


def _joined(ones: Asked, others: Asked) -> Asked:
    return Asked(*(np.concatenate(both) for both in zip(ones, others, strict=True)))
