"""Each sentence of the pairing contract, by example."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.tracing.persons import DAY, MINUTE, at
from tracing.records import SeenScan
from tracing.stays import DEFAULT_RULES, StayRule, Stays
from tracing.visits import Visit, visits_of

KINDS = {"RS": "hospital", "PKM": "puskesmas", "KL": "clinic", "KL2": "clinic", "LAB": "laboratory"}
numbers: Iterator[int] = count()


def scan(
    gate: str,
    facility: str,
    clock: str | int,
    *,
    scan_id: str = "",
    zone: str = "",
    admitted: bool = True,
    role: str = "unknown",
    decision: str | None = None,
) -> SeenScan:
    return SeenScan(
        scan_id or f"scan-{next(numbers):06}",
        "p",
        facility,
        KINDS[facility],
        "Asia/Jakarta",
        gate,
        zone,
        at(clock) if isinstance(clock, str) else clock,
        admitted,
        role,
        "app",
        decision,
    )


def ends(visits: list[Visit]) -> list[tuple[str, int, int, str]]:
    """Return facility, both ends, and which end is estimated."""
    marks = {(False, False): "recorded", (True, False): "in estimated", (False, True): "out estimated"}
    return [
        (str(v.facility), v.check_in, v.check_out, marks[v.check_in_estimated, v.check_out_estimated]) for v in visits
    ]


def test_entrance_and_exit_make_a_recorded_visit() -> None:
    visits = visits_of([scan("entrance", "KL", "08:00"), scan("exit", "KL", "09:00")])
    assert ends(visits) == [("KL", at("08:00"), at("09:00"), "recorded")]


def test_a_visit_is_named_by_the_scan_that_opened_it_and_has_its_role() -> None:
    opening = scan("entrance", "KL", "08:00", scan_id="b", role="staff")
    (visit,) = visits_of([opening, scan("exit", "KL", "09:00", scan_id="a", role="visitor")])
    assert (visit.visit_id, visit.role, visit.person, visit.kind) == ("b", "staff", "p", "clinic")
    assert visit.time_zone == "Asia/Jakarta"


@pytest.mark.parametrize("decision", ["void", "flag"])
def test_a_void_or_flagged_scan_is_not_seen(decision: str) -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL", "08:30", decision=decision)]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("10:00"), "out estimated")]


def test_a_cleared_scan_is_seen() -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL", "08:30", decision="clear")]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("08:30"), "recorded")]


def test_a_refused_scan_is_not_seen() -> None:
    assert visits_of([scan("entrance", "KL", "08:00", admitted=False)]) == []


def test_scans_of_the_same_time_are_ordered_by_the_code_points_of_their_ids() -> None:
    leaves_last = [scan("entrance", "KL", "08:00", scan_id="B"), scan("exit", "KL", "08:00", scan_id="a")]
    assert ends(visits_of(leaves_last)) == [("KL", at("08:00"), at("08:00"), "recorded")]
    enters_last = [scan("entrance", "KL", "08:00", scan_id="a"), scan("exit", "KL", "08:00", scan_id="B")]
    assert ends(visits_of(enters_last)) == [
        ("KL", at("06:00"), at("08:00"), "in estimated"),
        ("KL", at("08:00"), at("10:00"), "out estimated"),
    ]


@pytest.mark.parametrize(("kind", "minutes"), [("RS", 240), ("PKM", 120), ("KL", 120), ("LAB", 60)])
def test_a_stay_without_exit_lasts_as_long_as_its_kind_assumes(kind: str, minutes: int) -> None:
    assert ends(visits_of([scan("entrance", kind, "08:00")])) == [
        (kind, at("08:00"), at("08:00") + minutes * MINUTE, "out estimated")
    ]


def test_an_entrance_within_ten_minutes_of_the_latest_scan_is_ignored() -> None:
    scans = [
        scan("entrance", "KL", "08:00", scan_id="first"),
        scan("entrance", "KL", "08:10"),
        scan("exit", "KL", "09:00"),
    ]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("09:00"), "recorded")]
    assert visits_of(scans)[0].visit_id == "first"


def test_an_ignored_entrance_becomes_the_latest_scan_of_its_visit() -> None:
    scans = [scan("entrance", "LAB", f"{8 + minute // 60:02}:{minute % 60:02}") for minute in range(0, 71, 10)]
    assert ends(visits_of(scans)) == [("LAB", at("08:00"), at("09:10"), "out estimated")]


def test_an_entrance_one_microsecond_after_ten_minutes_opens_a_new_visit() -> None:
    again = at("08:10") + 1
    assert ends(visits_of([scan("entrance", "KL", "08:00"), scan("entrance", "KL", again)])) == [
        ("KL", at("08:00"), again, "out estimated"),
        ("KL", again, again + 120 * MINUTE, "out estimated"),
    ]


def test_a_zone_scan_moves_the_ten_minutes_of_an_entrance() -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("zone", "KL", "08:08", zone="A"), scan("entrance", "KL", "08:15")]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("10:00"), "out estimated")]


def test_an_entrance_elsewhere_closes_the_open_visit_at_once_however_soon() -> None:
    assert ends(visits_of([scan("entrance", "KL", "08:00"), scan("entrance", "KL2", "08:05")])) == [
        ("KL", at("08:00"), at("08:05"), "out estimated"),
        ("KL2", at("08:05"), at("10:05"), "out estimated"),
    ]


def test_an_entrance_much_later_closes_the_open_visit_at_its_estimated_end() -> None:
    assert ends(visits_of([scan("entrance", "LAB", "08:00"), scan("entrance", "KL", "14:00")])) == [
        ("LAB", at("08:00"), at("09:00"), "out estimated"),
        ("KL", at("14:00"), at("16:00"), "out estimated"),
    ]


def test_an_estimated_end_is_never_before_the_visits_latest_scan() -> None:
    scans = [scan("entrance", "LAB", "08:00"), scan("zone", "LAB", "11:30", zone="A"), scan("entrance", "KL", "14:00")]
    assert ends(visits_of(scans))[0] == ("LAB", at("08:00"), at("11:30"), "out estimated")


def test_an_estimated_end_uses_the_kind_of_its_own_facility() -> None:
    assert ends(visits_of([scan("entrance", "RS", "08:00"), scan("exit", "LAB", "18:00")])) == [
        ("RS", at("08:00"), at("12:00"), "out estimated"),
        ("LAB", at("17:00"), at("18:00"), "in estimated"),
    ]


def test_an_exit_within_ten_minutes_of_an_exit_there_is_ignored_and_counts_for_the_next() -> None:
    clocks = ["09:00", "09:10", "09:20", "09:30"]
    scans = [scan("entrance", "KL", "08:00"), *(scan("exit", "KL", clock) for clock in clocks)]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("09:00"), "recorded")]


def test_an_exit_after_an_orphans_exit_is_ignored_within_ten_minutes_and_no_longer() -> None:
    orphan = ("KL", at("07:00"), at("09:00"), "in estimated")
    assert ends(visits_of([scan("exit", "KL", "09:00"), scan("exit", "KL", "09:10")])) == [orphan]
    late = at("09:10") + 1
    assert ends(visits_of([scan("exit", "KL", "09:00"), scan("exit", "KL", late)])) == [
        orphan,
        ("KL", at("09:00"), late, "in estimated"),
    ]


def test_an_exit_is_not_ignored_when_another_scan_came_between() -> None:
    scans = [scan("exit", "KL", "09:00"), scan("entrance", "KL", "09:02"), scan("exit", "KL", "09:05")]
    assert ends(visits_of(scans))[1:] == [("KL", at("09:02"), at("09:05"), "recorded")]
    elsewhere = [scan("exit", "KL", "09:00"), scan("exit", "KL2", "09:02"), scan("exit", "KL", "09:05")]
    assert ends(visits_of(elsewhere))[1:] == [
        ("KL2", at("09:00"), at("09:02"), "in estimated"),
        ("KL", at("09:02"), at("09:05"), "in estimated"),
    ]


def test_a_scan_that_pairing_does_not_see_does_not_come_between_two_exits() -> None:
    unseen = scan("entrance", "KL2", "09:02", admitted=False)
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL", "09:00"), unseen, scan("exit", "KL", "09:05")]
    assert ends(visits_of(scans)) == [("KL", at("08:00"), at("09:00"), "recorded")]


@pytest.mark.parametrize(("facility", "longest"), [("RS", 30 * DAY), ("KL", DAY), ("PKM", DAY), ("LAB", DAY)])
def test_an_exit_closes_a_visit_up_to_the_longest_stay_of_its_kind(facility: str, longest: int) -> None:
    in_time = at("08:00") + longest
    assert ends(visits_of([scan("entrance", facility, "08:00"), scan("exit", facility, in_time)])) == [
        (facility, at("08:00"), in_time, "recorded")
    ]
    closed, orphan = ends(visits_of([scan("entrance", facility, "08:00"), scan("exit", facility, in_time + 1)]))
    assert closed[3] == "out estimated"
    assert orphan[2:] == (in_time + 1, "in estimated")


def test_an_exit_elsewhere_closes_the_open_visit_and_is_an_orphan_that_begins_at_its_end() -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL2", "08:45", scan_id="orphan")]
    assert ends(visits_of(scans)) == [
        ("KL", at("08:00"), at("08:45"), "out estimated"),
        ("KL2", at("08:45"), at("08:45"), "in estimated"),
    ]
    assert visits_of(scans)[1].visit_id == "orphan"


def test_an_orphan_does_not_begin_before_the_end_of_the_previous_visit() -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL", "08:50"), scan("exit", "KL2", "09:30")]
    assert ends(visits_of(scans))[1] == ("KL2", at("08:50"), at("09:30"), "in estimated")


def test_an_inpatient_is_assumed_to_stay_as_long_as_he_may() -> None:
    (visit,) = visits_of([scan("entrance", "RS", "08:00", role="inpatient")])
    assert visit.check_out == at("08:00") + 30 * DAY
    (orphan,) = visits_of([scan("exit", "RS", "08:00", role="inpatient")])
    assert orphan.check_in == at("08:00") - 30 * DAY


def test_only_the_role_of_the_opening_scan_makes_an_inpatient() -> None:
    scans = [scan("entrance", "RS", "08:00"), scan("zone", "RS", "08:30", zone="A", role="inpatient")]
    assert ends(visits_of(scans)) == [("RS", at("08:00"), at("12:00"), "out estimated")]


def test_zones_are_kept_in_their_order_and_do_not_change_the_visit() -> None:
    scans = [
        scan("entrance", "RS", "08:00"),
        scan("zone", "RS", "08:05", zone="IGD"),
        scan("zone", "RS", "09:00", zone="ward B"),
        scan("exit", "RS", "10:00"),
    ]
    (visit,) = visits_of(scans)
    assert visit.zones == ((at("08:05"), "IGD"), (at("09:00"), "ward B"))
    assert ends([visit]) == [("RS", at("08:00"), at("10:00"), "recorded")]


def test_a_zone_without_an_open_visit_opens_one_with_that_first_zone() -> None:
    (visit,) = visits_of([scan("zone", "RS", "08:00", zone="ICU", scan_id="z")])
    assert (visit.visit_id, visit.zones) == ("z", ((at("08:00"), "ICU"),))
    assert ends([visit]) == [("RS", at("08:00"), at("12:00"), "out estimated")]


def test_an_entrance_that_names_a_zone_opens_a_visit_in_it() -> None:
    (visit,) = visits_of([scan("entrance", "RS", "08:00", zone="IGD")])
    assert visit.zones == ((at("08:00"), "IGD"),)


def test_a_zone_elsewhere_closes_the_open_visit_as_an_entrance_does() -> None:
    assert ends(visits_of([scan("entrance", "KL", "08:00"), scan("zone", "KL2", "08:30", zone="A")])) == [
        ("KL", at("08:00"), at("08:30"), "out estimated"),
        ("KL2", at("08:30"), at("10:30"), "out estimated"),
    ]


def test_a_zone_past_the_longest_stay_is_an_entrance() -> None:
    late = at("08:00") + DAY + 1
    visits = visits_of([scan("entrance", "KL", "08:00"), scan("zone", "KL", late, zone="A")])
    assert ends(visits) == [
        ("KL", at("08:00"), at("10:00"), "out estimated"),
        ("KL", late, late + 120 * MINUTE, "out estimated"),
    ]
    assert visits[1].zones == ((late, "A"),)


def test_a_zone_past_the_longest_stay_but_near_the_latest_scan_is_ignored_like_an_entrance() -> None:
    last_zone = at("08:00") + DAY
    scans = [
        scan("entrance", "KL", "08:00"),
        scan("zone", "KL", last_zone, zone="A"),
        scan("zone", "KL", last_zone + 5 * MINUTE, zone="B"),
    ]
    (visit,) = visits_of(scans)
    assert visit.check_out == last_zone + 5 * MINUTE
    assert visit.zones == ((last_zone, "A"),)


def test_the_next_entrance_after_an_exit_opens_a_new_visit_however_soon() -> None:
    scans = [scan("entrance", "KL", "08:00"), scan("exit", "KL", "09:00"), scan("entrance", "KL", "09:01")]
    assert ends(visits_of(scans))[1] == ("KL", at("09:01"), at("11:01"), "out estimated")


def test_the_values_in_force_at_the_opening_scan_hold_for_the_whole_visit() -> None:
    change = StayRule(at("09:00"), "clinic", 30 * MINUTE, 45 * MINUTE)
    stays = Stays([*DEFAULT_RULES, change])
    before = [scan("entrance", "KL", at("09:00") - 1), scan("exit", "KL", "10:00")]
    assert ends(visits_of(before, stays)) == [("KL", at("09:00") - 1, at("10:00"), "recorded")]
    after = [scan("entrance", "KL", "09:00"), scan("exit", "KL", "10:00")]
    assert ends(visits_of(after, stays)) == [
        ("KL", at("09:00"), at("09:30"), "out estimated"),
        ("KL", at("09:30"), at("10:00"), "in estimated"),
    ]


def test_an_orphan_is_opened_by_its_exit_so_the_values_of_that_time_hold() -> None:
    stays = Stays([*DEFAULT_RULES, StayRule(at("09:00"), "clinic", 30 * MINUTE, 45 * MINUTE)])
    assert ends(visits_of([scan("exit", "KL", "09:00")], stays)) == [("KL", at("08:30"), at("09:00"), "in estimated")]


def test_a_later_scan_makes_an_estimated_end_recorded() -> None:
    early = [scan("entrance", "KL", "08:00")]
    assert ends(visits_of(early))[0][3] == "out estimated"
    assert ends(visits_of([*early, scan("exit", "KL", "08:20")])) == [("KL", at("08:00"), at("08:20"), "recorded")]
