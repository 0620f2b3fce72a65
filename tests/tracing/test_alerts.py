from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import AlertData
from tests.tracing.ward import somebody
from tracing.cases.alerts import Told, Trace, alerts_of, minutes_band, offices_of
from tracing.cases.candidates import Candidate, Exposure, Place, candidates_of, ranked, reason_of
from tracing.cases.likeness import Known, Likely
from tracing.cases.rows import person_uuid
from tracing.instants import MINUTE_US, us_of
from tracing.ranking.words import Counted

ONSET = date(2021, 1, 17)  # in no alert: not even as a part of an exposure's day
INDEX = person_uuid(somebody(99))
START = us_of(datetime(2026, 11, 3, 2, tzinfo=UTC))
PLACES = [
    Place(1, "RS-1", "RSUD Tangerang", "Asia/Jakarta", "36.71"),
    Place(2, "PKM-2", "Puskesmas Gambir", "Asia/Jakarta", "31.71"),
    Place(3, "RS-9", "RSUD Jayapura", "Asia/Jayapura", "91.71"),
]
PERSONS = [person_uuid(somebody(number)) for number in range(8)]
COUNTED = Counted(0.5, 1, 0, 0, 20.0, 0.0, 0.0)
NOTHING_KNOWN: Mapping[str, Known] = MappingProxyType({})


def exposure(person: str, minutes: int = 20, place: Place = PLACES[0], **changes: Any) -> Exposure:
    values: dict[str, Any] = {
        "from_visit": "case visit",
        "to_visit": f"visit of {person} {place.facility_id}",
        "from_person": INDEX,
        "to_person": person,
        "place": place,
        "zone": "igd",
        "role": "visitor",
        "start": START,
        "end": START + minutes * MINUTE_US,
    }
    return Exposure(**values | changes)


def listed(*exposures: Exposure) -> list[Candidate]:
    return candidates_of(exposures, ONSET, "onset")


def lists() -> st.SearchStrategy[list[Candidate]]:
    one = st.builds(
        lambda person, minutes, place, estimated: exposure(
            person, minutes, place, estimated_ends=("check-out",) if estimated else ()
        ),
        st.sampled_from(PERSONS),
        st.integers(15, 300),
        st.sampled_from(PLACES),
        st.booleans(),
    )
    return st.lists(one, max_size=10, unique_by=lambda met: met.to_visit).map(lambda met: listed(*met))


def standings() -> st.SearchStrategy[dict[str, Known]]:
    """What is known of people: some are unproven, of some it is not known how likely they were close."""
    likely = st.none() | st.builds(Likely, st.integers(0, 999_999), st.just(COUNTED))
    return st.dictionaries(st.sampled_from(PERSONS), st.builds(Known, likely, st.booleans()))


class Office:
    """Reads every alert of all offices, as they would, and remembers what each of them holds."""

    def __init__(self, limit: int = 50) -> None:
        self.limit = limit
        self.revision = 0
        self.before: list[Candidate] = []
        self.told: dict[str, Told] = {}
        self.persons: dict[str, str] = {}
        self.summaries: dict[str, AlertData] = {}
        self.held: dict[str, set[str]] = {}

    def ref(self, office: str, person: str | None) -> str:
        name = msgspec.json.encode([office, person and PERSONS.index(person)]).hex()
        if person:
            self.persons[name] = person
        return name

    def revise(self, after: list[Candidate], known: Mapping[str, Known] = NOTHING_KNOWN) -> list[AlertData]:
        self.revision += 1
        trace = Trace(revision=self.revision, rule="kmk-4641-2021", due_by=None, limit=self.limit)
        alerts = alerts_of(
            trace, self.before, after, {}, self.told, self.ref, ask=lambda one: known.get(one.person, Known())
        )
        for alert in alerts:
            told = self.told.get(alert.office, Told())
            persons = set(told.persons)
            if alert.action == "withdrawn":
                persons.discard(self.persons[alert.contact_ref])
            elif alert.action != "summary":
                persons.add(self.persons[alert.contact_ref])
            else:
                self.summaries[alert.office] = alert
            summary = told.summary or alert.action == "summary"
            self.told[alert.office] = Told(summary=summary, persons=frozenset(persons))
        self.before = after
        return alerts


