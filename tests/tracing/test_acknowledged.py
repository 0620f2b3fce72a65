"""What an office acknowledged, as laws: data never withdraw it, it is reviewed once, and people end it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ops.audit.offices import Office as Audited
from schemas.codec import encode
from schemas.events import Alert, AlertData
from tests.tracing.test_alerts import PERSONS, START, concerned, exposure, listed, lists
from tracing.cases.acknowledged import Said, told_of
from tracing.cases.alerts import Told, Trace, alerts_of, offices_of
from tracing.cases.candidates import Candidate
from tracing.instants import utc_of


class Offices:
    """All that was said, some of it acknowledged; offices remember nothing that is not in it."""

    def __init__(self, limit: int = 50) -> None:
        self.limit = limit
        self.revision = 0
        self.before: list[Candidate] = []
        self.said: list[Said] = []
        self.data: list[AlertData] = []
        self.names: dict[tuple[str, str], Any] = {}

    def ref(self, office: str, person: str | None) -> str:
        name = f"{office} {PERSONS.index(person)}" if person else f"{office} case"
        if person:
            self.names[office, name] = person
        return name

    def told(self) -> dict[str, Told]:
        return {
            office: told_of([one for one in self.said if one.office == office], self.names)
            for office in {one.office for one in self.said}
        }

    def trace(self) -> Trace:
        return Trace(revision=self.revision, rule="kmk-4641-2021", due_by=None, limit=self.limit)

    def revise(self, after: list[Candidate], dropped: frozenset[str] = frozenset()) -> list[AlertData]:
        self.revision += 1
        alerts = alerts_of(self.trace(), self.before, after, {}, self.told(), self.ref, {}, dropped)
        for data in alerts:
            body = encode(Alert(id=data.alert_id, time=utc_of(START), data=data)).decode()
            self.said.append(Said(data.office, data.contact_ref, data.action, acknowledged=False, body=body))
        self.data += alerts
        self.before = after
        return alerts

    def acknowledge(self, which: Sequence[int]) -> None:
        for number in which:
            if self.said:
                at = number % len(self.said)
                self.said[at] = self.said[at]._replace(acknowledged=True)

    def complaints(self) -> list[str]:
        """Return what the audit says of all that was told, against the latest candidates."""
        everything = msgspec.structs.replace(self.trace(), limit=100)
        expected = alerts_of(everything, [], self.before, {}, {}, self.ref)
        found: list[str] = []
        for name in {data.office for data in [*expected, *self.data]}:
            Audited(
                name,
                [data for data in expected if data.office == name],
                {self.ref(name, one.person) for one in self.before if name in offices_of(one)},
                [(data.version, data) for data in self.data if data.office == name],
            ).check(self.trace(), lambda row, what: found.append(f"{row}: {what}"))
        return found


STEPS = st.lists(st.tuples(lists(), st.lists(st.integers(0, 30), max_size=4)), min_size=1, max_size=5)


@given(STEPS, st.integers(1, 6))
def test_what_was_acknowledged_is_never_withdrawn_by_data(
    steps: list[tuple[list[Candidate], list[int]]], limit: int
) -> None:
    offices = Offices(limit)
    for candidates, which in steps:
        known = {(name, person) for name, told in offices.told().items() for person in told.acknowledged}
        for alert in offices.revise(candidates):
            person = offices.names.get((alert.office, alert.contact_ref))
            assert alert.action != "withdrawn" or (alert.office, person) not in known
        for name, person in known:
            assert person in offices.told()[name].persons
        offices.acknowledge(which)
    assert offices.complaints() == []


@given(STEPS)
def test_an_office_holds_its_candidates_and_those_it_has_to_review(
    steps: list[tuple[list[Candidate], list[int]]],
) -> None:
    offices = Offices()
    for candidates, which in steps:
        offices.revise(candidates)
        for name, told in offices.told().items():
            assert told.persons - told.gone.keys() == concerned(candidates, name)
        offices.acknowledge(which)
        assert offices.revise(candidates) == []


@given(STEPS)
def test_whom_people_drop_leaves_the_list_with_his_last_meeting(
    steps: list[tuple[list[Candidate], list[int]]],
) -> None:
    offices = Offices()
    for candidates, which in steps:
        offices.revise(candidates)
        offices.acknowledge(which)
    offices.revise([], frozenset(PERSONS))
    for told in offices.told().values():
        assert told.persons == frozenset()


def test_a_place_that_is_freed_goes_to_the_next_in_rank_at_once() -> None:
    offices = Offices(limit=1)
    both = listed(exposure(PERSONS[0], 60), exposure(PERSONS[1], 30))
    offices.revise(both)
    news = [(one.office, one.action, one.contact_ref[-1:]) for one in offices.revise(both[1:])]
    assert ("d3671", "withdrawn", "0") in news
    assert ("d3671", "added", "1") in news


def test_who_moved_away_is_withdrawn_from_the_office_where_he_lived() -> None:
    offices = Offices()
    met = listed(exposure(PERSONS[0], 60))
    home = {PERSONS[0]: "31.71"}
    told = alerts_of(Trace(revision=1, rule="r", due_by=None, limit=9), [], met, home, {}, offices.ref)
    assert {one.office for one in told} == {"d3671", "p36", "d3171", "p31"}
    held = {office: Told(summary=True, persons=frozenset(PERSONS[:1])) for office in ("d3671", "p36", "d3171", "p31")}
    later = alerts_of(Trace(revision=2, rule="r", due_by=None, limit=9), met, met, {}, held, offices.ref)
    assert [(one.office, one.action) for one in later] == [("d3171", "withdrawn"), ("p31", "withdrawn")]
    found = alerts_of(Trace(revision=2, rule="r", due_by=None, limit=9), met, met, home, {}, offices.ref)
    assert {(one.office, one.action) for one in found if one.contact_ref} >= {("d3171", "added"), ("p31", "added")}
