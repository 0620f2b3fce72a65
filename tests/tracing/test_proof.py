"""Scans that prove nobody's identity: marked, ranked after those that do, and known to whoever makes somebody black."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from schemas.settings import Settings
from tests.tracing.test_humans import join
from tests.tracing.test_places import scan
from tests.tracing.ward import Town, at, positive, somebody, town_in
from tracing.cases.proof import only_unproven, read_only_unproven
from tracing.cases.revision import read_candidates
from tracing.cases.rows import person_uuid
from tracing.cases.store import TraceView, read_trace
from tracing.instants import us_of
from tracing.store import connect
from tracing.visits import Visit

DAY = "2026-11-09"
_persons = count(40_000, 100)


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        yield made


@pytest.fixture
def people() -> list[str]:
    first = next(_persons)
    return [somebody(first + number) for number in range(10)]


def came(town: Town, person: str, start: str, end: str, assurance: str, under: str = "", **changes: object) -> Visit:
    """Store a visit of the day with the scan that opened it; `under` is another id of the same human."""
    visit = town.stay(under or person, "PKM-1", f"{DAY} {start}", f"{DAY} {end}", **changes)
    scan(town, under or person, "PKM-1", f"{DAY} {start}", "", scan_id=visit.visit_id, assurance=assurance)
    return visit


def listed(town: Town, person: str) -> tuple[TraceView, dict[str, str]]:
    """Return the trace of somebody's case, and whom its names stand for."""
    case_id = town.case(person)[0]
    view = read_trace(town.conn, case_id)
    town.conn.rollback()
    names = "select ref, replace(person::text, '-', '') from reference where case_id = %s and person is not null"
    return view, dict(town.ask(names, case_id))


def test_who_is_unproven_stands_after_all_proven_ones_whatever_is_likely(town: Town, people: list[str]) -> None:
    case, alike, guard, nurse = people[:4]
    came(town, case, "08:00", "10:00", "otp")
    came(town, alike, "08:01", "09:59", "self")
    came(town, guard, "06:00", "22:00", "officer_saw_id")
    came(town, nurse, "07:00", "21:00", "staff_account")
    (run,) = town.take(positive(case))
    view, named = listed(town, case)
    found = {named[one.contact_ref]: one for one in view.contacts}
    assert [named[one.contact_ref] for one in view.contacts][-1] == alike
    likely = {person: one.probability or 0 for person, one in found.items()}
    assert likely[alike] > max(likely[guard], likely[nurse]) > 0
    assert {person: one.unproven for person, one in found.items()} == {alike: True, guard: False, nurse: False}
    assert [person for person, one in found.items() if "identity not proven" in one.reason] == [alike]
    told = [one.data for one in run.alerts if one.data.office == "d3671" and one.data.contact_ref]
    assert [one.rank for one in told] == [1, 2, 3]
    assert ["identity not proven" in one.reason for one in told] == [False, False, True]


def test_one_meeting_that_is_proven_is_enough(town: Town, people: list[str]) -> None:
    case, other = people[:2]
    came(town, case, "06:00", "20:00", "otp")
    came(town, other, "08:00", "09:00", "self")
    came(town, other, "15:00", "16:00", "officer_saw_id")
    town.take(positive(case))
    view, _ = listed(town, case)
    assert [one.unproven for one in view.contacts] == [False]


def test_a_meeting_is_as_unproven_as_the_cases_own_visit(town: Town, people: list[str]) -> None:
    case, there, here = people[:3]
    came(town, case, "01:00", "03:00", "self")
    came(town, case, "05:00", "05:30", "otp")
    came(town, there, "01:00", "03:00", "otp")
    came(town, here, "05:00", "05:20", "otp")
    town.take(positive(case))
    view, named = listed(town, case)
    assert [(named[one.contact_ref], one.unproven) for one in view.contacts] == [(here, False), (there, True)]
    ref = view.contacts[1].contact_ref
    assert not only_unproven(town.conn, view.case_id, ref)  # his own scan is proven


def test_who_was_in_other_zones_all_the_while_stays_last(town: Town, people: list[str]) -> None:
    case, unproven, apart = people[:3]

    since = us_of(at(f"{DAY} 08:00"))
    came(town, case, "08:00", "10:00", "otp", zones=((since, "bangsal A"),))
    came(town, unproven, "08:00", "09:00", "self")
    came(town, apart, "08:00", "10:00", "otp", zones=((since, "poli gigi"),))
    town.take(positive(case))
    view, named = listed(town, case)
    assert [named[one.contact_ref] for one in view.contacts] == [unproven, apart]


def test_a_possible_source_is_marked_and_stands_after_those_who_are_proven(town: Town, people: list[str]) -> None:
    case, unproven, proven = people[:3]
    for person, start, assurance in ((case, "08:00", "otp"), (unproven, "08:00", "self"), (proven, "09:30", "otp")):
        visit = town.stay(person, "PKM-2", f"2026-11-02 {start}", "2026-11-02 10:00")
        scan(town, person, "PKM-2", f"2026-11-02 {start}", "", scan_id=visit.visit_id, assurance=assurance)
    town.take(positive(case))
    view, _ = listed(town, case)
    known = [one for one in view.sources if one.source_ref != "unknown"]
    assert [(one.unproven, one.overlap_minutes) for one in known] == [(False, 30.0), (True, 120.0)]


def test_a_contact_of_his_own_unproven_scans_alone_is_said_to_be_one(town: Town, people: list[str]) -> None:
    case, unproven, mixed, kept_no_scan = people[:4]
    came(town, case, "06:00", "20:00", "self")
    came(town, unproven, "08:00", "09:00", "self")
    came(town, unproven, "10:00", "11:00", "self")
    came(town, mixed, "08:00", "09:00", "self")
    came(town, mixed, "10:00", "11:00", "otp")
    town.stay(kept_no_scan, "PKM-1", f"{DAY} 08:00", f"{DAY} 09:00")
    town.take(positive(case))
    view, named = listed(town, case)
    refs = town.ask(
        "select office, ref, replace(person::text, '-', '') from reference where case_id = %s", view.case_id
    )
    gate = connect(town.settings, "jejak_gate")
    said = {(office, person): only_unproven(gate, view.case_id, ref) for office, ref, person in refs if person}
    for office in ("", "d3671", "p36"):
        mine = {person: flag for (of, person), flag in said.items() if of == office}
        assert mine == {unproven: True, mixed: False, kept_no_scan: False}
    (trace_id,) = town.ask("select trace_id from trace where case_id = %s", view.case_id)[0]
    with town.conn, town.conn.cursor() as cur:
        met = [one for candidate in read_candidates(cur, trace_id) for one in candidate.exposures]
        assert read_only_unproven(cur, met) == {person_uuid(unproven)}
        assert read_only_unproven(cur, []) == set()
    assert not only_unproven(gate, view.case_id, "nobody")
    assert not only_unproven(gate, "K999999", next(iter(named)))
    gate.close()


def test_a_scan_under_a_joined_id_is_found(town: Town, people: list[str]) -> None:
    case, other, second_id = people[:3]
    join(town, other, second_id)
    came(town, case, "08:00", "10:00", "otp")
    came(town, other, "08:00", "09:00", "self", under=max(other, second_id))
    town.take(positive(case))
    view, _ = listed(town, case)
    assert [one.unproven for one in view.contacts] == [True]
