"""What the audit claims of alerts and of visit.v1, as laws: what the product may do passes, anything else is found."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ops.audit.findings import Difference, Findings
from ops.audit.offices import Office
from ops.audit.visit_topic import Replay
from schemas.events import AlertData
from schemas.partition import partition_of
from tests.tracing.test_alerts import PERSONS, exposure, listed, lists
from tests.tracing.test_alerts import Office as Reader
from tracing.cases.alerts import Trace, alerts_of, offices_of
from tracing.cases.candidates import Candidate

WHO = "0" * 32
STATES = [
    msgspec.json.encode(
        {
            "facility_id": "RS-1",
            "check_in": "2026-03-02T07:00:00Z",
            "check_out": f"2026-03-02T{8 + number:02d}:00:00Z",
            "check_in_estimated": False,
            "check_out_estimated": True,
            "role": "visitor",
            "zones": [],
        }
    )
    for number in range(4)
]


def told_and_found(
    revisions: Sequence[list[Candidate]], limit: int, lost: int | None = None
) -> tuple[list[tuple[int, AlertData]], list[tuple[str, str]]]:
    """Tell the offices of revisions, lose one alert, and return what was told and what the audit says."""
    reader = Reader(limit)
    told = [(reader.revision, data) for revision in revisions for data in reader.revise(revision)]
    if lost is not None:
        del told[lost]
    trace = Trace(revision=reader.revision, rule="kmk-4641-2021", due_by=None, limit=limit)
    everything = msgspec.structs.replace(trace, limit=100)
    expected = alerts_of(everything, [], revisions[-1], {}, {}, reader.ref)
    by_place = {(at, reader.ref(at, one.person)) for one in revisions[-1] for at in offices_of(one)}
    found: list[tuple[str, str]] = []
    for name in {data.office for data in expected} | {data.office for _, data in told}:
        Office(
            name,
            [data for data in expected if data.office == name],
            {ref for at, ref in by_place if at == name},
            [(revision, data) for revision, data in told if data.office == name],
        ).check(trace, lambda row, what: found.append((row, what)))
    return told, found


@given(st.lists(lists(), min_size=1, max_size=5), st.integers(0, 6))
def test_whatever_revisions_tell_passes(revisions: list[list[Candidate]], limit: int) -> None:
    assert told_and_found(revisions, limit)[1] == []


@given(lists().filter(bool), st.integers(1, 6), st.randoms())
def test_an_alert_lost_from_the_first_revision_is_found(
    candidates: list[Candidate], limit: int, random: Random
) -> None:
    told, _ = told_and_found([candidates], limit)
    lost = random.randrange(len(told))
    data = told[lost][1]
    _, found = told_and_found([candidates], limit, lost)
    assert any(data.office in row and (data.contact_ref in row or not data.contact_ref) for row, _ in found)


def test_a_withdrawal_or_a_change_that_was_lost_is_found() -> None:
    first = listed(*(exposure(who, 30) for who in PERSONS[:3]))
    gone = listed(*(exposure(who, 30) for who in PERSONS[:2]))
    longer = listed(exposure(PERSONS[0], 70), *(exposure(who, 30) for who in PERSONS[1:3]))
    for second, words in ((gone, "does not concern this office"), (longer, "minutes_band 30-59")):
        told, found = told_and_found([first, second], 50)
        assert found == []
        for lost, (revision, _) in enumerate(told):
            if revision == 2:
                assert any(words in what for _, what in told_and_found([first, second], 50, lost)[1])


def replayed(changes: Sequence[tuple[bytes, bytes]], *, whole: bool = True) -> tuple[Replay, list[Difference]]:
    found: list[Difference] = []
    replay = Replay(partition_of(WHO, 12), 12, Findings(tell=found.append), whole=whole)
    for offset, (before, after) in enumerate(changes):
        parts = (b'{"event":"visit_change","visit_id":"v","person_id":"', WHO.encode(), b'","before":', before)
        replay.take(offset, b"".join((*parts, b',"after":', after, b"}")))
    return replay, found


def chains() -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    states = st.lists(st.sampled_from([*STATES, b"null"]), min_size=1, max_size=6)
    return states.map(lambda some: [one for one in pairwise([b"null", *some]) if one[0] != one[1]]).filter(bool)


@given(chains(), st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4))
def test_what_a_relay_that_fails_and_begins_again_leaves_passes(
    chain: list[tuple[bytes, bytes]], failures: list[tuple[int, int]]
) -> None:
    marked, sent = 0, []
    for published, confirmed in failures:  # it begins at the first unmarked, dies, and has marked a part
        sent += chain[marked : marked + published]
        marked = min(len(chain), marked + min(published, confirmed))
    replay, found = replayed([*sent, *chain[marked:]])
    assert found == []
    assert replay.states["v"] == chain[-1][1]


def test_a_change_that_is_missing_is_found_and_not_claimed_of_what_has_gone_by_age() -> None:
    one, two, three, four = STATES
    chain = [(b"null", one), (one, two), (two, three), (three, four)]
    for lost in (1, 2):
        _, (found,) = replayed(chain[:lost] + chain[lost + 1 :])
        assert found.row == "visit v at RS-1"
        assert "a change is missing before visit.v1" in found.what
    assert "its first change is missing" in replayed(chain[1:])[1][0].what
    assert replayed(chain[1:], whole=False)[1] == []


def test_the_same_state_in_other_bytes_is_the_same() -> None:
    spaced = STATES[0].replace(b":", b": ", 1)
    assert replayed([(b"null", STATES[0]), (spaced, STATES[1])])[1] == []


def test_what_is_no_change_or_is_in_anothers_partition_is_found() -> None:
    found: list[Difference] = []
    replay = Replay((partition_of(WHO, 12) + 1) % 12, 12, Findings(tell=found.append), whole=True)
    replay.take(0, b"not json")
    replay.take(1, None)
    replay.take(2, msgspec.json.encode({"visit_id": "v", "person_id": WHO, "before": None, "after": None}))
    assert [one.what.split(",")[0] for one in found] == [
        "is no change of a visit",
        "is no change of a visit",
        "is told in another's partition",
    ]
