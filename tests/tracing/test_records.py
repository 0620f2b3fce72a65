"""Which records stand, and what counts as the same record."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Assurance, Channel, Gate, Kind, Role, Scan, ScanDecision, Verdict
from tracing.instants import us_of
from tracing.records import client_body, latest_decisions, seen, standing

PERSON = "0" * 32
MORNING = datetime(2021, 7, 1, 1, 0, tzinfo=UTC)


def uuid7(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


SCAN = Scan(
    scan_id=uuid7(1),
    person_id=PERSON,
    facility_id="f1",
    kind=Kind.CLINIC,
    time_zone="Asia/Jakarta",
    gate=Gate.ENTRANCE,
    at=MORNING,
    received_at=MORNING,
)
DECISION = ScanDecision(
    scan_id=uuid7(1), person_id=PERSON, scan_at=MORNING, decision=Verdict.FLAG, serial=1, by="officer"
)


def test_the_first_record_of_an_identity_stands_and_another_body_is_a_conflict() -> None:
    moved = msgspec.structs.replace(SCAN, facility_id="f2")
    stands = standing([SCAN, moved, SCAN])
    assert stands.scans == [seen(SCAN)]
    assert stands.conflicts == [moved]
    assert standing([moved, SCAN]).scans == [seen(moved)]


def test_a_repeat_is_dropped_even_when_the_gate_stamped_it_anew() -> None:
    again = msgspec.structs.replace(
        SCAN,
        at=MORNING.astimezone(timezone(timedelta(hours=7))),
        received_at=MORNING + timedelta(hours=1),
        entered_by="another key",
    )
    assert standing([SCAN, again]) == standing([SCAN])


def test_a_decision_may_come_before_its_scan_and_one_without_scan_changes_nothing() -> None:
    lost = msgspec.structs.replace(DECISION, scan_id=uuid7(9))
    assert standing([DECISION, lost, SCAN]).scans == [seen(SCAN, "flag")]
    assert standing([DECISION, lost]).scans == []


def test_the_highest_serial_wins_whatever_its_place_in_the_log() -> None:
    clear = msgspec.structs.replace(DECISION, decision=Verdict.CLEAR, serial=2)
    assert standing([SCAN, clear, DECISION]).scans[0].decision == "clear"
    assert standing([SCAN, DECISION, clear]).scans[0].decision == "clear"


def test_at_the_same_serial_void_wins_before_flag_before_clear() -> None:
    assert latest_decisions([("s", 1, "clear"), ("s", 1, "flag")]) == {"s": "flag"}
    assert latest_decisions([("s", 1, "flag"), ("s", 1, "void"), ("s", 1, "clear")]) == {"s": "void"}
    assert latest_decisions([("s", 1, "clear")]) == {"s": "clear"}


def test_two_people_may_decide_with_the_same_serial_but_one_only_once() -> None:
    of_another = msgspec.structs.replace(DECISION, by="second officer", decision=Verdict.VOID)
    changed = msgspec.structs.replace(DECISION, decision=Verdict.VOID)
    assert standing([SCAN, DECISION, of_another]).scans[0].decision == "void"
    stands = standing([SCAN, DECISION, changed])
    assert (stands.scans[0].decision, stands.conflicts) == ("flag", [changed])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from(["void", "flag", "clear"]))), st.data()
)
def test_the_latest_decision_does_not_depend_on_order_or_repetition(
    decisions: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(decisions + decisions[:2]))
    assert latest_decisions(shuffled) == latest_decisions(decisions)


SENT = {
    "facility_id": "f2",
    "zone": "ward",
    "group_id": "ambulance",
    "gate": Gate.EXIT,
    "at": MORNING + timedelta(microseconds=1),
    "admitted": False,
    "refused_reason": "full",
    "role": Role.STAFF,
    "channel": Channel.OFFICER,
    "assurance": Assurance.OTP,
    "device_id": "d",
    "device_seq": 0,
    "poster_version": 0,
    "gate_no": 1,
}
NOT_COMPARED = {"scan_id", "person_id", "kind", "time_zone", "entered_by", "received_at"}


@pytest.mark.parametrize("field", sorted(SENT))
def test_every_field_that_the_client_sends_is_in_the_body(field: str) -> None:
    assert client_body(msgspec.structs.replace(SCAN, **{field: SENT[field]})) != client_body(SCAN)


def test_a_field_of_a_scan_is_either_compared_or_stamped() -> None:
    assert SENT.keys() | NOT_COMPARED == set(Scan.__struct_fields__)


def test_neither_identity_nor_stamps_are_in_the_body() -> None:
    other = msgspec.structs.replace(
        SCAN,
        scan_id=uuid7(2),
        person_id="1" * 32,
        kind=Kind.HOSPITAL,
        time_zone="Asia/Makassar",
        entered_by="key",
        received_at=MORNING + timedelta(days=1),
    )
    assert client_body(other) == client_body(SCAN)


def test_the_body_of_a_stored_scan_stays_what_it_was() -> None:
    assert client_body(SCAN).hex() == "974b4985de2472b00f5091cc67e9f818"


@pytest.mark.parametrize(
    "change", [{"decision": Verdict.VOID}, {"reason": "why"}, {"scan_at": MORNING + timedelta(seconds=1)}]
)
def test_a_decision_is_compared_by_verdict_reason_and_the_scans_time(change: dict[str, object]) -> None:
    assert client_body(msgspec.structs.replace(DECISION, **change)) != client_body(DECISION)


def test_a_row_read_from_columns_in_order_is_the_row_of_the_event() -> None:
    columns = (
        *(uuid7(1), PERSON, "f1", "clinic", "Asia/Jakarta", "entrance", ""),
        *(us_of(MORNING), True, "unknown", "app", None),
    )
    row = seen(SCAN)
    assert row == type(row)(*columns)
