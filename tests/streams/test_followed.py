"""What a trace reads besides visits: rides, zones, facilities, residences. Corrected, a full run finds no more."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from ops.store import OWNER
from schemas.events import Gate, Role, Scan, ScanDecision
from schemas.settings import Settings
from tests.streams.flow import ask, closing_after, person, scan
from tests.streams.late_town import Arrival
from tests.streams.test_standing_law import Town
from tests.tracing.ward import at, positive

NINE = at("2026-11-10 09:00")
MINUTE = timedelta(minutes=1)
ZONE = "kamar 7"
THERE = "from facility where facility_id = 'RS-1'"


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    made = Town(fresh_database(), Random(5))
    yield made
    made.fold.store.close()
    made.standing.store.close()
    made.standing.town.close()


def come(town: Town, *records: Scan | ScanDecision) -> None:
    """Fold records, and let the standing worker hear of it and run what is due."""
    town.take([Arrival(NINE, record) for record in records])
    town.standing.hear()


def stay(town: Town, who: str, where: str, minutes: int, **more: Any) -> list[Scan]:
    ends = ((NINE, Gate.ENTRANCE), (NINE + minutes * MINUTE, Gate.EXIT))
    return [scan(town.random, who, where, moment, gate, **more) for moment, gate in ends]


def trace(town: Town, who: str) -> None:
    town.standing.town.take(positive(who, specimen_at=at("2026-11-11 08:30"), date_onset=None))


def change(town: Town, sql: str, *values: object, role: str = "jejak_gate") -> None:
    """Change something no visit tells of, and let the standing worker run what is due."""
    with closing_after(town.fold.settings, role) as cur:
        cur.execute(sql, values)
    town.standing.store.tick()


def kinds(town: Town) -> list[str]:
    return [kind for (kind,) in ask(town.fold.settings, "select kind from exposure")]


def offices(town: Town) -> set[str]:
    return {office for office, _ in town.net()}


def assert_as_run_anew(town: Town) -> None:
    rows, net = town.rows(), town.net()
    town.run_anew()
    assert (town.rows(), town.net()) == (rows, net)


@pytest.fixture
def ridden(town: Town) -> Scan:
    """A case who came by ambulance, and the scan of who rode with him, which pairing ignores: he was there already."""
    case, driver = person(town.random), person(town.random)
    come(town, *stay(town, case, "RS-1", 30, group_id="ambulance 1"), *stay(town, driver, "PKM-1", 50))
    trace(town, case)
    assert kinds(town) == []
    return scan(town.random, driver, "PKM-1", NINE + 5 * MINUTE, group_id="ambulance 1")


def test_a_group_entry_that_comes_late_is_a_ride_also_where_it_moves_no_visit(town: Town, ridden: Scan) -> None:
    visits = ask(town.fold.settings, "select * from every_visit order by person")
    come(town, ridden)
    assert ask(town.fold.settings, "select * from every_visit order by person") == visits
    assert kinds(town) == ["vehicle"]
    town.fold.assert_equal_to_the_pure_fold()
    assert_as_run_anew(town)


def test_a_group_entry_that_is_voided_and_cleared_takes_its_ride_along(town: Town, ridden: Scan) -> None:
    come(town, ridden)
    for serial, (verdict, ride) in enumerate((("void", []), ("clear", ["vehicle"]), ("flag", []))):
        come(
            town,
            ScanDecision(
                scan_id=ridden.scan_id,
                person_id=ridden.person_id,
                scan_at=ridden.at,
                decision=verdict,  # type: ignore[arg-type] # msgspec takes the text
                serial=serial,
                by="officer",
            ),
        )
        assert kinds(town) == ride
    assert [one[1] for one in town.standing.alerts()] == ["added", "added", "withdrawn", "withdrawn"] * 2
    town.fold.assert_equal_to_the_pure_fold()
    assert_as_run_anew(town)


@pytest.fixture
def met(town: Town) -> str:
    """An inpatient who is a case, and one of staff who was in his room."""
    case, nurse = person(town.random), person(town.random)
    for who, role in ((case, Role.INPATIENT), (nurse, Role.STAFF)):
        moved = scan(town.random, who, "RS-1", NINE + MINUTE, Gate.ZONE, zone=ZONE, role=role)
        come(town, *stay(town, who, "RS-1", 90, role=role), moved)
    trace(town, case)
    return nurse


@pytest.mark.usefixtures("met")
def test_a_room_declared_for_isolation_isolates_who_lies_there_until_it_is_something_else(town: Town) -> None:
    seen = "select c.ppe_unknown, t.header ->> 'date_isolation' from candidate c join trace t using (trace_id)"
    assert ask(town.fold.settings, seen) == [(False, None)]
    for sql, isolated in (
        (f"insert into zone select facility_no, '{ZONE}', 'isolation' {THERE}", True),
        ("update zone set kind = 'ward'", False),
        ("update zone set kind = 'isolation'", True),
        ("delete from zone", False),
    ):
        change(town, sql)
        assert ask(town.fold.settings, seen) == [(isolated, "2026-11-10" if isolated else None)]
        assert_as_run_anew(town)


@pytest.mark.usefixtures("met")
def test_a_facility_found_to_be_elsewhere_changes_the_offices_that_are_told(town: Town) -> None:
    assert offices(town) == {"d3671", "p36"}
    change(town, "update facility set name = 'RS Baru', district = '31.71' where facility_id = 'RS-1'", role=OWNER)
    assert offices(town) == {"d3171", "p31"}
    ((reason,),) = ask(town.fold.settings, "select reason from candidate")
    assert reason.startswith("RS Baru, ")
    assert_as_run_anew(town)


def test_an_office_is_told_of_who_lives_there_once_it_is_known_and_when_he_lives_elsewhere(
    town: Town, met: str
) -> None:
    put = "insert into person_area values (%s, %s) on conflict (person) do update set district = excluded.district"
    for district, told in (("31.71", {"d3171", "p31"}), ("91.71", {"d9171", "p91"}), ("91.71", {"d9171", "p91"})):
        change(town, put, met, district)
        assert offices(town) == {"d3671", "p36"} | told
    assert [one[:2] for one in town.standing.alerts()[2:]] == [
        ("d3171", "added"), ("p31", "added"), ("d3171", "withdrawn"), ("d9171", "added"), ("p31", "withdrawn"),
        ("p91", "added"),
    ]  # fmt: skip
    assert_as_run_anew(town)


@pytest.mark.parametrize(
    "sql",
    [
        f"insert into zone select facility_no, '{ZONE}', 'isolation' {THERE}",
        "update facility set name = 'RS Baru' where facility_id = 'RS-1'",
        "insert into person_area select person, '31.71' from candidate",
    ],
)
@pytest.mark.usefixtures("met")
def test_a_closed_trace_stays_as_it_was(town: Town, sql: str) -> None:
    change(town, "update trace set closes_at = now() - interval '1 second'", role=OWNER)
    change(town, sql, role=OWNER)
    assert ask(town.fold.settings, "select state, revision, due from trace") == [("closed", 1, False)]
