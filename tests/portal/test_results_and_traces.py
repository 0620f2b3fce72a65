"""Test results, requests, approvals and decisions over HTTP: who may, what goes on the topic, who learns nothing."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import msgspec
import pytest

from ops.store import OWNER, connect
from portal.identifiers import new_uuid7
from producers.follower import follow
from schemas.codec import Codec
from schemas.events import ContactDecision, TestResult, TraceRequest
from schemas.topics import CONTACT_DECISION, TEST_RESULT, TRACE_REQUEST, Topic
from tests.portal.conftest import NIK, Gate, result

As = Callable[..., httpx.Client]
E = TypeVar("E", bound=msgspec.Struct)
PERSON = "0123456789abcdef0123456789abcdef"


def last_event(gate: Gate, topic: Topic, kind: type[E], which: Callable[[E], bool]) -> E:
    decode = Codec(kind).decode
    deadline = datetime.now(UTC) + timedelta(seconds=15)
    for record in follow(gate.settings, topic.name, "traces", stop=lambda: datetime.now(UTC) > deadline):
        event = decode(record.value or b"")
        if which(event):
            return event
    raise AssertionError("the event is not on the topic")


def run_sql(gate: Gate, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def add_case(gate: Gate, case_id: str, area: str, requested_by: str = "Ani", state: str = "pending") -> str:
    run_sql(
        gate,
        'insert into "case" (case_id, person, state, classification, area, requested_by, requested_role, reason,'
        " opened_at) values (%s, %s::uuid, %s, 'konfirmasi', %s, %s, 'epidemiologist', 'why', now())",
        case_id, PERSON, state, area, requested_by,
    )  # fmt: skip
    return case_id


def test_a_laboratorys_result_is_on_the_topic_with_its_facility(gate: Gate, as_role: As) -> None:
    laboratory = as_role("laboratory", facility="LAB-C", principal="Lab C 1")
    body = result(date_onset="2026-01-02")
    answer = laboratory.post("/v1/test-results", json=body)
    assert (answer.status_code, answer.json()) == (200, {"result_id": body["result_id"], "status": "accepted"})
    event = last_event(gate, TEST_RESULT, TestResult, lambda one: one.result_id == body["result_id"])
    assert (event.laboratory, event.area, event.by, event.lab_ref) == ("LAB-C", "", "Lab C 1", body["lab_ref"])
    assert len(event.person_id) == 32


def test_an_epidemiologists_result_names_no_laboratory_but_his_area(gate: Gate, as_role: As) -> None:
    body = result()
    assert as_role("epidemiologist", area="3671").post("/v1/test-results", json=body).status_code == 200
    event = last_event(gate, TEST_RESULT, TestResult, lambda one: one.result_id == body["result_id"])
    assert (event.laboratory, event.area) == ("", "36.71")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"specimen_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "specimen_at"),
        ({"reported_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "reported_at"),
        ({"date_onset": (datetime.now(UTC) + timedelta(days=2)).date().isoformat()}, "date_onset"),
        ({"date_isolation": "2019-01-01"}, "date_isolation"),
        ({"lab_ref": ""}, "lab_ref"),
        ({"test": "rapid"}, "test"),
        ({"result": "maybe"}, "result"),
        ({"status": "done"}, "status"),
        ({"supersedes": "7"}, "supersedes"),
        ({"subject": {"type": "nik", "value": NIK[:-4] + "0000"}}, "subject.value"),
    ],
)
def test_a_bad_result_names_its_field(as_role: As, changed: dict[str, Any], field: str) -> None:
    answer = as_role("laboratory", facility="LAB-C").post("/v1/test-results", json=result(**changed))
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert NIK[:12] not in answer.text


def test_a_result_is_received_until_it_is_applied_and_nobody_elses(gate: Gate, as_role: As) -> None:
    mine, other = as_role("laboratory", facility="LAB-C"), as_role("laboratory", facility="RS-A")
    district, elsewhere = as_role("epidemiologist", area="36.71"), as_role("epidemiologist", area="31")
    body = result()
    path = f"/v1/test-results/{body['result_id']}"
    assert mine.get(path).status_code == 404
    mine.post("/v1/test-results", json=body)
    assert mine.get(path).json() == {"state": "received", "case_id": None, "case_state": None}
    assert other.get(path).status_code == 404
    case = add_case(gate, "C-applied", "36.71", state="open")
    run_sql(
        gate,
        "insert into test_result (result_id, person, lab_ref, laboratory, by, test, result, status, specimen_at,"
        " reported_at, received_at, digest, case_id) values (%s, %s::uuid, 'L', 'LAB-C', 'x', 'pcr', 'positive',"
        " 'final', now(), now(), now(), %s::uuid, %s)",
        body["result_id"], PERSON, PERSON, case,
    )  # fmt: skip
    applied = {"state": "applied", "case_id": case, "case_state": "open"}
    assert mine.get(path).json() == applied
    assert district.get(path).json() == applied
    assert other.get(path).status_code == elsewhere.get(path).status_code == 404
    assert mine.get(f"/v1/test-results/{NIK}").status_code == 422


def test_a_request_for_a_person_is_on_the_topic(gate: Gate, as_role: As) -> None:
    body = {
        "request_id": new_uuid7(datetime.now(UTC)),
        "subject": {"type": "nik", "value": NIK},
        "reason": "symptoms at the ward",
        "date_onset": "2026-01-02",
    }
    answer = as_role("epidemiologist", area="36", principal="Budi").post("/v1/traces", json=body)
    assert (answer.status_code, answer.json()["request_id"]) == (202, body["request_id"])
    event = last_event(gate, TRACE_REQUEST, TraceRequest, lambda one: one.request_id == body["request_id"])
    assert (event.action, event.by, event.role, event.area) == ("request", "Budi", "epidemiologist", "36")
    assert (event.case_id, str(event.date_onset)) == ("", "2026-01-02")


def test_a_request_needs_a_person_or_a_case_of_ones_area_and_a_reason(gate: Gate, as_role: As) -> None:
    epidemiologist = as_role("epidemiologist", area="36")
    base = {"request_id": new_uuid7(datetime.now(UTC)), "reason": "why"}
    near, far = add_case(gate, "C-near", "36.71"), add_case(gate, "C-far", "31.71")
    subject = {"type": "nik", "value": NIK}

    def status(**changed: Any) -> int:
        return epidemiologist.post("/v1/traces", json=base | changed).status_code

    assert status() == status(subject=subject, case_id=near) == status(subject=subject, reason="") == 422
    assert status(case_id=far) == status(case_id="C-none") == 404
    assert status(case_id=near) == 202
    event = last_event(gate, TRACE_REQUEST, TraceRequest, lambda one: one.request_id == base["request_id"])
    assert (event.person_id, event.case_id) == (PERSON, near)


def test_only_a_second_person_of_the_area_approves_and_only_what_waits(gate: Gate, as_role: As) -> None:
    ani, citra = (as_role("epidemiologist", area="36.71", principal=name) for name in ("Ani", "Citra"))
    far = as_role("epidemiologist", area="31")
    case, done = add_case(gate, "C-pending", "36.71", "Ani"), add_case(gate, "C-open", "36.71", "Ani", "open")
    approve = {"action": "approve", "reason": "agreed"}

    def status(who: httpx.Client, which: str, body: dict[str, str] = approve) -> int:
        return who.post(f"/v1/traces/{which}/approval", json=body).status_code

    assert status(ani, case) == 409
    assert status(citra, done) == 409
    assert status(far, case) == status(citra, "C-none") == status(citra, "%00") == 404
    assert status(citra, case, {"action": "approve", "reason": ""}) == 422
    assert status(citra, case, {"action": "delete", "reason": "x"}) == 422
    answer = citra.post(f"/v1/traces/{case}/approval", json=approve)
    assert answer.status_code == 202
    event = last_event(gate, TRACE_REQUEST, TraceRequest, lambda one: one.request_id == answer.json()["request_id"])
    assert (event.action, event.case_id, event.person_id, event.by) == ("approve", case, PERSON, "Citra")


def test_a_decision_names_a_contact_of_that_case(gate: Gate, as_role: As) -> None:
    epidemiologist = as_role("epidemiologist", area="all", principal="Dewi")
    case = add_case(gate, "C-decide", "36.71", state="open")
    run_sql(gate, "insert into reference (case_id, office, person, ref) values (%s, '', %s::uuid, 'R-1')", case, PERSON)
    body = {"contact_ref": "R-1", "decision": "confirmed", "reason": "same room"}
    answer = epidemiologist.post(f"/v1/traces/{case}/decisions", json=body)
    assert answer.status_code == 202
    event = last_event(
        gate, CONTACT_DECISION, ContactDecision, lambda one: one.decision_id == answer.json()["request_id"]
    )
    assert (event.case_id, event.contact_ref, event.decision, event.by) == (case, "R-1", "confirmed", "Dewi")
    unknown = epidemiologist.post(f"/v1/traces/{case}/decisions", json=body | {"contact_ref": "R-2"})
    assert unknown.status_code == 404
    far = as_role("epidemiologist", area="31").post(f"/v1/traces/{case}/decisions", json=body)
    assert far.status_code == 404


def test_the_list_holds_the_cases_of_the_area_pending_first_and_is_audited(gate: Gate, as_role: As) -> None:
    for case_id, area, who, state in (
        ("C-l1", "73.71", "x", "open"), ("C-l2", "73.71", "x", "pending"), ("C-l3", "32.01", "Eka", "pending"),
        ("C-l4", "32.01", "x", "open"), ("C-l5", "7.3", "x", "open"), ("C-l6", "", "x", "open"),
    ):  # fmt: skip
        add_case(gate, case_id, area, who, state)
    eka = as_role("epidemiologist", area="73", principal="Eka")
    cases = eka.get("/v1/traces").json()["cases"]
    assert [case["case_id"] for case in cases] == ["C-l3", "C-l2", "C-l1"]
    assert PERSON not in str(cases)
    audit = run_sql(gate, "select action, object from audit where principal = 'Eka'")
    assert audit == [("traces listed", "3 cases")]


@pytest.mark.parametrize("role", ["gate", "laboratory", "office", "import"])
def test_only_epidemiologists_come_near_traces(as_role: As, role: str) -> None:
    client = as_role(role, **({"facility": "RS-A"} if role in {"gate", "laboratory"} else {"area": "all"}))
    case = "C-any"
    assert client.get("/v1/traces").status_code == 403
    assert client.get(f"/v1/traces/{case}").status_code == 403
    for path in ("/v1/traces", f"/v1/traces/{case}/approval", f"/v1/traces/{case}/decisions"):
        assert client.post(path, json={}).status_code == 403


def test_a_trace_is_read_in_its_area_only_without_person_ids_and_each_reading_is_audited(
    gate: Gate, as_role: As
) -> None:
    case = add_case(gate, "C-read", "36.71", "Gita")
    for area, who, status in (("36", "Hadi", 200), ("31", "Indra", 404), ("31", "Gita", 200), ("all", "Joko", 200)):
        answer = as_role("epidemiologist", area=area, principal=who).get(f"/v1/traces/{case}")
        assert answer.status_code == status, who
        assert PERSON not in answer.text
        if status == 200:
            assert (answer.json()["case_id"], answer.json()["state"]) == (case, "pending")
    audit = run_sql(gate, "select principal, action from audit where object = %s order by id", case)
    assert audit == [(who, "trace shown") for who in ("Hadi", "Gita", "Joko")]
