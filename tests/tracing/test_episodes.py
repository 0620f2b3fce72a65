from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tracing.cases.episodes import cases_of, episodes, standing
from tracing.cases.facts import Case, Facts, Request, Result
from tracing.cases.requests import NO_DAY, NOT_PENDING, SELF_APPROVAL, UNKNOWN_CASE, judge
from tracing.instants import DAY_US, us_of

FIRST_DAY = us_of(datetime(2026, 11, 1, 3, tzinfo=UTC))
EPISODE_DAYS = 90
ONSET = date(2026, 11, 1)


def result(result_id: str, day: int = 0, **changes: Any) -> Result:
    values: dict[str, Any] = {
        "result_id": result_id,
        "laboratory": "LAB-1",
        "lab_ref": f"ref {result_id}",
        "by": "lab one",
        "result": "positive",
        "status": "final",
        "specimen_at": FIRST_DAY + day * DAY_US,
        "reported_at": FIRST_DAY + (day + 1) * DAY_US,
        "received_at": FIRST_DAY + (day + 1) * DAY_US,
        "opens": True,
    }
    return Result(**values | changes)


def asked(action: str = "request", by: str = "epi one", **changes: Any) -> Request:
    values: dict[str, Any] = {
        "request_id": f"request {by} {action}",
        "case_id": "",
        "action": action,
        "by": by,
        "role": "epidemiologist",
        "reason": "interview",
        "date_onset": ONSET if action == "request" else None,
        "at": FIRST_DAY,
    }
    return Request(**values | changes)


