"""The laws that make counts right whatever happens on the way: order, repetition, batches, late records."""

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing.naive_counts import naive_counts
from tests.tracing.naive_visits import default_lengths, naive_visits
from tests.tracing.persons import DATED_STAYS, FACILITIES, MINUTE, SHORT_STAYS, SPRING, scans_of_one_person
from tracing.counts import Counts, FacilityHour, add, counts_of, subtract
from tracing.records import SeenScan
from tracing.stays import Stays
from tracing.visits import Visit, visits_of

LAW = settings(deadline=None)  # a busy machine is no broken law
TIME_ZONES = {facility: zone for facility, (_, zone) in FACILITIES.items()}


def plain(visits: list[Visit]) -> list[dict[str, Any]]:
    dicts = [msgspec.structs.asdict(visit) | {"zones": list(visit.zones)} for visit in visits]
    return [{name: visit[name] for name in visit if name not in {"kind", "time_zone"}} for visit in dicts]


def plain_counts(counts: dict[FacilityHour, Counts]) -> dict[FacilityHour, dict[str, int]]:
    return {hour: msgspec.structs.asdict(count) for hour, count in counts.items()}


def fold(scans: list[SeenScan], stays: Stays = SHORT_STAYS) -> dict[FacilityHour, Counts]:
    return counts_of(visits_of(scans, stays), scans)


@settings(LAW, max_examples=300)
@given(scans_of_one_person())
def test_pairing_equals_the_naive_one(scans: list[SeenScan]) -> None:
    assert plain(visits_of(scans)) == naive_visits(scans)


@LAW
@given(scans_of_one_person())
def test_pairing_with_dated_stays_equals_the_naive_one(scans: list[SeenScan]) -> None:
    def lengths(kind: str, at: int) -> tuple[int, int]:
        if kind in {"hospital", "clinic"} and at >= SPRING + 120 * MINUTE:
            return 10 * MINUTE, 60 * MINUTE
        return default_lengths(kind, at)

    assert plain(visits_of(scans, DATED_STAYS)) == naive_visits(scans, lengths)


@LAW
@given(scans_of_one_person(), st.data())
def test_visits_do_not_depend_on_order_or_repetition(scans: list[SeenScan], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(scans), max_size=5)) if scans else []
    assert visits_of(data.draw(st.permutations(scans + repeats))) == visits_of(scans)


@LAW
@given(scans_of_one_person(), st.data())
def test_counts_do_not_depend_on_order_or_repetition(scans: list[SeenScan], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(scans), max_size=5)) if scans else []
    assert fold(data.draw(st.permutations(scans + repeats))) == fold(scans)


@LAW
@given(scans_of_one_person())
def test_every_visit_has_both_ends_and_nobody_is_in_two_places_at_once(scans: list[SeenScan]) -> None:
    visits = visits_of(scans)
    for visit in visits:
        assert visit.check_in <= visit.check_out
        assert not (visit.check_in_estimated and visit.check_out_estimated)
    for before, after in pairwise(visits):
        assert before.check_out <= after.check_in


@LAW
@given(scans_of_one_person())
def test_a_visit_has_its_own_scan_and_no_scan_opens_two(scans: list[SeenScan]) -> None:
    visit_ids = [visit.visit_id for visit in visits_of(scans)]
    assert len(visit_ids) == len(set(visit_ids))
    assert set(visit_ids) <= {scan.scan_id for scan in scans if scan.admitted and scan.decision in {None, "clear"}}


@settings(LAW, max_examples=150)
@given(scans_of_one_person(size_max=9))
def test_counts_equal_a_naive_recount(scans: list[SeenScan]) -> None:
    visits = visits_of(scans, SHORT_STAYS)
    assert plain_counts(counts_of(visits, scans)) == naive_counts(plain(visits), scans, TIME_ZONES)


@settings(LAW, max_examples=50)
@given(scans_of_one_person("p", 6), scans_of_one_person("q", 6))
def test_counts_of_persons_add_up_to_the_counts_of_all(one: list[SeenScan], other: list[SeenScan]) -> None:
    total = fold(one)
    add(total, fold(other))
    visits = plain(visits_of(one, SHORT_STAYS)) + plain(visits_of(other, SHORT_STAYS))
    assert plain_counts(total) == naive_counts(visits, one + other, TIME_ZONES)


@LAW
@given(scans_of_one_person(), st.lists(st.integers(0, 14), max_size=4))
def test_batches_applied_as_differences_end_in_the_same_counts(scans: list[SeenScan], cuts: list[int]) -> None:
    stored: dict[FacilityHour, Counts] = {}
    known: list[SeenScan] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(scans)], strict=True):
        batch = [*scans[start:end], *scans[:1]]  # the first scan comes again with every batch
        before = fold(known)
        known += batch
        add(stored, subtract(fold(known), before))
    assert stored == fold(scans)


@LAW
@given(scans_of_one_person(), scans_of_one_person())
def test_a_difference_applied_to_what_was_gives_what_is(before: list[SeenScan], after: list[SeenScan]) -> None:
    was, now = fold(before), fold(after)
    difference = subtract(now, was)
    assert all(change != Counts() for change in difference.values())
    add(was, difference)
    assert was == now


@LAW
@given(scans_of_one_person())
def test_a_voided_scan_counts_as_if_it_had_never_been(scans: list[SeenScan]) -> None:
    voided = [msgspec.structs.replace(scan, decision="void") for scan in scans[:3]]
    assert visits_of([*voided, *scans[3:]]) == visits_of(scans[3:])
    assert fold([*voided, *scans[3:]]) == fold(scans[3:])


@LAW
@given(scans_of_one_person())
def test_time_in_the_hours_is_time_in_the_visits(scans: list[SeenScan]) -> None:
    visits = visits_of(scans)
    counts = counts_of(visits, scans)
    assert sum(count.person_us for count in counts.values()) == sum(v.check_out - v.check_in for v in visits)
    assert sum(count.arrivals for count in counts.values()) == len(visits)
    assert sum(count.departures for count in counts.values()) == len(visits)
