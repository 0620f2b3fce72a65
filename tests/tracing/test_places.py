"""Places that need care, each in the online trace: isolation, zones, rides, inpatients, and who hears of whom."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.settings import Settings
from tests.tracing.ward import Town, at, positive, request, somebody, town_in, uuid7
from tracing.cases.candidates import Place
from tracing.cases.onset import dated_days, days_on, stay_at_onset
from tracing.cases.places import Stay, kind_of, marks_of
from tracing.cases.rows import person_uuid
from tracing.cases.store import ContactView, read_trace
from tracing.instants import DAY_US, MINUTE_US, us_of
from tracing.job import Run, run_trace
from tracing.rulesets import rule_of

CASE = somebody(1)
PLACE = Place(1, "RS-1", "RSUD", "Asia/Jakarta", "36.71")


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        yield made


def zones(*steps: tuple[str, str]) -> tuple[tuple[int, str], ...]:
    return tuple((us_of(at(when)), zone) for when, zone in steps)


def contacts(town: Town, person_id: str = CASE) -> dict[str, ContactView]:
    """Return what the list says, by person."""
    case_id = town.case(person_id)[0]
    refs = dict(town.ask("select ref, replace(person::text, '-', '') from reference where case_id = %s", case_id))
    with town.conn:
        view = read_trace(town.conn, case_id)
    return {refs[one.contact_ref]: one for one in view.contacts}


def scan(town: Town, person_id: str, facility_id: str, when: str, group_id: str, **changes: Any) -> str:
    """Store a scan of a group entry; return its id."""
    values: dict[str, Any] = {
        "person": person_uuid(person_id),
        "scan_id": uuid7(),
        "facility_no": town.numbers[facility_id],
        "gate": "entrance",
        "at": at(when),
        "zone": "",
        "admitted": True,
        "role": "visitor",
        "channel": "officer",
        "digest": uuid7(),
        "accepted_at": at(when),
        "group_id": group_id,
        "refused_reason": "",
        "assurance": "self",
        "device_id": "",
        "entered_by": "",
        "received_at": at(when),
    }
    values |= changes
    with town.as_role("jejak_visits") as cur:
        cur.execute(
            f"insert into scan ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",  # noqa: S608 — our own columns
            list(values.values()),
        )
    return str(values["scan_id"])


def judge(town: Town, person_id: str, scan_id: str, decision: str, serial: int) -> None:
    with town.as_role("jejak_visits") as cur:
        cur.execute(
            "insert into scan_decision values (%s, %s, %s, 'officer', %s, %s, 'why', %s)",
            (person_uuid(person_id), scan_id, serial, decision, at("2026-11-09 08:00"), at("2026-11-09 08:00")),
        )


def isolated(town: Town) -> None:
    """An inpatient who came on 9 November and into isolation on the 11th, until the 20th."""
    steps = zones(("2026-11-09 08:00", "bangsal A"), ("2026-11-11 10:00", "isolasi 1"))
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-20 08:00", role="inpatient", zones=steps)


def test_an_isolation_zone_ends_the_window_for_everybody_outside_it(town: Town) -> None:
    isolated(town)
    before, outside = somebody(2), somebody(3)
    town.stay(before, "RS-1", "2026-11-11 20:00", "2026-11-11 21:00")
    town.stay(outside, "RS-1", "2026-11-12 08:00", "2026-11-12 12:00")
    town.take(positive(CASE))
    assert contacts(town).keys() == {before}
    view = read_trace(town.conn, town.case(CASE)[0])
    assert (view.date_isolation, view.isolated_by_zone) == (date(2026, 11, 11), True)
    assert view.window == ("2026-11-07T17:00:00Z", "2026-11-11T17:00:00Z")


def test_an_earlier_reported_isolation_stands(town: Town) -> None:
    isolated(town)
    town.stay(somebody(2), "RS-1", "2026-11-11 20:00", "2026-11-11 21:00")
    town.take(positive(CASE, date_isolation=date(2026, 11, 10)))
    view = read_trace(town.conn, town.case(CASE)[0])
    assert (view.date_isolation, view.isolated_by_zone, view.contacts) == (date(2026, 11, 10), False, ())


@pytest.mark.parametrize("role", ["visitor", "staff", "outpatient"])
def test_only_a_patient_is_isolated_by_an_isolation_zone(town: Town, role: str) -> None:
    steps = zones(("2026-11-09 08:00", "isolasi 1"))
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", role=role, zones=steps)
    town.take(positive(CASE))
    assert read_trace(town.conn, town.case(CASE)[0]).date_isolation is None


def test_an_isolation_that_was_over_before_the_window_says_nothing(town: Town) -> None:
    steps = zones(("2026-11-01 08:00", "isolasi 1"), ("2026-11-04 08:00", "bangsal A"))
    town.stay(CASE, "RS-1", "2026-11-01 08:00", "2026-11-12 12:00", role="inpatient", zones=steps)
    town.take(positive(CASE))
    assert read_trace(town.conn, town.case(CASE)[0]).date_isolation is None


def test_staff_in_isolation_are_the_infection_control_teams_and_have_no_rank(town: Town) -> None:
    isolated(town)
    nurse, doctor, visitor = somebody(2), somebody(3), somebody(4)
    inside = zones(("2026-11-13 08:00", "isolasi 1"))
    town.stay(nurse, "RS-1", "2026-11-13 08:00", "2026-11-13 15:00", role="staff", zones=inside)
    town.stay(doctor, "RS-1", "2026-11-10 08:00", "2026-11-10 09:00", role="staff")
    town.stay(visitor, "RS-1", "2026-11-10 08:00", "2026-11-10 08:20")
    (run,) = town.take(positive(CASE))
    found = contacts(town)
    assert {person: (one.rank, one.ppe_unknown) for person, one in found.items()} == {
        doctor: (1, False),
        visitor: (2, False),
        nurse: (0, True),
    }
    assert "protection unknown" in found[nurse].reason
    (team,) = read_trace(town.conn, town.case(CASE)[0]).teams
    assert (team.facility_id, team.contact_refs, team.ppe_unknown) == (
        "RS-1",
        (found[doctor].contact_ref,),
        (found[nurse].contact_ref,),
    )
    singles, (summary,) = _told(run, "d3671")
    assert len(singles) == 2
    assert (summary.candidates, summary.ppe_unknown) == (2, 1)


def _told(run: Run, office: str) -> tuple[list[Any], list[Any]]:
    data = [alert.data for alert in run.alerts if alert.data.office == office]
    return [one for one in data if one.action == "added"], [one.summary for one in data if one.summary]


def test_who_is_in_the_isolation_zone_and_no_staff_is_a_candidate_after_its_begin(town: Town) -> None:
    isolated(town)
    companion = somebody(2)
    inside = zones(("2026-11-14 08:00", "isolasi 1"))
    town.stay(companion, "RS-1", "2026-11-14 08:00", "2026-11-14 18:00", role="companion", zones=inside)
    elsewhere = zones(("2026-11-14 08:00", "isolasi 2"))
    town.stay(somebody(3), "RS-1", "2026-11-14 08:00", "2026-11-14 18:00", role="companion", zones=elsewhere)
    town.take(positive(CASE))
    found = contacts(town)
    assert found.keys() == {companion}
    assert (found[companion].rank, found[companion].ppe_unknown) == (1, False)


def test_staff_seen_without_a_mask_elsewhere_too_stay_in_the_ranking(town: Town) -> None:
    isolated(town)
    nurse = somebody(2)
    steps = zones(("2026-11-11 09:00", "bangsal A"), ("2026-11-11 10:30", "isolasi 1"))
    town.stay(nurse, "RS-1", "2026-11-11 09:00", "2026-11-11 15:00", role="staff", zones=steps)
    town.take(positive(CASE))
    assert (contacts(town)[nurse].rank, contacts(town)[nurse].ppe_unknown) == (1, False)


def test_a_late_zone_scan_moves_staff_from_the_office_to_the_team_and_says_so(town: Town) -> None:
    isolated(town)
    nurse = somebody(2)
    visit = town.stay(nurse, "RS-1", "2026-11-10 08:00", "2026-11-11 15:00", role="staff")
    (run,) = town.take(positive(CASE))
    assert len(_told(run, "d3671")[0]) == 1
    with town.as_role("jejak_visits") as cur:
        cur.execute("delete from visit_long where person = %s", (person_uuid(nurse),))
        cur.execute("delete from visit where person = %s and visit_id = %s", (person_uuid(nurse), visit.visit_id))
    inside = zones(("2026-11-11 10:00", "isolasi 1"))
    town.stay(nurse, "RS-1", "2026-11-11 10:00", "2026-11-11 15:00", role="staff", zones=inside)
    again = run_trace(town.conn, town.case(CASE)[0])
    data = [alert.data for alert in again.alerts if alert.data.office == "d3671"]
    assert [one.action for one in data] == ["summary", "withdrawn"]
    assert data[0].summary is not None
    assert (data[0].summary.candidates, data[0].summary.ppe_unknown) == (0, 1)
    assert "infection control team" in data[1].reason
    assert run_trace(town.conn, town.case(CASE)[0]).alerts == []


def test_different_zones_at_the_same_time_are_listed_apart_last(town: Town) -> None:
    here, there, near = zones(("2026-11-09 08:00", "bangsal A")), zones(("2026-11-09 08:05", "bangsal B")), ()
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", zones=here)
    town.stay(somebody(2), "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", zones=there)
    town.stay(somebody(3), "RS-1", "2026-11-09 08:00", "2026-11-09 08:15", zones=near)
    town.stay(somebody(4), "RS-1", "2026-11-09 08:00", "2026-11-09 09:00", zones=here)
    waiting = zones(("2026-11-09 08:00", "ruang tunggu"))
    town.stay(somebody(5), "RS-1", "2026-11-09 08:00", "2026-11-09 10:00", zones=waiting)
    (run,) = town.take(positive(CASE))
    found = contacts(town)
    assert {person: (one.rank, one.apart) for person, one in found.items()} == {
        somebody(4): (1, False),  # in the case's own zone
        somebody(5): (2, False),
        somebody(3): (3, False),
        somebody(2): (4, True),
    }
    assert "different zones" in found[somebody(2)].reason
    assert [one.rank for one in _told(run, "d3671")[0]] == [1, 2, 3, 4]


def test_what_a_facility_says_of_a_zone_goes_before_its_name(town: Town) -> None:
    with town.as_role("jejak_ops") as cur:
        cur.execute("insert into zone values (%s, 'bangsal B', 'waiting')", (town.numbers["RS-1"],))
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", zones=zones(("2026-11-09 08:00", "bangsal A")))
    there = zones(("2026-11-09 08:00", "bangsal B"))
    town.stay(somebody(2), "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", zones=there)
    town.take(positive(CASE))
    assert not contacts(town)[somebody(2)].apart


def test_who_rode_together_is_exposed_whatever_the_minutes_and_comes_first(town: Town) -> None:
    ride, crew, other, refused, voided, next_day = (somebody(number) for number in range(2, 8))
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", visit_id=(mine := uuid7()))
    scan(town, CASE, "RS-1", "2026-11-09 08:00", "AMB-1", scan_id=mine)
    for person, start, end in (
        (ride, "2026-11-09 08:01", "2026-11-09 08:04"),
        (crew, "2026-11-09 07:00", "2026-11-09 07:30"),
        (voided, "2026-11-09 08:01", "2026-11-09 08:04"),
        (next_day, "2026-11-11 08:01", "2026-11-11 08:04"),
    ):
        town.stay(person, "RS-1", start, end, visit_id=(visit := uuid7()), role="crew")
        opened = scan(town, person, "RS-1", start, "AMB-1", scan_id=visit)
        if person == voided:
            judge(town, person, opened, "clear", 1)
            judge(town, person, opened, "void", 2)
    scan(town, refused, "RS-1", "2026-11-09 08:02", "AMB-1", admitted=False)
    town.stay(other, "RS-1", "2026-11-09 08:00", "2026-11-09 11:00")
    town.take(positive(CASE))
    found = contacts(town)
    shown = {person: (one.rank, one.kind, one.overlap_minutes) for person, one in found.items()}
    assert shown == {ride: (1, "vehicle", 3.0), crew: (2, "vehicle", 0.0), other: (3, "place", 180.0)}
    assert "rode together" in found[crew].reason
    assert run_trace(town.conn, town.case(CASE)[0]).alerts == []


def test_a_ride_outside_the_window_is_none(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-05 08:00", "2026-11-05 12:00", visit_id=(mine := uuid7()))
    scan(town, CASE, "RS-1", "2026-11-05 08:00", "AMB-1", scan_id=mine)
    town.stay(somebody(2), "RS-1", "2026-11-05 08:00", "2026-11-05 12:00", visit_id=(visit := uuid7()))
    scan(town, somebody(2), "RS-1", "2026-11-05 08:00", "AMB-1", scan_id=visit)
    town.take(positive(CASE))
    assert contacts(town) == {}
    source = read_trace(town.conn, town.case(CASE)[0]).sources[0]
    assert (source.kind, source.overlap_minutes) == ("vehicle", 240.0)


def test_companions_come_and_go_and_each_time_with_a_patient_counts(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-08 08:00", "2026-11-12 08:00", role="inpatient")
    companion = somebody(2)
    for day in ("09", "10", "11"):
        town.stay(companion, "RS-1", f"2026-11-{day} 09:00", f"2026-11-{day} 10:00", role="companion")
        town.stay(companion, "RS-1", f"2026-11-{day} 10:30", f"2026-11-{day} 10:40", role="companion")
    town.take(positive(CASE))
    found = contacts(town)[companion]
    assert (found.role, found.overlaps, found.overlap_minutes) == ("companion", 3, 180.0)


@pytest.mark.parametrize(
    ("onset", "day", "kind"),
    [
        ("2026-10-31", 0, "community"),
        ("2026-11-02", 2, "community"),
        ("2026-11-03", 3, "indeterminate"),
        ("2026-11-07", 7, "indeterminate"),
        ("2026-11-08", 8, "probable"),
        ("2026-11-14", 14, "probable"),
        ("2026-11-15", 15, "definite"),
    ],
)
def test_the_day_of_stay_at_onset_says_where_an_inpatient_caught_it(onset: str, day: int, kind: str) -> None:
    stays = [_stay("2026-11-01 23:59", "2026-11-20 08:00", "inpatient")]
    found = stay_at_onset(stays, date.fromisoformat(onset))
    assert found is not None
    assert (found.day_of_stay, found.onset) == (day, kind)


def test_who_is_no_inpatient_or_left_before_has_no_day_of_stay() -> None:
    stays = [_stay("2026-11-01 08:00", "2026-11-20 08:00", "visitor")]
    assert stay_at_onset(stays, date(2026, 11, 5)) is None
    left = [_stay("2026-11-01 08:00", "2026-11-03 08:00", "inpatient")]
    assert stay_at_onset(left, date(2026, 11, 5)) is None


def test_the_days_that_tell_where_have_a_date_and_a_source() -> None:
    first = dated_days()[-1]
    assert first.source
    assert days_on(first.valid_from) == days_on(first.valid_from - timedelta(days=1)) == first


def test_a_trace_shows_the_day_of_stay_at_onset(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-02 08:00", "2026-11-20 08:00", role="inpatient")
    town.take(positive(CASE))
    found = read_trace(town.conn, town.case(CASE)[0]).stay_at_onset
    assert found is not None
    assert (found.facility_id, found.admitted, found.day_of_stay, found.onset) == (
        "RS-1",
        date(2026, 11, 2),
        9,
        "probable",
    )


def test_the_laboratory_that_reports_is_neither_a_place_nor_an_address(town: Town) -> None:
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
    town.stay(somebody(2), "RS-1", "2026-11-09 08:00", "2026-11-09 10:00")
    town.stay(somebody(3), "LAB-2", "2026-11-11 08:00", "2026-11-11 12:00")
    (run,) = town.take(positive(CASE, laboratory="LAB-2", by="lab two"))
    assert {alert.data.office for alert in run.alerts} == {"d3671", "p36"}
    assert contacts(town).keys() == {somebody(2)}
    assert {one.facility_id for one in read_trace(town.conn, town.case(CASE)[0]).sources} == {"RS-1", ""}


def test_nothing_that_a_trace_reads_knows_of_vaccination(town: Town) -> None:
    columns = town.ask(
        "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'"
    )
    assert columns
    assert not [name for (name,) in columns if "vaccin" in name or "vaksin" in name or "dose" in name]


@pytest.mark.parametrize(
    ("zone", "kind"),
    [
        ("Ruang Isolasi 3", "isolation"),
        ("isolation", "isolation"),
        ("ISOLASI-1", "isolation"),
        ("IGD", "emergency"),
        ("ruang tunggu poli", "waiting"),
        ("bangsal A", "ward"),
        ("Melati 3", ""),
        ("lab", "laboratory"),
        ("labour ward", "ward"),
        ("", ""),
    ],
)
def test_a_zone_is_what_a_word_of_its_name_says(zone: str, kind: str) -> None:
    assert kind_of(zone) == kind
    assert kind_of(zone, "staff") == "staff"


def _stay(start: str, end: str, role: str = "visitor", steps: tuple[tuple[int, str], ...] = ()) -> Stay:
    return Stay(uuid7(), "p", PLACE, us_of(at(start)), us_of(at(end)), False, False, role, steps)


@pytest.mark.parametrize("minutes", [0, 5, 14, 15, 30])
def test_unknown_time_that_would_count_by_itself_is_never_explained_by_zones(minutes: int) -> None:
    one = _stay("2026-11-09 08:00", "2026-11-09 12:00", steps=zones(("2026-11-09 08:00", "bangsal A")))
    start = us_of(at("2026-11-09 08:00"))
    other = _stay("2026-11-09 08:00", "2026-11-09 12:00", steps=((start + minutes * MINUTE_US, "bangsal B"),))
    (mark,) = marks_of(rule_of(), [(one, other, (start, start + DAY_US // 6))], {})
    assert mark.apart == (minutes < 15)


def test_a_request_for_another_day_zero_moves_the_isolation_with_it(town: Town) -> None:
    isolated(town)
    town.stay(somebody(2), "RS-1", "2026-11-09 09:00", "2026-11-09 10:00")
    town.take(positive(CASE))
    assert contacts(town).keys() == {somebody(2)}
    town.take(request(CASE, date_onset=date(2026, 11, 25)))
    view = read_trace(town.conn, town.case(CASE)[0])
    assert (view.date_isolation, view.contacts) == (None, ())
