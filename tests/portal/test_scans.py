"""The scans desk, over HTTP, with a real broker behind it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from portal.identifiers import new_uuid7
from producers.follower import Record, follow
from schemas.codec import Codec
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.topics import SCAN
from tests.portal.conftest import NIK, Gate, scan

As = Callable[..., httpx.Client]


def scans_on_topic(gate: Gate, ids: set[str]) -> list[tuple[Record, Scan]]:
    """Return the records of these ids; the gate's answer says that they are there."""
    decode = Codec(Scan, ScanDecision).decode
    found: list[tuple[Record, Scan]] = []
    deadline = datetime.now(UTC) + timedelta(seconds=15)
    for record in follow(gate.settings, SCAN.name, "visits", stop=lambda: datetime.now(UTC) > deadline):
        assert record.value is not None
        event = decode(record.value)
        if isinstance(event, Scan) and event.scan_id in ids:
            found.append((record, event))
        if {one.scan_id for _, one in found} == ids:
            break
    return found


@pytest.fixture(scope="module")
def at_rs_a(as_role: As) -> httpx.Client:
    return as_role("gate", facility="RS-A", principal="Gate 1")


def test_an_accepted_scan_is_on_the_topic_stamped_and_in_its_persons_partition(
    gate: Gate, at_rs_a: httpx.Client
) -> None:
    body = scan(zone="ward B", role="staff", channel="officer", device_seq=7, poster_version=2)
    answer = at_rs_a.post("/v1/scans", json=body)
    assert (answer.status_code, answer.json()) == (200, {"scan_id": body["scan_id"], "status": "accepted"})
    ((record, event),) = scans_on_topic(gate, {body["scan_id"]})
    assert record.key == event.person_id.encode()
    assert record.partition == partition_of(event.person_id, gate.settings.partitions)
    assert (event.kind, event.time_zone, event.entered_by) == ("hospital", "Asia/Jakarta", "Gate 1")
    assert (event.zone, event.role, event.channel, event.device_seq, event.poster_version) == (
        "ward B", "staff", "officer", 7, 2,
    )  # fmt: skip
    assert event.at == datetime.fromisoformat(body["at"])
    assert NIK.encode() not in (record.value or b"")


def test_one_person_has_one_id_however_the_number_is_written(gate: Gate, at_rs_a: httpx.Client) -> None:
    spellings = ("x1234567", " X 123-4567 ", "X1234567")
    bodies = [scan(subject={"type": "passport", "value": value}) for value in spellings]
    bodies += [scan(subject={"type": "kitas", "value": "X1234567"})]
    assert at_rs_a.post("/v1/scans", json=bodies).status_code == 200
    ids = {event.scan_id: event.person_id for _, event in scans_on_topic(gate, {body["scan_id"] for body in bodies})}
    *passports, kitas = (ids[body["scan_id"]] for body in bodies)
    assert len(set(passports)) == 1
    assert kitas not in passports


