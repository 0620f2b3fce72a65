"""What holds for every path: keys, limits, headers, JSON for every refusal, health, metrics, the API's description."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ops.migrate import newest_revision
from ops.store import OPERATOR, OWNER, connect, transaction
from portal import keys, store
from tests.portal.conftest import Gate, new_key, scan

As = Callable[..., httpx.Client]
PATHS = (
    ("POST", "/v1/scans"),
    ("POST", "/v1/scans/decisions"),
    ("POST", "/v1/vaccinations"),
    ("POST", "/v1/admissions"),
    ("POST", "/v1/test-results"),
    ("GET", "/v1/test-results/0199a3c0-0000-7000-8000-000000000000"),
    ("POST", "/v1/traces"),
    ("GET", "/v1/traces"),
    ("GET", "/v1/traces/C-1"),
    ("POST", "/v1/traces/C-1/approval"),
    ("POST", "/v1/traces/C-1/decisions"),
    ("GET", "/v1/alerts"),
    ("POST", "/v1/alerts/A-1/ack"),
    ("POST", "/v1/alerts/A-1/decisions"),
    ("GET", "/v1/facilities/RS-A/occupancy"),
    ("GET", "/v1/facilities/RS-A/hours"),
)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer x", "Basic abc", "Bearer jejak_" + "a" * 43])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_key_that_counts_every_path_answers_alike(
    gate: Gate, method: str, path: str, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = httpx.request(method, gate.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"error": "unauthorised", "field": "", "reason": "an API key is needed"}


def test_every_path_below_v1_was_asked_for_its_key(gate: Gate) -> None:
    described = httpx.get(f"{gate.url}/schema/openapi.json").json()["paths"]
    found = {(method.upper(), path) for path, methods in described.items() for method in methods if "/v1" in path}
    asked = {
        (method, path.replace("0199a3c0-0000-7000-8000-000000000000", "{result_id}")
         .replace("C-1", "{case_id}").replace("RS-A", "{facility_id}").replace("A-1", "{alert_id}"))
        for method, path in PATHS
    }  # fmt: skip
    assert found == asked


def test_an_expired_and_a_revoked_key_are_no_keys(gate: Gate) -> None:
    expired, revoked = (new_key(gate.settings, "gate", facility="RS-A") for _ in range(2))
    for key in (expired, revoked):
        assert gate.client(key).post("/v1/scans", json=scan()).status_code == 200
    with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cursor:
        cursor.execute("update api_key set expires_at = now() where hash = %s", (keys.hash_of(expired),))
    with transaction(gate.settings, OPERATOR) as conn:
        row = store.find_key(conn, keys.hash_of(revoked))
        assert row is not None
        keys.revoke(conn, row.key_id)
    time.sleep(keys.CACHED_S)
    for key in (expired, revoked):
        assert gate.client(key).post("/v1/scans", json=scan()).status_code == 401


def test_a_key_is_stored_by_its_hash_only(gate: Gate) -> None:
    secret = new_key(gate.settings, "office", area="all")
    with closing(connect(gate.settings, OWNER)) as conn, conn.cursor() as cursor:
        cursor.execute("select coalesce(string_agg(k::text, ' '), '') from api_key k")
        (stored,) = cursor.fetchone() or ("",)
    assert keys.hash_of(secret).hex() in stored
    assert secret not in stored
    assert secret.removeprefix("jejak_") not in stored


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/scans", 405, "method_not_allowed"),
        ("DELETE", "/v1/traces", 405, "method_not_allowed"),
        ("GET", "/v1/../../etc/passwd", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_answered_in_json_too(gate: Gate, method: str, path: str, status: int, error: str) -> None:
    answer = httpx.request(method, gate.url + path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert (status != 405) == ("allow" not in answer.headers)


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/traces", "/schema", "/metrics"])
def test_every_answer_has_the_security_headers(gate: Gate, path: str) -> None:
    headers = httpx.get(gate.url + path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_ready_gate_says_so(gate: Gate) -> None:
    assert httpx.get(f"{gate.url}/healthz").json() == {"alive": True}
    answer = httpx.get(f"{gate.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


def test_a_gate_whose_installation_changed_says_why_it_is_not_ready(gate: Gate) -> None:
    def run(sql: str, *values: object) -> None:
        with closing(connect(gate.settings, OWNER)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(sql, values)

    run("update alembic_version set version_num = '0001'")
    behind = httpx.get(f"{gate.url}/readyz")
    run("update alembic_version set version_num = %s", newest_revision())
    run("update installation set value = '7' where name = 'partitions'")
    other = httpx.get(f"{gate.url}/readyz")
    run("update installation set value = %s where name = 'partitions'", str(gate.settings.partitions))
    assert behind.status_code == other.status_code == 503
    assert "jejak migrate" in behind.json()["reasons"][0]
    assert "7 partitions" in other.json()["reasons"][0]
    assert httpx.get(f"{gate.url}/readyz").status_code == 200


def test_metrics_count_requests_and_scans_and_need_a_key_from_afar(gate: Gate, as_role: As) -> None:
    as_role("gate", facility="RS-A").post("/v1/scans", json=[scan(), scan(gate="window")])
    text = httpx.get(f"{gate.url}/metrics").text
    assert 'jejak_gate_requests_total{route="/v1/scans",status="200"}' in text
    assert 'jejak_gate_scans_total{result="accepted"}' in text
    assert "jejak_gate_request_seconds_bucket" in text
    afar = {"X-Forwarded-For": "203.0.113.7"}
    assert httpx.get(f"{gate.url}/metrics", headers=afar).status_code == 401
    assert as_role("office", area="36").get("/metrics", headers=afar).status_code == 200


def test_the_description_holds_every_body_and_the_page_needs_nothing_from_outside(gate: Gate) -> None:
    described = httpx.get(f"{gate.url}/schema/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    schemas = described["components"]["schemas"]
    assert {"ScanBody", "TestResultBody", "TraceBody", "ApprovalBody", "DecisionBody"} <= schemas.keys()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert ("requestBody" in operation) == (method == "post" and not path.endswith("/ack")), path
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas
    page = httpx.get(f"{gate.url}/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/scans" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        return (
            {node["$ref"]} & {*map(str, [node["$ref"]])}
            if "$ref" in node
            else set().union(*map(references, node.values()))
        )
    return set().union(*map(references, node)) if isinstance(node, list) else set()


@pytest.mark.parametrize("role", ["gate", "epidemiologist"])
def test_whatever_is_sent_the_answer_is_one_that_the_description_tells(gate: Gate, role: str) -> None:
    key = new_key(gate.settings, role, area="all")
    run = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", f"{gate.url}/schema/openapi.json", "--no-color",
         "--header", f"Authorization: Bearer {key}", "--phases", "coverage,fuzzing", "--max-examples", "10",
         "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"],
        capture_output=True, text=True, timeout=200, check=False, cwd=gate.settings.home,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-4000:]
    assert b'"bug"' not in gate.stderr.read_bytes()


def test_a_key_that_asks_too_often_waits_as_long_as_it_is_told(gate: Gate) -> None:
    slow = Gate(msgspec.structs.replace(gate.settings, rate_per_minute=5), gate.settings.home / "slow")
    slow.settings.home.mkdir()
    slow.start()
    try:
        key = new_key(gate.settings, "gate", facility="RS-A")
        answers = [slow.client(key).post("/v1/scans", json=scan()) for _ in range(8)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert answers[-1].status_code == 429
        assert answers[-1].json()["error"] == "too_many"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
        other = new_key(gate.settings, "gate", facility="RS-A")
        assert slow.client(other).post("/v1/scans", json=scan()).status_code == 200
    finally:
        assert slow.stop() == 0
    assert not (slow.settings.home / "run" / "gate.json").exists()


def test_keys_have_the_scope_their_role_needs(gate: Gate) -> None:
    with transaction(gate.settings, OPERATOR) as conn:
        key, row = keys.make_key(conn, role="epidemiologist", principal="Fitri", area="3671", days=2)
    assert (row.area, row.demo) == ("36.71", False)
    assert timedelta(days=1, hours=23) < row.expires_at - datetime.now(UTC) <= timedelta(days=2)
    assert len(key) == len("jejak_") + 43
    assert json.dumps(key) not in msgspec.json.encode(row).decode()
