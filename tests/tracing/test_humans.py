"""Joined ids: a trace sees one person, and sees two again once the join is undone."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest

from portal.joins import joins
from portal.joins.store import every
from schemas.events import Role, VisitChange, VisitState
from schemas.settings import Settings
from tests.tracing.ward import Town, decide, positive, somebody, town_in
from tracing.cases.humans import Humans
from tracing.cases.met import Met, halves
from tracing.cases.rows import person_uuid
from tracing.cases.touching import touched_by
from tracing.instants import utc_of
from tracing.job import run_trace

_persons = count(20_000, 10)
_hours = count(1)


@pytest.fixture(scope="module")
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as town:
        yield town


def ids(number: int) -> list[str]:
    first = next(_persons)
    return [somebody(first + n) for n in range(number)]


def stays(town: Town, *stays: tuple[str, int, int], day: str = "2026-11-09", hour: int) -> None:
    for person, start, end in stays:
        town.stay(person, "PKM-1", f"{day} {hour:02d}:{start:02d}", f"{day} {hour:02d}:{end:02d}")


def join(town: Town, one: str, other: str) -> int:
    with town.as_role("jejak_ops") as cur:
        number = joins.ask_to_join(cur.connection, one, other, who="ani", reason="one human")
        joins.approve(cur.connection, number, who="budi")
    return number


def part(town: Town, one: str, other: str) -> None:
    with town.as_role("jejak_ops") as cur:
        found = joins.ask_to_part(cur.connection, one, other, who="ani", reason="two brothers")
        joins.approve(cur.connection, found.join_id, who="budi")


def run_due(town: Town) -> set[str]:
    """Run what is due, as the standing worker does; return the cases."""
    due = {row[0] for row in town.ask("select case_id from trace where due")}
    for case_id in due:
        run_trace(town.conn, case_id)
    return due


def candidates(town: Town, case_id: str) -> dict[tuple[str, str], int]:
    """Return minutes by (from, to)."""
    rows = town.ask(
        "select replace(from_person::text, '-', ''), replace(person::text, '-', ''), overlap_us / 60000000"
        " from candidate join trace using (trace_id) where case_id = %s",
        case_id,
    )
    return {(one, other): minutes for one, other, minutes in rows}


def test_visits_under_both_ids_of_the_case_count_and_he_is_no_contact_of_himself(town: Town) -> None:
    hour = next(_hours)
    case, case_too, one, other = ids(4)
    stays(town, (case, 0, 20), (case_too, 10, 30), (one, 0, 20), hour=hour)
    stays(town, (case_too, 0, 50), (other, 10, 50), day="2026-11-08", hour=hour)
    town.take(positive(case))
    case_id = str(town.case(case)[0])
    assert candidates(town, case_id) == {(case, one): 20}  # ten minutes with his other id are too few
    stays(town, (case_too, 31, 58), (case, 31, 58), hour=hour)
    run_trace(town.conn, case_id)
    assert candidates(town, case_id) == {(case, one): 20, (case, case_too): 27}
    join(town, case_too, case)
    assert case_id in run_due(town)
    assert candidates(town, case_id) == {(case, one): 20, (case, other): 40}
    part(town, case, case_too)
    assert case_id in run_due(town)
    assert candidates(town, case_id) == {(case, one): 20, (case, case_too): 27}


def test_both_ids_of_a_candidate_are_one_candidate(town: Town) -> None:
    hour = next(_hours)
    case, one, one_too, one_three = ids(4)
    stays(town, (case, 0, 59), (one, 0, 20), (one_too, 25, 50), (one_three, 51, 57), hour=hour)
    town.take(positive(case))
    case_id = str(town.case(case)[0])
    assert candidates(town, case_id) == {(case, one): 20, (case, one_too): 25}
    number = join(town, one, one_too)
    assert run_due(town) == {case_id}
    assert candidates(town, case_id) == {(case, one): 45}
    join(town, one_too, one_three)  # and so the third is the first one too
    run_due(town)
    assert candidates(town, case_id) == {(case, one): 45}
    assert {name for row in town.ask("select to_person::text from exposure") for name in row} >= {person_uuid(one)}
    part(town, one, one_too)
    assert run_due(town) == {case_id}
    assert candidates(town, case_id) == {(case, one): 20, (case, one_too): 25}
    with town.as_role("jejak_ops") as cur:
        assert next(row.state for row in every(cur.connection) if row.join_id == number) == "undone"


def test_a_candidate_who_is_a_case_under_his_other_id_is_said_to_be_one(town: Town) -> None:
    hour = next(_hours)
    case, one, one_too = ids(3)
    stays(town, (case, 0, 59), (one, 0, 20), hour=hour)
    town.take(positive(case))
    town.take(positive(one_too))
    case_id = str(town.case(case)[0])
    said = "select already_case from candidate join trace using (trace_id) where case_id = %s"
    assert town.ask(said, case_id) == [(False,)]
    join(town, one, one_too)
    run_due(town)
    assert town.ask(said, case_id) == [(True,)]


def test_who_is_black_is_black_under_all_his_ids_until_they_are_parted(town: Town) -> None:
    hour = next(_hours)
    case, case_too, one, one_too = ids(4)
    stays(town, (case, 0, 59), (one_too, 0, 20), hour=hour)
    town.take(positive(case))
    case_id = str(town.case(case)[0])
    ref = town.ask("select contact_ref from candidate join trace using (trace_id) where case_id = %s", case_id)[0][0]
    town.take(decide(case, case_id, ref, "confirmed"))

    def black() -> set[str]:
        rows = town.ask("select replace(person::text, '-', '') from person_status where case_id = %s", case_id)
        return {row[0] for row in rows}

    assert black() == {case, one_too}
    join(town, case, case_too)
    join(town, one, one_too)
    run_due(town)
    assert black() == {case, case_too, one, one_too}
    part(town, case, case_too)
    part(town, one, one_too)
    run_due(town)
    assert black() == {case, one_too}


def test_second_degree_goes_on_from_where_a_contact_was_under_his_other_id(town: Town) -> None:
    hour = next(_hours)
    case, one, one_too, second = ids(4)
    stays(town, (case, 0, 59), (one, 0, 20), hour=hour)
    stays(town, (one_too, 0, 50), (second, 5, 45), day="2026-11-14", hour=hour)
    town.take(positive(case))
    case_id = str(town.case(case)[0])
    assert candidates(town, case_id) == {(case, one): 20}
    join(town, one, one_too)
    run_due(town)
    assert candidates(town, case_id) == {(case, one): 20, (one, second): 40}


def test_a_visit_under_the_other_id_touches_the_trace(town: Town) -> None:
    hour = next(_hours)
    case, case_too, stranger = ids(3)
    stays(town, (case, 0, 20), hour=hour)
    town.take(positive(case))
    case_id = str(town.case(case)[0])
    visit = town.stay(case_too, "RS-1", "2026-11-10 03:00", "2026-11-10 04:00")
    state = VisitState(
        facility_id="RS-1",
        check_in=utc_of(visit.check_in),
        check_out=utc_of(visit.check_out),
        check_in_estimated=False,
        check_out_estimated=False,
        role=Role.VISITOR,
    )
    change = VisitChange(visit_id=str(visit.visit_id), person_id=case_too, before=None, after=state)

    def touched() -> set[str]:
        with town.conn, town.conn.cursor() as cur:
            return {one.case_id for one in touched_by(cur, [change])}

    assert case_id not in touched()
    join(town, case, case_too)
    assert case_id in touched()
    part(town, case, case_too)
    assert case_id not in touched()
    assert stranger


def test_a_visit_that_came_late_under_the_other_id_is_said_to_have_come_late(town: Town) -> None:
    hour = next(_hours)
    case, one, one_too = sorted(ids(3))
    stays(town, (case, 0, 59), (one, 0, 20), hour=hour)
    join(town, one, one_too)
    town.take(positive(case))
    late = town.stay(one_too, "PKM-1", f"2026-11-09 {hour:02d}:30", f"2026-11-09 {hour:02d}:50")
    with town.as_role("jejak_visits") as cur:
        cur.execute(
            "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest,"
            " accepted_at, group_id, refused_reason, assurance, device_id, entered_by, received_at)"
            " values (%s, %s, %s, 'entrance', %s, '', true, 'visitor', 'app', gen_random_uuid(), now(), '', '', 'otp',"
            " '', '', now())",
            (late.person, late.visit_id, late.facility, utc_of(late.check_in)),
        )
    run = run_trace(town.conn, str(town.case(case)[0]))
    assert [alert.data.action for alert in run.alerts] == ["changed", "changed"]
    assert all(alert.data.reason.endswith("; a visit arrived late") for alert in run.alerts)


def test_everybody_who_is_joined_is_seen_as_one() -> None:
    ones = [f"00000000-0000-0000-0000-{n:012d}" for n in range(6)]
    humans = Humans({ones[1]: [ones[1], ones[4], ones[5]]})
    high, low = halves([ones[4], ones[0], ones[1], ones[5], ones[2]])
    zeros = np.zeros(5, dtype=np.int64)
    seen = humans.seen_met(Met(zeros, high, low, zeros, zeros))
    assert [seen.person(row) for row in range(5)] == [ones[1], ones[0], ones[1], ones[1], ones[2]]
    assert humans.all_ids([ones[0], ones[1]]) == [ones[0], ones[1], ones[4], ones[5]]
