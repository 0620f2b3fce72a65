"""A thousand planted NIKs, in good, bad and broken requests, are found nowhere but sealed in the vault."""

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from ops.embedded import Servers
from ops.store import OWNER, connect
from portal.identifiers import new_uuid7
from portal.nik import known_regions
from producers.follower import follow
from schemas.topics import SCAN, TEST_RESULT, TRACE_REQUEST
from tests.portal.conftest import Gate, result, scan

As = Callable[..., httpx.Client]


VACCINATION = {
    "identifier_type": "nik", "identifier_value": "", "name": "Siti Aminah", "birth_date": "1990-08-15",
    "dose_number": "2", "vaccine_code": "CoronaVac", "occurrence_date": "2021-07-01", "phone": "081234567890",
    "location": "Puskesmas B", "lot_number": "L1", "record_id": "R1", "status": "completed", "last_updated": "",
}  # fmt: skip
ADMISSION = {
    "encounter_id": "RI-1", "event": "admit", "at": "2026-01-01T08:00:00Z", "identifier_type": "nik",
    "identifier_value": "", "ward": "Mawar", "role": "", "facility_id": "", "event_id": "", "status": "",
    "last_updated": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def planted() -> list[str]:
    chance = random.Random(20260301)
    places = sorted(place.replace(".", "") for place in known_regions().sub_districts)
    return [
        f"{chance.choice(places)}{chance.randint(1, 28) + chance.choice((0, 40)):02}{chance.randint(1, 12):02}"
        f"{chance.randint(0, 99):02}{chance.randint(1, 9999):04}"
        for _ in range(1_000)
    ]


def plant(gate: Gate, as_role: As, niks: list[str]) -> Iterator[httpx.Response]:
    """Send them wherever a caller may put one, and yield the answers."""
    door, laboratory = as_role("gate", facility="RS-A"), as_role("laboratory", facility="LAB-C")
    epidemiologist = as_role("epidemiologist", area="36")
    subjects = [{"type": "nik", "value": nik} for nik in niks]
    yield door.post("/v1/scans", json=[scan(subject=subject) for subject in subjects])
    yield door.post("/v1/scans", json=[scan(subject=subject, at="never") for subject in subjects])
    yield door.post("/v1/scans", json=[scan(scan_id=nik) for nik in niks])
    yield door.post("/v1/scans", json=[scan(facility_id=nik) for nik in niks])
    yield door.post("/v1/scans", json=[scan(gate=nik) for nik in niks])
    yield door.post("/v1/scans", json=[scan(subject={"type": nik, "value": nik}) for nik in niks])
    yield door.post("/v1/scans", json=[scan(subject={"type": "nik", "value": nik + "0"}) for nik in niks])
    yield door.post("/v1/scans", json=[scan() | {nik: nik} for nik in niks])
    yield door.post("/v1/scans", content=" ".join(niks).encode())
    for field in ("zone", "group_id", "refused_reason", "device_id"):
        yield door.post("/v1/scans", json=[scan(**{field: f"bed of {nik}"}) for nik in niks])
    yield from plant_files(as_role, niks)
    for nik, subject in zip(niks[:40], subjects, strict=False):
        yield door.post("/v1/scans", json=scan(subject=subject))
        yield door.post("/v1/scans", json=scan(at=nik))
        yield door.get(f"/v1/facilities/{nik}/occupancy")
        yield door.get("/v1/facilities/RS-A/hours", params={"from": nik, "to": nik})
        yield httpx.get(f"{gate.url}/{nik}", params={"nik": nik}, headers={"Authorization": f"Bearer {nik}"})
        yield laboratory.post("/v1/test-results", json=result(subject=subject))
        yield laboratory.post("/v1/test-results", json=result(subject=subject, result=nik))
        yield laboratory.post("/v1/test-results", json=result(subject=subject, lab_ref=f"{nik}/1"))
        yield laboratory.get(f"/v1/test-results/{nik}")
        request = {"request_id": new_uuid7(datetime.now(UTC)), "subject": subject, "reason": "why"}
        yield epidemiologist.post("/v1/traces", json=request)
        yield epidemiologist.post("/v1/traces", json=request | {"case_id": nik})
        yield epidemiologist.post("/v1/traces", json=request | {"reason": f"met {nik[:6]} {nik[6:12]} {nik[12:]}"})
        yield epidemiologist.get(f"/v1/traces/{nik}")
        yield epidemiologist.post(f"/v1/traces/{nik}/approval", json={"action": "approve", "reason": nik})
        yield epidemiologist.post(f"/v1/traces/{nik}/decisions", json={"contact_ref": nik, "decision": nik})


def plant_files(as_role: As, niks: list[str]) -> Iterator[httpx.Response]:
    """Send them in rows and resources of other systems, where they belong and where they do not."""
    for path, client, row in (
        ("/v1/vaccinations", as_role("registry"), VACCINATION),
        ("/v1/admissions", as_role("import", facility="RS-A"), ADMISSION),
    ):
        for column in row:
            lines = [",".join((row | {"identifier_value": nik, column: nik}).values()) for nik in niks]
            body = "\n".join([",".join(row), *lines])
            yield client.post(path, content=body, headers={"content-type": "text/csv"})
        resources = [{"resourceType": kind, "id": nik, nik: nik} for nik in niks for kind in ("Patient", "Encounter")]
        bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": one["id"], "resource": one} for one in resources]}
        yield client.post(path, json=bundle)
        yield client.post(path, content=f'"{" ".join(niks)}', headers={"content-type": "text/csv"})


def held_by(text: bytes, niks: list[str]) -> set[str]:
    """Return which of them a text holds, also inside a longer number."""
    runs = [match[0].decode() for match in re.finditer(rb"[0-9]{16,}", text)]
    return {run[start : start + 16] for run in runs for start in range(len(run) - 15)} & {*niks}


def test_a_thousand_planted_niks_are_found_nowhere(
    servers: Servers, gate: Gate, as_role: As, planted: list[str]
) -> None:
    answers = list(plant(gate, as_role, planted))
    assert {answer.status_code for answer in answers} <= {200, 202, 401, 403, 404, 422}
    assert [one["status"] for one in answers[0].json()["results"]] == ["accepted"] * 1_000
    assert sum(answer.status_code in {200, 202} for answer in answers) >= 100
    for answer in answers:
        assert not held_by(answer.content + str(answer.headers).encode(), planted), answer.request.url.path[:8]
    assert not held_by(httpx.get(f"{gate.url}/metrics").content, planted)
    log = gate.stderr.read_bytes()
    assert b"refused" in log
    assert not held_by(log, planted)
    dumped = dump(gate)
    assert not held_by(dumped, planted)
    assert not hashes_without_a_key(planted) & {match[0].decode() for match in re.finditer(rb"[0-9a-f]{32,}", dumped)}
    assert vault_size(gate) >= 1_000
    files = [path for path in servers.settings.home.rglob("*") if path.is_file() and path.suffix in {".log", ".json"}]
    assert any(SCAN.name in path.parent.name for path in files)  # the broker's own files are among them
    assert {path.name: found for path in files if (found := held_by(path.read_bytes(), planted))} == {}
    for topic, user in ((SCAN, "visits"), (TEST_RESULT, "traces"), (TRACE_REQUEST, "traces")):
        records = records_of(gate, topic.name, user)
        assert len(records) >= 40
        assert not held_by(b"\n".join(records), planted)


def hashes_without_a_key(niks: list[str]) -> set[str]:
    """Return what somebody who guesses numbers could compute of these and look for, in hexadecimal digits."""
    texts = [text for nik in niks for text in (nik, f"nik:{nik}")]
    plain = {hashlib.new(name, text.encode()).hexdigest() for text in texts for name in ("md5", "sha1", "sha256")}
    return plain | {hmac.digest(key, text.encode(), "sha256").hex() for text in texts for key in (b"", bytes(32))}


def dump(gate: Gate) -> bytes:
    """Return every row of every table as text."""
    rows: list[str] = []
    with closing(connect(gate.settings, OWNER)) as conn, conn.cursor() as cursor:
        cursor.execute("select relid::regclass::text from pg_stat_user_tables")
        for (table,) in cursor.fetchall():
            cursor.execute(f"select t::text from {table} t")  # noqa: S608 — the database's own name for it
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows).encode()


def vault_size(gate: Gate) -> int:
    with closing(connect(gate.settings, OWNER)) as conn, conn.cursor() as cursor:
        cursor.execute("select count(*) from vault.person where kind = 'nik'")
        return int((cursor.fetchone() or (0,))[0])


def records_of(gate: Gate, topic: str, user: str) -> list[bytes]:
    """Return keys and values of all records, until none has come for a moment."""
    quiet = 0

    def stop() -> bool:
        nonlocal quiet
        quiet += 1
        return quiet > 10

    found: list[bytes] = []
    for record in follow(gate.settings, topic, user, stop=stop):
        quiet = 0
        found += [record.key or b"", record.value or b""]
    return found


def test_the_search_for_planted_numbers_finds_them() -> None:
    niks = ["3671015508900001", "3671011508900002"]
    assert held_by(b"x3671015508900001y 993671011508900002", niks) == {*niks}
    assert held_by(b"367101 5508900001 3671015508900003", niks) == set()