def concerned(candidates: Iterable[Candidate], office: str) -> set[str]:
    return {one.person for one in candidates if office in offices_of(one)}


@given(st.lists(lists(), min_size=1, max_size=4))
def test_after_any_revisions_each_office_holds_exactly_its_candidates(revisions: list[list[Candidate]]) -> None:
    office = Office()
    for revision in revisions:
        office.revise(revision)
        for name in office.told:
            assert office.told[name].persons == concerned(revision, name)


@given(st.lists(lists(), min_size=1, max_size=4), st.integers(0, 3))
def test_with_a_limit_what_is_not_said_one_by_one_is_counted(revisions: list[list[Candidate]], limit: int) -> None:
    office = Office(limit)
    for revision in revisions:
        office.revise(revision)
        for name, told in office.told.items():
            assert len(told.persons) <= limit
            assert told.persons <= concerned(revision, name)
            if told.persons != concerned(revision, name):
                summary = office.summaries[name].summary
                assert summary is not None
                assert summary.candidates == len(concerned(revision, name))
                assert summary.sent_one_by_one == len(told.persons)


@given(lists(), standings(), st.integers(0, 8))
def test_an_office_is_told_the_first_of_the_list_one_by_one_in_its_order(
    candidates: list[Candidate], known: dict[str, Known], limit: int
) -> None:
    office = Office(limit)
    alerts = office.revise(candidates, known)
    by_rank = ranked(candidates, {one.key: known.get(one.person, Known()).standing for one in candidates})
    for name in office.told:
        told = [one for one in alerts if one.office == name and one.action == "added"]
        must = [one.person for one in by_rank if one.person in concerned(candidates, name)][:limit]
        assert [office.persons[one.contact_ref] for one in told] == must
        assert [one.rank for one in told] == list(range(1, len(must) + 1))


@given(st.lists(st.tuples(lists(), standings(), standings()), min_size=1, max_size=4), st.integers(0, 4))
def test_another_probability_alone_tells_nobody_anything(
    revisions: list[tuple[list[Candidate], dict[str, Known], dict[str, Known]]], limit: int
) -> None:
    office = Office(limit)
    for candidates, known, otherwise in revisions:
        office.revise(candidates, known)
        assert office.revise(candidates, otherwise) == []


@given(st.lists(st.tuples(lists(), standings()), min_size=2, max_size=4), st.integers(1, 4))
def test_a_freed_place_goes_to_the_first_of_the_list_who_is_not_told_yet(
    revisions: list[tuple[list[Candidate], dict[str, Known]]], limit: int
) -> None:
    office = Office(limit)
    for candidates, known in revisions:
        before = {name: told.persons for name, told in office.told.items()}
        alerts = office.revise(candidates, known)
        by_rank = ranked(candidates, {one.key: known.get(one.person, Known()).standing for one in candidates})
        for name in office.told:
            mine = [one.person for one in by_rank if one.person in concerned(candidates, name)]
            held = before.get(name, frozenset()) & set(mine)
            added = [office.persons[one.contact_ref] for one in alerts if (one.office, one.action) == (name, "added")]
            assert added == [one for one in mine if one not in held][: max(0, limit - len(held))]


def test_whom_several_met_is_the_same_to_an_office_whatever_is_likely() -> None:
    trace = Trace(revision=1, rule="r", due_by=None, limit=9, degrees=2)
    met = [
        exposure(PERSONS[0], 60, degree=2, from_person=PERSONS[1]),
        exposure(PERSONS[0], 30, degree=2, from_person=PERSONS[2], to_visit="another"),
    ]
    candidates = listed(*met)
    likelier = {PERSONS[2]: Known(Likely(900_000, COUNTED))}
    alerts = alerts_of(
        trace, [], candidates, {}, {}, Office().ref, ask=lambda one: likelier.get(one.from_person, Known())
    )
    assert {one.minutes_band for one in alerts if one.action == "added"} == {"60-239"}


