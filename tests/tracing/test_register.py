"""Facts on a real database: who may open a case, what is a repeat, and what contradicts what is stored."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import count

import pytest
from msgspec.structs import replace

from schemas.errors import InvalidEvent
from schemas.settings import Settings
from tests.tracing.ward import ONSET, Town, decide, positive, request, somebody, town_in

_persons = count(500)


@pytest.fixture(scope="module")
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        yield made


@pytest.fixture
def person() -> str:
    return somebody(next(_persons))


def outcomes(town: Town, person: str) -> list[str]:
    rows = town.ask("select outcome from trace_request where replace(person::text, '-', '') = %s order by at", person)
    return [row[0] for row in rows]


def test_a_laboratorys_new_lab_ref_opens_and_a_used_one_waits(town: Town, person: str) -> None:
    town.take(positive(somebody(next(_persons)), lab_ref="A/7"))
    assert town.take(positive(person, lab_ref="A/7")) == []
    assert town.case(person)[1:4] == ("pending", "konfirmasi", "lab one")


def test_another_laboratory_may_use_the_same_number(town: Town, person: str) -> None:
    town.take(positive(somebody(next(_persons)), lab_ref="B/7"))
    town.take(positive(person, lab_ref="B/7", laboratory="LAB-2", by="lab two"))
    assert town.case(person)[1] == "open"


def test_a_result_that_supersedes_the_laboratorys_own_keeps_its_lab_ref(town: Town, person: str) -> None:
    early = positive(person, status="preliminary")
    town.take(early)
    assert town.case(person)[1:3] == ("pending", "probable")
    final = positive(person, lab_ref=early.lab_ref, supersedes=early.result_id)
    town.take(final)
    assert town.case(person)[1:3] == ("open", "konfirmasi")
    corrected = positive(person, lab_ref=early.lab_ref, supersedes=final.result_id, status="corrected")
    town.take(replace(corrected, date_onset=date(2026, 11, 9)))
    assert town.case(person)[1] == "open"
    assert town.ask('select date_onset from "case" where case_id = %s', town.case(person)[0]) == [(date(2026, 11, 9),)]


def test_who_is_no_laboratory_opens_nothing_by_himself(town: Town, person: str) -> None:
    town.take(positive(person, laboratory="", by="epi one", area="36.71"))
    assert town.case(person)[1] == "pending"
    town.take(request(person, "approve", by="epi one", case_id=town.case(person)[0]))
    assert town.case(person)[1] == "pending"
    assert outcomes(town, person) == ["who asked cannot approve"]


@pytest.mark.parametrize("wrong", ["laboratory", "person"])
def test_a_result_of_somebody_else_cannot_be_superseded(town: Town, person: str, wrong: str) -> None:
    first = positive(person)
    town.take(first)
    other = {"laboratory": "LAB-2", "by": "lab two"} if wrong == "laboratory" else {}
    about = person if wrong == "laboratory" else somebody(next(_persons))
    error = positive(about, status="entered_in_error", supersedes=first.result_id, lab_ref=first.lab_ref, **other)
    with pytest.raises(InvalidEvent) as caught:
        town.register(error)
    assert caught.value.field == "supersedes"
    assert town.case(person)[1] == "open"


def test_the_same_result_again_is_a_duplicate_and_another_under_its_id_is_refused(town: Town, person: str) -> None:
    fact = positive(person)
    assert [town.register(fact), town.register(fact)] == ["applied", "duplicate"]
    assert town.register(replace(fact, received_at=fact.reported_at)) == "duplicate"
    for changed in (replace(fact, test="antigen"), replace(fact, person_id=somebody(next(_persons)))):
        with pytest.raises(InvalidEvent) as caught:
            town.register(changed)
        assert caught.value.field == "result_id"
    assert town.case(person)[1] == "open"


def test_a_request_waits_is_approved_by_another_and_keeps_both_reasons(town: Town, person: str) -> None:
    first = request(person, date_onset=ONSET, reason="family cluster")
    assert [town.register(first), town.register(first)] == ["applied", "duplicate"]
    case_id = town.case(person)[0]
    town.take(request(person, "approve", by="epi one", case_id=case_id))
    (run,) = town.take(request(person, "approve", by="epi two", case_id=case_id, reason="seen the file"))
    assert run.revision == 1
    assert outcomes(town, person) == ["done", "who asked cannot approve", "done"]
    rows = town.ask('select reason, approved_reason, area from "case" where case_id = %s', case_id)
    assert rows == [("family cluster", "seen the file", "36.71")]


def test_black_never_comes_from_a_request_alone(town: Town, person: str) -> None:
    town.take(request(person, date_onset=ONSET))
    (run,) = town.take(request(person, "approve", by="epi two", case_id=town.case(person)[0]))
    assert run.messages == []


def test_a_refused_case_is_not_traced(town: Town, person: str) -> None:
    town.take(request(person, date_onset=ONSET))
    assert town.take(request(person, "refuse", by="epi two", case_id=town.case(person)[0])) == []
    assert town.case(person)[1:3] == ("refused", "discarded")


def test_a_request_id_used_for_something_else_is_refused(town: Town, person: str) -> None:
    first = request(person, date_onset=ONSET)
    town.register(first)
    with pytest.raises(InvalidEvent) as caught:
        town.register(replace(first, by="epi two"))
    assert caught.value.field == "request_id"


def test_a_decision_about_somebody_elses_case_is_refused_and_one_about_nobody_is_noted(town: Town, person: str) -> None:
    town.take(positive(person))
    case_id = town.case(person)[0]
    with pytest.raises(InvalidEvent) as caught:
        town.register(decide(somebody(next(_persons)), case_id, "ref", "confirmed"))
    assert caught.value.field == "case_id"
    assert town.register(decide(person, case_id, "nobody", "confirmed")) == "applied"
    assert town.ask("select outcome, person from contact_decision where case_id = %s", case_id) == [
        ("unknown contact", None)
    ]


def test_the_case_belongs_to_the_laboratorys_district(town: Town, person: str) -> None:
    town.take(positive(person, laboratory="LAB-2", by="lab two"))
    assert town.ask('select area from "case" where case_id = %s', town.case(person)[0]) == [("31.71",)]


def test_dated_numbers_are_those_of_their_day(town: Town) -> None:
    with town.as_role("jejak_owner") as cur:
        cur.execute("insert into setting_dated values ('episode_days', '2026-01-01', 30, 'a test')")
    try:
        person = somebody(next(_persons))
        for specimen in ("2026-03-01", "2026-04-15"):
            day = positive(person).specimen_at.replace(month=int(specimen[5:7]), day=int(specimen[8:]))
            town.take(positive(person, specimen_at=day, reported_at=day, date_onset=None))
        assert len(town.ask("select 1 from \"case\" where replace(person::text, '-', '') = %s", person)) == 2
    finally:
        with town.as_role("jejak_owner") as cur:
            cur.execute("delete from setting_dated where valid_from = '2026-01-01'")
