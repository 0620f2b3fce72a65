"""The fast path says what the general path says: the same visits, counts and row, batch by batch."""

from itertools import pairwise
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing.persons import AUTUMN, DATED_STAYS, MINUTE, SPRING, gaps
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.difference import Difference
from tracing.fast import BEFORE_ALL, NEW, State, decode_state, encode_state, follow, is_in_order
from tracing.histories import History
from tracing.records import SeenScan
from tracing.rows import DecisionKey, Facility, StoredScan
from tracing.stays import DEFAULT_STAYS, Stays
from tracing.visits import Visit, visits_of

LAW = settings(deadline=None, max_examples=200)
PERSON = str(UUID(int=7))
FACILITIES = {
    1: Facility(1, "R", "hospital", "Asia/Jakarta"),
    2: Facility(2, "K", "clinic", "Australia/Lord_Howe"),  # moves its clock by half an hour
    3: Facility(3, "L", "laboratory", "Asia/Kathmandu"),  # 5 h 45 min east
    4: Facility(4, "B", "clinic", "Europe/Berlin"),
}


@st.composite
def scans_in_order(draw: st.DrawFn, size_max: int = 12) -> list[StoredScan]:
    """Draw scans of one person in the order of time; some at one instant."""
    clock = draw(st.sampled_from([SPRING, AUTUMN]))
    places = draw(st.lists(st.sampled_from(sorted(FACILITIES)), min_size=1, max_size=2))
    ids = draw(st.lists(st.integers(0, 99), max_size=size_max, unique=True))
    scans = []
    for number in ids:
        clock += draw(gaps())
        scans.append(
            StoredScan(
                PERSON,
                str(UUID(int=number)),
                draw(st.sampled_from(places)),
                draw(st.sampled_from(["entrance", "exit", "zone"])),
                draw(st.sampled_from(["", "ward"])),
                clock,
                draw(st.sampled_from([True] * 6 + [False])),
                draw(st.sampled_from(["unknown", "unknown", "inpatient"])),
                draw(st.sampled_from(["app", "officer"])),
            )
        )
    return sorted(scans, key=lambda scan: (scan.at, scan.scan_id))


class Kept:
    """What a database would hold of one person; both paths fold into it."""

    def __init__(self, stays: Stays) -> None:
        self.stays = stays
        self.scans: list[StoredScan] = []
        self.visits: dict[str, Visit] = {}
        self.counts: dict[FacilityHour, Counts] = {}
        self.state = NEW
        self.fast = 0

    def fold(self, batch: list[StoredScan]) -> None:
        seen = [_seen(scan) for scan in batch]
        self.scans += batch
        history = History(self.scans, [], list(self.visits.values()))
        change, state = history.folded({(scan.person, scan.scan_id) for scan in batch}, FACILITIES, self.stays)
        if seen and is_in_order(self.state, seen):
            self.fast += 1
            fast, row = follow(self.state, seen, FACILITIES, self.stays)
            assert comparable(fast) == comparable(change)
            assert row == state
            assert decode_state(encode_state(row).decode()) == row
        self._apply(change)
        self.state = state

    def _apply(self, change: Difference) -> None:
        for visit in change.gone:
            assert self.visits.pop(visit.visit_id) == visit
        self.visits |= {visit.visit_id: visit for visit in change.come}
        add(self.counts, change.counts)


@LAW
@given(scans_in_order(), st.sets(st.integers(1, 11), max_size=6), st.sampled_from([DEFAULT_STAYS, DATED_STAYS]))
def test_scans_in_order_make_the_same_on_both_paths_however_they_are_cut(
    scans: list[StoredScan], cuts: set[int], stays: Stays
) -> None:
    kept = Kept(stays)
    ends = [0, *sorted(cut for cut in cuts if cut < len(scans)), len(scans)]
    batches = [scans[first:end] for first, end in pairwise(ends) if scans[first:end]]
    for batch in batches:
        kept.fold(batch)
    assert kept.fast == len(batches)
    visits = visits_of([_seen(scan) for scan in scans], stays)
    assert kept.visits == {visit.visit_id: visit for visit in visits}
    assert kept.counts == counts_of(visits, [_seen(scan) for scan in scans])


@LAW
@given(scans_in_order(), st.data())
def test_after_late_scans_the_row_made_anew_leads_on_as_fast(scans: list[StoredScan], data: st.DataObject) -> None:
    late = data.draw(st.sets(st.sampled_from(scans), max_size=3)) if scans else set()
    kept = Kept(DEFAULT_STAYS)
    middle = len(scans) // 2
    kept.fold([scan for scan in scans[:middle] if scan not in late])
    kept.fold([scan for scan in scans[:middle] if scan in late])
    for scan in scans[middle:]:
        kept.fold([scan])
    assert kept.fast >= len(scans) - middle


def test_a_scan_at_the_latest_instant_is_in_order_only_with_a_greater_id() -> None:
    state = State((5 * MINUTE, "b"))
    scan = _seen(StoredScan(PERSON, "a", 1, "entrance", "", 5 * MINUTE, True, "unknown", "app"))
    assert not is_in_order(state, [scan])
    assert not is_in_order(state, [msgspec.structs.replace(scan, scan_id="b")])
    assert is_in_order(state, [msgspec.structs.replace(scan, scan_id="c")])
    assert not is_in_order(state, [msgspec.structs.replace(scan, scan_id="c"), scan])


def test_a_person_whose_decision_waits_for_its_scan_is_never_in_order() -> None:
    scan = StoredScan(PERSON, "a", 1, "entrance", "", 0, True, "unknown", "app")
    key: DecisionKey = (PERSON, "b", 1, "rule")
    _, state = History([scan], [(key, "void")]).folded({(PERSON, "a")}, FACILITIES, DEFAULT_STAYS)
    assert state.awaits
    assert not is_in_order(state, [msgspec.structs.replace(_seen(scan), scan_id="b", at=9)])
    known: DecisionKey = (PERSON, "a", 1, "rule")
    _, state = History([scan], [(known, "void")]).folded({known}, FACILITIES, DEFAULT_STAYS)
    assert not state.awaits


def test_a_row_holds_no_more_of_the_past_than_an_hour_before_its_end() -> None:
    day = 24 * 60 * MINUTE
    scans = []
    for number in range(0, 40, 2):
        at = number * day
        scans.append(StoredScan(PERSON, str(UUID(int=number)), 1, "entrance", "", at, True, "unknown", "app"))
        scans.append(StoredScan(PERSON, str(UUID(int=number + 1)), 1, "exit", "", at + day, True, "unknown", "app"))
    _, state = History(scans).folded(set(), FACILITIES, DEFAULT_STAYS)
    assert state.near == ((1, 39 * day - 60 * MINUTE, 39 * day),)
    assert NEW.latest == BEFORE_ALL


def _seen(scan: StoredScan) -> SeenScan:
    facility = FACILITIES[scan.facility_no]
    return SeenScan(scan.scan_id, scan.person, scan.facility_no, facility.kind, facility.time_zone, *scan[3:], None)


def comparable(change: Difference) -> tuple[object, object, object]:
    return (
        sorted(change.gone, key=lambda visit: visit.visit_id),
        sorted(change.come, key=lambda visit: visit.visit_id),
        change.counts,
    )
