"""The difference leads from what is stored to what a recount from nothing gives."""

from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tracing.counts import add, counts_of, subtract
from tracing.histories import History, histories
from tracing.instants import HOUR_US, MINUTE_US
from tracing.keys import LONGEST_US, class_of, facility_of, is_short, longest_us, visit_key
from tracing.records import SeenScan, latest_decisions
from tracing.rows import DecisionKey, Facility, StoredScan, dashed, undashed
from tracing.stays import DEFAULT_STAYS
from tracing.visits import Visit, visits_of

FACILITIES = {
    1: Facility(1, "one", "hospital", "Asia/Jakarta"),
    2: Facility(2, "two", "clinic", "Asia/Makassar"),
}
PERSON = str(UUID(int=7))

scans_of_one = st.lists(
    st.builds(
        StoredScan,
        st.just(PERSON),
        st.integers(0, 25).map(lambda number: str(UUID(int=number))),
        st.sampled_from([1, 2]),
        st.sampled_from(["entrance", "exit", "zone"]),
        st.sampled_from(["", "ward"]),
        st.integers(0, 60 * 24 * 3).map(lambda minutes: minutes * MINUTE_US),
        st.booleans() | st.just(value=True),
        st.sampled_from(["unknown", "inpatient"]),
        st.sampled_from(["app", "officer"]),
    ),
    max_size=14,
    unique_by=lambda scan: scan.scan_id,
)
decisions_of_one = st.dictionaries(
    st.tuples(
        st.just(PERSON),
        st.integers(0, 25).map(lambda number: str(UUID(int=number))),
        st.integers(0, 3),
        st.sampled_from(["a", "b"]),
    ),
    st.sampled_from(["void", "flag", "clear"]),
    max_size=8,
)


@given(scans_of_one, decisions_of_one, st.data())
def test_batches_of_records_in_any_cut_lead_to_a_recount_of_all(
    scans: list[StoredScan], decisions: dict[DecisionKey, str], data: st.DataObject
) -> None:
    keys = [(scan.person, scan.scan_id) for scan in scans] + list(decisions)
    shuffled = data.draw(st.permutations(keys))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(keys)), max_size=4)) | {0, len(keys)})
    visits: dict[str, Visit] = {}
    counts: dict = {}  # type: ignore[type-arg] # as the store keeps them
    there = set()
    for first, end in pairwise(cuts):
        new = set(shuffled[first:end])
        there |= new
        history = History(
            [scan for scan in scans if (scan.person, scan.scan_id) in there],
            [(key, verdict) for key, verdict in decisions.items() if key in there],
            list(visits.values()),
        )
        difference, _ = history.folded(new, FACILITIES, DEFAULT_STAYS)
        for visit in difference.gone:
            assert visits.pop(visit.visit_id) == visit
        assert not {visit.visit_id for visit in difference.come} & visits.keys()
        visits |= {visit.visit_id: visit for visit in difference.come}
        add(counts, difference.counts)
    expected_visits, expected_counts = _recount(scans, decisions)
    assert visits == expected_visits
    assert counts == expected_counts


@given(scans_of_one, scans_of_one)
def test_the_difference_is_that_of_what_is_stored_whatever_made_it(
    others: list[StoredScan], scans: list[StoredScan]
) -> None:
    stored, _ = _recount(others, {})
    history = History(scans, [], list(stored.values()))
    difference, _ = history.folded(set(), FACILITIES, DEFAULT_STAYS)
    now, _ = _recount(scans, {})
    counts = counts_of(stored.values(), [])
    add(counts, difference.counts)
    assert not subtract(counts_of(now.values(), []), counts)


def test_a_decision_whose_scan_has_not_come_makes_no_history() -> None:
    assert histories([], {(PERSON, str(UUID(int=1)), 1, "a"): (0, "void", "")}, []) == []


def test_a_history_holds_one_person_only() -> None:
    mine = StoredScan(PERSON, "a", 1, "entrance", "", 0, True, "unknown", "app")
    other = mine._replace(person=str(UUID(int=8)))
    assert [one.scans for one in histories([mine, other], {}, [])] == [[mine], [other]]


@given(st.integers(1, 2**27), st.integers(0, 40 * 24 * HOUR_US))
def test_a_key_says_the_facility_and_a_class_no_stay_outlasts(facility_no: int, lasts: int) -> None:
    key = visit_key(facility_no, 0, lasts)
    assert facility_of(key) == facility_no
    assert key < 2**31
    stay = class_of(key)
    assert 0 <= stay <= len(LONGEST_US)
    longest = longest_us(stay)
    assert longest is None or lasts <= longest
    assert stay == 0 or lasts > LONGEST_US[stay - 1]
    assert is_short(key) == (lasts <= 24 * HOUR_US)


@given(st.integers(0, 2**128 - 1))
def test_a_person_is_written_as_the_database_does(number: int) -> None:
    assert dashed(f"{number:032x}") == str(UUID(int=number))
    assert undashed(str(UUID(int=number))) == f"{number:032x}"


def _recount(scans: list[StoredScan], decisions: dict[DecisionKey, str]) -> tuple[dict[str, Visit], dict]:  # type: ignore[type-arg] # as the store keeps them
    latest = latest_decisions((key[1], key[2], verdict) for key, verdict in decisions.items())
    seen = [
        SeenScan(
            scan.scan_id,
            scan.person,
            scan.facility_no,
            FACILITIES[scan.facility_no].kind,
            FACILITIES[scan.facility_no].time_zone,
            *scan[3:],
            latest.get(scan.scan_id),
        )
        for scan in scans
    ]
    visits = visits_of(seen)
    return {visit.visit_id: visit for visit in visits}, counts_of(visits, seen)