@given(lists(), lists())
def test_the_same_revision_again_says_nothing(first: list[Candidate], second: list[Candidate]) -> None:
    office = Office(2)
    office.revise(first)
    office.revise(second)
    assert office.revise(list(reversed(second))) == []


@given(lists(), lists())
def test_no_alert_holds_a_person_the_index_case_or_a_day_of_the_case(
    first: list[Candidate], second: list[Candidate]
) -> None:
    office = Office()
    alerts = [*office.revise(first), *office.revise(second)]
    persons = {*PERSONS, INDEX}
    planted = persons | {one.replace("-", "") for one in persons} | {ONSET.isoformat(), "17 Jan", "onset", "day "}
    for alert in alerts:
        body = msgspec.json.encode(alert).decode()
        assert not [value for value in planted if value in body]


@given(lists())
def test_each_offices_summary_comes_first_and_ids_are_never_the_same(candidates: list[Candidate]) -> None:
    office = Office()
    alerts = [*office.revise(candidates), *office.revise([])]
    firsts = {alert.office: alert for alert in reversed(alerts)}
    assert all(alert.action == "summary" for alert in firsts.values())
    assert len({alert.alert_id for alert in alerts}) == len(alerts)


def test_an_office_sees_the_place_in_its_own_area() -> None:
    both = listed(exposure(PERSONS[0], 20, PLACES[0]), exposure(PERSONS[0], 60, PLACES[1]))
    shown = {alert.office: alert.facility_id for alert in Office().revise(both) if alert.action == "added"}
    assert shown == {"d3671": "RS-1", "p36": "RS-1", "d3171": "PKM-2", "p31": "PKM-2"}


def test_a_better_known_end_is_a_change_and_another_rank_is_none() -> None:
    office = Office()
    office.revise(listed(exposure(PERSONS[0], 20, estimated_ends=("check-out",)), exposure(PERSONS[1], 30)))
    known = listed(exposure(PERSONS[0], 20), exposure(PERSONS[1], 30))
    assert [(one.office, one.action, one.rank) for one in office.revise(known)] == [
        ("d3671", "changed", 2),
        ("p36", "changed", 2),
    ]
    longer = listed(exposure(PERSONS[0], 40), exposure(PERSONS[1], 30))
    assert {one.contact_ref for one in office.revise(longer)} == {
        office.ref(name, PERSONS[0]) for name in ("d3671", "p36")
    }


@pytest.mark.parametrize(
    ("minutes", "band"),
    [(14.9, "0-14"), (15, "15-29"), (29.99, "15-29"), (30, "30-59"), (60, "60-239"), (239, "60-239"), (240, "240+")],
)
def test_minutes_are_told_in_bands(minutes: float, band: str) -> None:
    assert minutes_band(int(minutes * MINUTE_US)) == band


def test_the_reason_says_where_how_long_when_and_what_was_estimated() -> None:
    met = (
        exposure(PERSONS[0], 42, estimated_ends=("check-out",)),
        exposure(PERSONS[0], 20, start=START + 300 * MINUTE_US, end=START + 320 * MINUTE_US, zone=""),
    )
    assert reason_of(met[:1], date(2026, 11, 4), "onset") == (
        "RSUD Tangerang, igd, 42 min together on 3 Nov, day \N{MINUS SIGN}1 of onset; check-out estimated"
    )
    assert reason_of(met, date(2026, 11, 1), "specimen") == (
        "RSUD Tangerang, igd, 42 min together on 3 Nov, day 2 of specimen; 2 meetings, 62 min in all;"
        " check-out estimated"
    )


def test_rank_is_time_together_then_person_and_place_that_of_the_longest_meeting() -> None:
    by_rank = listed(
        exposure(PERSONS[2], 30),
        exposure(PERSONS[1], 30),
        exposure(PERSONS[0], 20, PLACES[1]),
        exposure(PERSONS[0], 20, PLACES[0], start=START - MINUTE_US, end=START + 19 * MINUTE_US),
    )
    assert [one.person for one in by_rank] == [PERSONS[0], PERSONS[1], PERSONS[2]]
    assert by_rank[0].longest.place.facility_id == "RS-1"  # the earliest at a tie
    assert by_rank[0].overlap_us == 40 * MINUTE_US
