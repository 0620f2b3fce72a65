"""One case under many rules: who would be a candidate, what each office would have, who fell ill later. Pure.

The visits are read once, as widely as any of the rules asks; what counts is decided by `exposure.py`, as everywhere.
First degree only. Which rule is better nobody can read off one case: later positives met the case, but may have
caught it elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import product
from typing import Final

import msgspec
import numpy as np

from schemas.errors import BadInput
from tracing.cases.alerts import offices_in
from tracing.cases.candidates import Place
from tracing.cases.facts import Case
from tracing.exposure import Cases, Visits, case_spans, find_exposures
from tracing.overlaps import Spans, overlapping
from tracing.rulesets import Rule, rule_of
from tracing.windows import case_window, local_day

SETTINGS_MAX: Final = 1_000
_ANY_TIME: Final = {"minutes": 0, "count": "visit", "interval": "visit"}


class Stay(msgspec.Struct, frozen=True):
    """A visit as a replay needs it; `recorded` says that its check-out was scanned."""

    person: str
    facility_no: int
    check_in: int
    check_out: int
    recorded: bool


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a case, its visits and those that overlap them."""

    case: Case
    own: Sequence[Stay]
    others: Sequence[Stay]  # of anybody else; more than those that overlap do no harm
    places: Mapping[int, Place]
    residence: Mapping[str, str]  # person: district, where known
    ill: Mapping[str, date]  # person: day zero of a case of his own


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule finds."""

    rule: str
    count: str
    minutes: int
    tail_minutes: int
    contacts: int
    exposures: int
    offices: dict[str, int]  # candidates each office would be told of
    later_positive_found: int
    later_positive_missed: int  # they met the case too, but not as this rule asks


def rules_asked(
    rule_ids: Sequence[str], minutes: Sequence[int], tails: Sequence[int], counts: Sequence[str]
) -> list[Rule]:
    """Return every rule set with every combination of the values; of what is not given, its own value.

    Raises:
        BadInput: there is no such rule, a value is out of its range, or there are more than a thousand combinations.
    """
    choices: list[Iterable[object]] = [rule_ids, minutes or [None], tails or [None], counts or [None]]
    asked = [
        rule_of(str(rule_id), minutes=least, tail_minutes=tail, count=count)  # type: ignore[arg-type]  # checked there
        for rule_id, least, tail, count in product(*choices)
    ]
    if len(asked) > SETTINGS_MAX:
        raise BadInput(f"are more than {SETTINGS_MAX:,} combinations", field="--minutes")
    return list(dict.fromkeys(asked))


def spans_asked(case: Case, own: Sequence[Stay], places: Mapping[int, Place], rules: Iterable[Rule]) -> Spans:
    """Return from when to when others' visits have to be known, so that no rule misses one."""
    visits = _columns(own)
    spans = [case_spans(rule, visits, _windows(case, own, places, rule)) for rule in rules]
    spans += [case_spans(_widest(rule), visits, _windows(case, own, places, rule)) for rule in rules]
    joined = Spans(*(np.concatenate(columns) for columns in zip(*spans, strict=True)))
    filled = joined.start < joined.end
    rows = np.unique(np.stack([column[filled] for column in joined]), axis=1)
    return Spans(rows[0], rows[1], rows[2])


def answers(known: Known, rules: Sequence[Rule]) -> list[Answer]:
    """Return what each rule finds, in the order of the rules."""
    own, others = _columns(known.own), _columns(known.others, [stay.person for stay in known.others])
    persons = list(dict.fromkeys(stay.person for stay in known.others))
    later = _later_positives(known, rules, own, others, persons)
    return [_answer(known, rule, own, others, persons, later) for rule in rules]


def _answer(
    known: Known, rule: Rule, own: Visits, others: Visits, persons: Sequence[str], later: frozenset[str]
) -> Answer:
    found = find_exposures(rule, own, _windows(known.case, known.own, known.places, rule), others)
    districts: dict[str, set[str]] = {}
    for other in found.other.tolist():
        stay = known.others[other]
        districts.setdefault(stay.person, set()).add(known.places[stay.facility_no].district)
    offices: Counter[str] = Counter()
    for person, places in districts.items():
        home = known.residence.get(person, "")
        offices.update(offices_in(places | {home} if home else places))
    met = {persons[number - 1] for number in np.unique(others.person[found.other]).tolist()}
    return Answer(
        rule=rule.id,
        count="derived" if rule.interval == "cwa" else rule.count,
        minutes=rule.minutes,
        tail_minutes=rule.tail_minutes,
        contacts=len(met),
        exposures=found.other.size,
        offices=dict(sorted(offices.items())),
        later_positive_found=len(met & later),
        later_positive_missed=len(later - met),
    )


def _later_positives(
    known: Known, rules: Sequence[Rule], own: Visits, others: Visits, persons: Sequence[str]
) -> frozenset[str]:
    """Return who met the case for any time at all in one of the windows, and fell ill within the days after it."""
    later = set()
    for rule in dict.fromkeys(_widest(rule) for rule in rules):
        spans = case_spans(rule, own, _windows(known.case, known.own, known.places, rule))
        visit, other = overlapping(spans, Spans(others.facility, others.check_in, others.check_out))
        for one, whom in zip(visit.tolist(), other.tolist(), strict=True):
            person = persons[int(others.person[whom]) - 1]
            place = known.places[known.own[one].facility_no]
            day = local_day(max(int(spans.start[one]), int(others.check_in[whom])), place.time_zone)
            ill = known.ill.get(person)
            if ill is not None and day < ill <= day + timedelta(days=rule.contact_days):
                later.add(person)
    return frozenset(later)


def _widest(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, **_ANY_TIME)


def _windows(case: Case, own: Sequence[Stay], places: Mapping[int, Place], rule: Rule) -> Cases:
    zones = {place.time_zone for place in places.values()}
    windows = {zone: case_window(rule, case.day_zero, case.date_isolation, zone) for zone in zones}
    each = [windows[places[stay.facility_no].time_zone] for stay in own]
    return Cases(
        np.zeros(len(own), dtype=np.int64),
        np.array([window.start for window in each], dtype=np.int64),
        np.array([window.end for window in each], dtype=np.int64),
    )


def _columns(stays: Sequence[Stay], persons: Sequence[str] = ()) -> Visits:
    """Return visits as columns: without persons they are the case's, who is 0; others count from 1."""
    numbers = {person: number for number, person in enumerate(dict.fromkeys(persons), start=1)}
    return Visits(
        np.array([numbers.get(stay.person, 0) for stay in stays], dtype=np.int64),
        np.array([stay.facility_no for stay in stays], dtype=np.int64),
        np.array([stay.check_in for stay in stays], dtype=np.int64),
        np.array([stay.check_out for stay in stays], dtype=np.int64),
        np.array([stay.recorded for stay in stays], dtype=np.bool_),
    )