class Person:
    """A person to whom facts come one after another."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._numbers = count(1)

    def new_case_id(self) -> str:
        return f"K{next(self._numbers):02d}"

    def tested(self, *results: Result) -> "Person":
        for one in results:
            facts = replace(self.facts, results=(*self.facts.results, one))
            self._settle(facts, one.received_at)
        return self

    def asks(self, request: Request) -> str:
        judged, facts = judge(self.facts, request, EPISODE_DAYS, self.new_case_id)
        self._settle(facts, request.at)
        return judged.outcome

    def _settle(self, facts: Facts, at: int) -> None:
        told, cases = cases_of(facts, EPISODE_DAYS, at, self.new_case_id)
        self.facts = replace(told, cases=tuple(cases))

    @property
    def cases(self) -> dict[str, Case]:
        return {case.case_id: case for case in self.facts.cases}

    @property
    def states(self) -> list[str]:
        return [case.state for case in self.facts.cases]


def histories() -> st.SearchStrategy[list[Result]]:
    """Return results of one person, some of which supersede or take back others."""

    @st.composite
    def drawn(draw: st.DrawFn) -> list[Result]:
        made: list[Result] = []
        for number in range(draw(st.integers(1, 7))):
            older = draw(st.sampled_from([None, *made]))
            kind = draw(st.sampled_from(["final", "preliminary", "corrected", "entered_in_error"]))
            made.append(
                result(
                    f"r{number}",
                    draw(st.integers(0, 250)),
                    status=kind,
                    result=draw(st.sampled_from(["positive", "positive", "negative"])),
                    supersedes=older.result_id if older else None,
                    lab_ref=older.lab_ref if older else f"ref {number}",
                    date_onset=draw(st.sampled_from([None, ONSET, ONSET + timedelta(days=3)])),
                    reported_at=FIRST_DAY + draw(st.integers(0, 5)) * DAY_US,
                )
            )
        return made

    return drawn()


def alive(person: Person) -> list[tuple[Any, ...]]:
    """Return what follows from the facts alone: each living case with its results."""
    found = []
    for case in person.facts.cases:
        if case.state != "closed":
            own = sorted(r.result_id for r in standing(person.facts.results) if r.case_id == case.case_id)
            positives = [
                one for one in own if one in {r.result_id for r in person.facts.results if r.result == "positive"}
            ]
            days = (case.date_onset, case.date_specimen, case.date_isolation)
            found.append((positives, case.state, case.classification, *days))
    return sorted(found, key=repr)


@given(histories(), st.randoms(use_true_random=False))
def test_dates_class_and_results_of_living_cases_do_not_depend_on_the_order_of_results(
    history: list[Result], random: Any
) -> None:
    shuffled = random.sample(history, len(history))
    assert alive(Person().tested(*history)) == alive(Person().tested(*shuffled))


@given(histories())
def test_every_standing_positive_is_in_one_living_case_and_no_other_case_lives(history: list[Result]) -> None:
    person = Person().tested(*history)
    groups = episodes(person.facts.results, EPISODE_DAYS)
    homes = [{one.case_id for one in group} for group in groups]
    assert all(len(home) == 1 for home in homes)
    living = {case.case_id for case in person.facts.cases if case.state != "closed"}
    assert living == set().union(*homes)
    assert len(living) == len(groups)


@given(histories())
def test_no_two_results_of_a_case_are_further_apart_than_an_episode(history: list[Result]) -> None:
    for group in episodes(history, EPISODE_DAYS):
        assert (
            max(one.specimen_at for one in group) - min(one.specimen_at for one in group) < (EPISODE_DAYS + 1) * DAY_US
        )


def test_positives_within_ninety_days_are_one_case_and_later_ones_another() -> None:
    assert len(Person().tested(result("a"), result("b", 90)).cases) == 1
    assert len(Person().tested(result("a"), result("b", 91)).cases) == 2


def test_day_zero_is_the_onset_else_the_first_positives_day_in_the_laboratorys_time_zone() -> None:
    late = result("a", specimen_at=us_of(datetime(2026, 11, 1, 16, tzinfo=UTC)))
    (case,) = Person().tested(late).facts.cases
    assert case.day_zero == date(2026, 11, 1)
    (case,) = Person().tested(replace(late, time_zone="Asia/Jayapura")).facts.cases
    assert case.day_zero == date(2026, 11, 2)
    (case,) = Person().tested(late, result("b", 2, date_onset=date(2026, 10, 30))).facts.cases
    assert case.day_zero == date(2026, 10, 30)


def test_a_negative_result_makes_no_case_and_a_preliminary_one_waits() -> None:
    assert Person().tested(result("a", result="negative"), result("b", result="indeterminate")).cases == {}
    (case,) = Person().tested(result("a", status="preliminary", opens=False)).facts.cases
    assert (case.state, case.classification) == ("pending", "probable")


def test_a_final_result_that_supersedes_a_preliminary_one_opens_the_same_case() -> None:
    person = Person().tested(result("a", status="preliminary", opens=False), result("b", 1, supersedes="a"))
    (case,) = person.facts.cases
    assert (case.case_id, case.state, case.classification) == ("K01", "open", "konfirmasi")


def test_a_correction_to_negative_closes_and_one_back_to_positive_opens_the_same_case_again() -> None:
    person = Person().tested(result("a"), result("b", 1, supersedes="a", status="corrected", result="negative"))
    assert person.states == ["closed"]
    person.tested(result("c", 2, supersedes="b", status="corrected"))
    assert [(case.case_id, case.state, case.closed_at) for case in person.facts.cases] == [("K01", "open", None)]


def test_only_who_made_a_result_can_take_it_back() -> None:
    other = result("b", supersedes="a", status="entered_in_error", laboratory="LAB-2")
    assert Person().tested(result("a"), other).states == ["open"]
    assert Person().tested(result("a"), replace(other, laboratory="LAB-1")).states == ["closed"]


def test_entered_in_error_without_naming_a_result_takes_back_its_lab_ref() -> None:
    wrong = result("b", status="entered_in_error", lab_ref="ref a")
    assert Person().tested(result("a"), wrong).states == ["closed"]
    assert Person().tested(wrong, result("a")).cases == {}


def test_nobody_approves_what_he_asked_for() -> None:
    person = Person()
    assert person.asks(asked()) == "done"
    assert person.asks(asked("approve", case_id="K01")) == SELF_APPROVAL
    assert person.states == ["pending"]
    assert person.asks(asked("approve", "epi two", case_id="K01", reason="seen")) == "done"
    (case,) = person.facts.cases
    assert (case.state, case.classification, case.approved_by, case.approved_reason) == (
        "open",
        "suspek",
        "epi two",
        "seen",
    )
    assert person.asks(asked("approve", "epi three", case_id="K01")) == NOT_PENDING


def test_a_refused_case_waits_again_when_it_is_asked_for_again() -> None:
    person = Person()
    person.asks(asked())
    assert person.asks(asked("refuse", "epi two", case_id="K01")) == "done"
    assert [(case.state, case.classification) for case in person.facts.cases] == [("refused", "discarded")]
    assert person.asks(asked("approve", "epi three", case_id="K01")) == NOT_PENDING
    person.asks(asked(by="epi three"))
    assert person.states == ["pending"]
    assert person.asks(asked("approve", "epi three", case_id="K01")) == SELF_APPROVAL


def test_a_laboratory_opens_a_case_that_was_asked_for_or_refused() -> None:
    person = Person()
    person.asks(asked())
    person.tested(result("a", 2))
    assert [(case.case_id, case.state, case.classification) for case in person.facts.cases] == [
        ("K01", "open", "konfirmasi")
    ]
    assert person.asks(asked("approve", "epi two", case_id="K01")) == NOT_PENDING


def test_a_request_brings_a_day_that_was_not_known_and_the_latest_counts() -> None:
    person = Person().tested(result("a"))
    assert person.asks(asked(date_onset=ONSET - timedelta(days=2), at=FIRST_DAY + 5 * DAY_US)) == "done"
    assert person.cases["K01"].date_onset == ONSET - timedelta(days=2)
    assert person.cases["K01"].state == "open"
    person.tested(result("b", 1, date_onset=ONSET, reported_at=FIRST_DAY + 9 * DAY_US))
    assert person.cases["K01"].date_onset == ONSET


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (asked(date_onset=None), NO_DAY),
        (asked(case_id="K99"), UNKNOWN_CASE),
        (asked("approve", case_id="K99"), UNKNOWN_CASE),
        (asked("refuse"), UNKNOWN_CASE),
    ],
)
def test_what_cannot_be_done_is_said_and_makes_no_case(request_: Request, outcome: str) -> None:
    person = Person()
    assert person.asks(request_) == outcome
    assert person.cases == {}


def test_an_early_result_that_comes_late_divides_a_case_and_both_stay_open() -> None:
    person = Person().tested(result("b", 80), result("c", 120))
    assert list(person.cases) == ["K01"]
    person.tested(result("a", 0))
    assert {one.result_id: one.case_id for one in person.facts.results} == {"a": "K01", "b": "K01", "c": "K02"}
    assert person.states == ["open", "open"]
