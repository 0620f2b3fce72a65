"""A trace whose first days have been let go says so, and takes nothing back for it."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from schemas.settings import Settings
from tests.tracing.ward import Town, positive, somebody, town_in
from tracing.cases.store import read_trace
from tracing.job import run_trace

CASE, MET = somebody(1), somebody(2)
VISITS = "delete from visit"


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
        made.stay(MET, "RS-1", "2026-11-09 08:30", "2026-11-09 10:00")
        yield made


def let_go(town: Town, day: str) -> None:
    town.move_horizon(day)
    with town.as_role("jejak_owner") as cur:
        cur.execute(VISITS)


def test_a_run_that_would_see_less_than_the_one_before_changes_nothing_and_says_so(town: Town) -> None:
    town.take(positive(CASE))
    let_go(town, "2026-11-10")
    (run,) = town.take(positive(CASE, date_onset=date(2026, 11, 9)))
    assert (run.revision, run.candidates, run.alerts, run.messages) == (1, 1, [], [])
    view = read_trace(town.conn, town.case(CASE)[0])
    assert len(view.contacts) == 1
    assert view.lost_before == "2026-11-10"
    assert town.ask("select due from trace") == [(False,)]


def test_a_first_run_finds_what_is_left_and_says_what_is_not(town: Town) -> None:
    let_go(town, "2026-11-10")
    (run,) = town.take(positive(CASE))
    assert (run.revision, run.candidates) == (1, 0)
    assert read_trace(town.conn, town.case(CASE)[0]).lost_before == "2026-11-10"


@pytest.mark.parametrize(("day", "lost"), [("2026-10-25", ""), ("2026-10-29", "2026-10-29")])
def test_a_horizon_before_all_that_a_trace_looks_at_is_none_of_its_business(town: Town, day: str, lost: str) -> None:
    town.move_horizon(day)
    town.take(positive(CASE))
    with town.conn:
        assert read_trace(town.conn, town.case(CASE)[0]).lost_before == lost
    town.stay(somebody(3), "RS-1", "2026-11-09 08:30", "2026-11-09 10:00")
    assert run_trace(town.conn, town.case(CASE)[0]).candidates == (1 if lost else 2)


def test_what_was_entered_in_error_is_taken_back_whatever_has_been_let_go(town: Town) -> None:
    first = positive(CASE)
    town.take(first)
    let_go(town, "2026-11-20")
    error = positive(CASE, status="entered_in_error", supersedes=first.result_id, lab_ref=first.lab_ref)
    (run,) = town.take(error)
    assert (run.candidates, {one.data.action for one in run.alerts}) == (0, {"withdrawn"})