def test_sending_again_after_an_answer_was_lost_is_accepted_again(gate: Gate, at_rs_a: httpx.Client) -> None:
    body = scan()
    answers = [at_rs_a.post("/v1/scans", json=body).json() for _ in range(2)]
    assert answers[0] == answers[1] == {"scan_id": body["scan_id"], "status": "accepted"}
    assert len({event.person_id for _, event in scans_on_topic(gate, {body["scan_id"]})}) == 1


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"scan_id": "3671015508900001"}, "scan_id", "form"),
    ({"scan_id": new_uuid7(datetime.now(UTC)).upper()}, "scan_id", "form"),
    ({"subject": {"type": "nik", "value": "3671015508900000"}}, "subject.value", "serial"),
    ({"subject": {"type": "nik", "value": "3671013002900001"}}, "subject.value", "birth date"),
    ({"subject": {"type": "nik", "value": "9971015508900001"}}, "subject.value", "region code is not known"),
    ({"subject": {"type": "nik", "value": "367101550890000"}}, "subject.value", "16 digits"),
    ({"subject": {"type": "ktp", "value": NIK}}, "subject.type", "allowed"),
    ({"subject": {"type": "nik", "value": NIK, "district": "99.99"}}, "subject.district", "not known"),
    ({"subject": {"type": "nik"}}, "subject.value", "missing"),
    ({"facility_id": "RS-Z"}, "facility_id", "not known"),
    ({"gate": "window"}, "gate", "allowed"),
    ({"at": "2026-01-01T08:00:00"}, "at", "offset"),
    ({"at": "yesterday"}, "at", "ISO 8601"),
    ({"at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}, "at", "future"),
    ({"at": (datetime.now(UTC) - timedelta(days=31)).isoformat()}, "at", "30 days"),
    ({"at": "1999-01-01T08:00:00Z"}, "at", "years"),
    ({"at": "2026-01-01T08:00:00.1234567Z"}, "at", "microsecond"),
    ({"zone": "ward\u0007"}, "zone", "control character"),
    ({"zone": "w" * 129}, "zone", "too long"),
    ({"device_seq": -1}, "device_seq", "number"),
    ({"channel": "import"}, "channel", "import"),
    ({"person_id": "0" * 32}, "body", "not known"),
    ({"time_zone": "Asia/Jakarta"}, "body", "not known"),
]


@pytest.mark.parametrize(
    ("changed", "field", "reason"), BAD, ids=[f"{field}-{i}" for i, (_, field, _) in enumerate(BAD)]
)
def test_a_bad_scan_is_answered_with_its_field_and_without_its_value(
    at_rs_a: httpx.Client, changed: dict[str, Any], field: str, reason: str
) -> None:
    answer = at_rs_a.post("/v1/scans", json=scan(**changed))
    problem = answer.json()
    assert (answer.status_code, problem["error"], problem["field"]) == (422, "invalid", field)
    assert reason in problem["reason"]
    assert NIK[:12] not in answer.text


def test_the_bad_scans_of_a_batch_fail_alone_and_in_order(gate: Gate, at_rs_a: httpx.Client) -> None:
    bodies: list[Any] = [scan(), scan(gate="window"), scan(facility_id="PKM-B"), 7, scan(scan_id=NIK), scan()]
    answer = at_rs_a.post("/v1/scans", json={"scans": bodies})
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [one["status"] for one in results] == ["accepted", *["invalid"] * 4, "accepted"]
    assert [one.get("field", "") for one in results] == ["", "gate", "facility_id", "body", "scan_id", ""]
    assert [one["scan_id"] for one in results] == [
        bodies[0]["scan_id"], bodies[1]["scan_id"], bodies[2]["scan_id"], None, None, bodies[5]["scan_id"],
    ]  # fmt: skip
    good = {bodies[0]["scan_id"], bodies[5]["scan_id"]}
    assert {event.scan_id for _, event in scans_on_topic(gate, good)} == good


def test_another_facilitys_scan_alone_is_forbidden(at_rs_a: httpx.Client) -> None:
    answer = at_rs_a.post("/v1/scans", json=scan(facility_id="PKM-B"))
    assert (answer.status_code, answer.json()["field"]) == (403, "facility_id")


def test_a_gate_key_with_an_area_sends_for_every_facility_of_it(as_role: As) -> None:
    province = as_role("gate", area="36")
    assert province.post("/v1/scans", json=scan(facility_id="PKM-B")).status_code == 200
    assert province.post("/v1/scans", json=scan(facility_id="LAB-C")).status_code == 403


def test_an_import_key_may_send_old_scans_and_is_named_so(gate: Gate, as_role: As) -> None:
    body = scan(at="2021-07-01T08:00:00+07:00", channel="officer")
    assert as_role("import").post("/v1/scans", json=body).status_code == 200
    ((_, event),) = scans_on_topic(gate, {body["scan_id"]})
    assert event.channel == "import"
    too_old = as_role("import").post("/v1/scans", json=scan(at="2019-12-31T08:00:00+07:00"))
    assert (too_old.status_code, too_old.json()["field"]) == (422, "at")


@pytest.mark.parametrize("role", ["laboratory", "epidemiologist", "office"])
def test_other_roles_send_no_scans(as_role: As, role: str) -> None:
    scope = {"facility": "LAB-C"} if role == "laboratory" else {"area": "all"}
    assert as_role(role, **scope).post("/v1/scans", json=scan()).status_code == 403


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"7", 422),
        (b'"scan"', 422),
        (b"[1, 2", 422),
        (b'{"scans": 7}', 422),
        (b'{"scans": [], "more": 1}', 422),
        (b"\xff\xfe", 422),
        (b"[" * 20_000, 422),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 422),
        (b"[]", 200),
        (b'{"scans": []}', 200),
    ],
)
def test_a_body_that_is_no_scan_is_invalid_and_nothing_breaks(
    at_rs_a: httpx.Client, content: bytes, status: int
) -> None:
    assert at_rs_a.post("/v1/scans", content=content).status_code == status


def test_a_thousand_scans_at_once_are_taken_and_one_more_are_too_many(at_rs_a: httpx.Client) -> None:
    bodies = [scan() for _ in range(1_001)]
    taken = at_rs_a.post("/v1/scans", json=bodies[:1_000])
    assert [one["status"] for one in taken.json()["results"]] == ["accepted"] * 1_000
    assert at_rs_a.post("/v1/scans", json=bodies).status_code == 413


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_too_large(gate: Gate, at_rs_a: httpx.Client, *, chunked: bool) -> None:
    content = b"[" + b" " * gate.settings.body_limit + b"]"
    answer = at_rs_a.post("/v1/scans", content=iter([content[:600_000], content[600_000:]]) if chunked else content)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
