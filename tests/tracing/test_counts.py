"""Each sentence of the counts contract, by example."""

from time import process_time

import pytest

from tests.tracing.persons import DAY, MINUTE, at
from tests.tracing.test_visits import scan
from tracing.counts import Counts, FacilityHour, add, counts_of, subtract
from tracing.records import SeenScan
from tracing.visits import visits_of


def counted(*scans: SeenScan) -> dict[FacilityHour, Counts]:
    return counts_of(visits_of(scans), scans)


def officer(
    gate: str, clock: str, *, admitted: bool = True, decision: str | None = None, scan_id: str = "s"
) -> SeenScan:
    return SeenScan(
        scan_id, "p", "KL", "clinic", "Asia/Jakarta", gate, "", at(clock), admitted, "unknown", "officer", decision
    )


def test_arrival_departure_and_presence_go_to_their_own_hours() -> None:
    assert counted(scan("entrance", "KL", "08:45"), scan("exit", "KL", "10:10")) == {
        ("KL", at("08:00")): Counts(arrivals=1, visitors=1, person_us=15 * MINUTE),
        ("KL", at("09:00")): Counts(visitors=1, person_us=60 * MINUTE),
        ("KL", at("10:00")): Counts(departures=1, visitors=1, person_us=10 * MINUTE),
    }


def test_a_departure_on_the_full_hour_belongs_to_the_hour_that_begins_without_a_visitor() -> None:
    assert counted(scan("entrance", "KL", "08:00"), scan("exit", "KL", "09:00")) == {
        ("KL", at("08:00")): Counts(arrivals=1, visitors=1, person_us=60 * MINUTE),
        ("KL", at("09:00")): Counts(departures=1),
    }


def test_a_visit_of_zero_length_arrives_and_departs_but_is_no_visitor() -> None:
    assert counted(scan("entrance", "KL", "08:30", scan_id="a"), scan("exit", "KL", "08:30", scan_id="b")) == {
        ("KL", at("08:00")): Counts(arrivals=1, departures=1)
    }


def test_each_estimated_end_counts_one_in_its_own_hour() -> None:
    counts = counted(scan("entrance", "KL", "08:00"))
    assert [(hour, count.estimated) for (_, hour), count in counts.items()] == [
        (at("08:00"), 0),
        (at("10:00"), 1),
        (at("09:00"), 0),
    ]
    orphan = counted(scan("exit", "LAB", "08:30"))
    assert orphan["LAB", at("07:00")].estimated == 1
    assert orphan["LAB", at("08:00")].estimated == 0


def test_a_person_who_comes_twice_in_an_hour_is_one_visitor() -> None:
    scans = [
        scan(*step) for step in (("entrance", "KL", "08:00"), ("exit", "KL", "08:10"), ("entrance", "KL", "08:30"))
    ]
    counts = counted(*scans, scan("exit", "KL", "08:40"))
    assert counts == {("KL", at("08:00")): Counts(arrivals=2, departures=2, visitors=1, person_us=20 * MINUTE)}


def test_a_refused_scan_counts_once_in_its_hour() -> None:
    refused = scan("entrance", "KL", "08:30", admitted=False)
    assert counted(refused, refused) == {("KL", at("08:00")): Counts(refused=1)}


def test_an_admitted_officers_scan_is_manual_even_when_pairing_ignores_it() -> None:
    counts = counted(officer("entrance", "08:00", scan_id="a"), officer("entrance", "08:05", scan_id="b"))
    assert counts["KL", at("08:00")].manual == 2
    assert counts["KL", at("08:00")].arrivals == 1


def test_a_refused_officers_scan_is_refused_and_not_manual() -> None:
    assert counted(officer("entrance", "08:00", admitted=False)) == {("KL", at("08:00")): Counts(refused=1)}


@pytest.mark.parametrize("admitted", [True, False])
def test_a_flagged_scan_is_only_flagged_and_a_void_one_nothing(admitted: bool) -> None:  # noqa: FBT001 — a parameter of the table
    flagged = officer("entrance", "08:00", admitted=admitted, decision="flag")
    assert counted(flagged, flagged) == {("KL", at("08:00")): Counts(flagged=1)}
    assert counted(officer("entrance", "08:00", admitted=admitted, decision="void")) == {}


def test_a_cleared_scan_counts_as_if_never_judged() -> None:
    assert counted(officer("exit", "08:00", decision="clear")) == counted(officer("exit", "08:00"))


def test_hours_are_those_of_the_facilitys_own_zone() -> None:
    opening = SeenScan("a", "p", "K", "clinic", "Asia/Kathmandu", "entrance", "", at("08:00"))  # 06:45 there
    assert min(hour for _, hour in counted(opening)) == at("07:15")


def test_a_difference_names_only_what_changed_and_takes_an_hour_away_again() -> None:
    early = [scan("entrance", "KL", "08:00")]
    late = [*early, scan("exit", "KL", "08:30")]
    before, after = counted(*early), counted(*late)
    difference = subtract(after, before)
    assert difference["KL", at("08:00")] == Counts(departures=1, person_us=-30 * MINUTE)
    assert difference["KL", at("10:00")] == Counts(departures=-1, estimated=-1)
    add(before, difference)
    assert before == after
    assert ("KL", at("10:00")) not in before


def test_a_month_in_hospital_is_counted_in_milliseconds() -> None:
    stay = scan("entrance", "RS", "08:00", role="inpatient")
    started = process_time()
    counts = counted(stay)
    assert process_time() - started < 0.5
    assert len(counts) == 721
    assert sum(count.person_us for count in counts.values()) == 30 * DAY
