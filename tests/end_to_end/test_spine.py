"""From the gate to rows and notices, on the real servers, with everything that goes wrong on the way."""

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic

import msgspec
import pytest

from ops.demo.office import OfficeDesk
from ops.store import autocommit
from producers.gate_scans import GateScan, Subject, send_scans
from producers.scan_ids import scan_id
from producers.sender import Sender
from schemas.errors import BadInput
from schemas.events import Channel, Gate, Role
from schemas.topics import SCAN
from streams.sealing import read_seal
from tests.end_to_end.house import KINDS, House
from tracing.pair import pair

PERSONS = [f"orang-{number}" for number in range(60)]
SCANS = 4_000
PARTITIONS = 12
POISON = [b"\xff\xfe not json", b"{}", b'{"event":"scan"', b"", b"null", b"[1,2]"]


def _scans(random: Random) -> list[GateScan]:
    now = datetime.now(UTC).replace(microsecond=0)
    scans = []
    for number in range(SCANS):
        late = random.random() < 0.3
        at = now - timedelta(
            minutes=random.randint(0, 60 * 24 * (14 if late else 2)), microseconds=random.randint(0, 9)
        )
        scans.append(
            GateScan(
                scan_id=scan_id(at, 0, str(number)),
                subject=Subject(type="test", value=random.choice(PERSONS)),
                facility_id=random.choice(list(KINDS)),
                gate=random.choice([Gate.ENTRANCE, Gate.ENTRANCE, Gate.EXIT, Gate.EXIT, Gate.ZONE]),
                at=at.isoformat(),
                zone=random.choice(["", "IGD", "poli umum"]),
                admitted=random.random() < 0.95,
                role=random.choice([Role.UNKNOWN, Role.OUTPATIENT, Role.INPATIENT]),
                channel=random.choice([Channel.APP, Channel.IMPORT]),
            )
        )
    return scans


def _write(path: Path, scans: list[GateScan]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["scan_id", "person_id", "facility_id", "kind", "zone", "gate", "at", "admitted", "role", "channel"]
        )
        for scan in scans:
            writer.writerow(
                [
                    *(scan.scan_id, scan.subject.value, scan.facility_id, KINDS[scan.facility_id], scan.zone),
                    *(scan.gate, scan.at, str(scan.admitted).lower(), scan.role, "import"),
                ]
            )


def test_whatever_happens_on_the_way_the_database_is_what_jejak_pair_says(house: House, tmp_path: Path) -> None:
    random = Random(7)
    scans = _scans(random)
    sent = [*scans, *random.sample(scans, SCANS // 10)]  # repeats
    random.shuffle(sent)
    with house.gate("import") as gate, Sender(house.settings, "gate") as beside:
        for part in range(0, len(sent), 400):
            answer = send_scans(gate, sent[part : part + 400])
            assert answer.invalid == 0, answer.line()
            for value in POISON:
                beside.send(SCAN.name, b"", value, random.randrange(PARTITIONS)).get(10)
            if part % 1200 == 0:
                house.kill("visits-0")  # with what was just sent in its hands
    poison = len(POISON) * ((len(sent) + 399) // 400)
    house.wait_until(lambda: sum(house.ledger().values()) >= len(sent) + poison)
    assert house.ledger() == {"applied": len(scans), "duplicate": len(sent) - len(scans), "dead": poison}

    _write(tmp_path / "S.csv", scans)
    pair(tmp_path / "S.csv", tmp_path / "out", "Asia/Jakarta")
    # Visits of one person at one and the same instant have no order among themselves.
    paired = (tmp_path / "out" / "visits.csv").read_text().splitlines()
    assert sorted(house.visits_as_a_file(PERSONS).splitlines()) == sorted(paired)
    assert house.counts_as_a_file() == (tmp_path / "out" / "counts.csv").read_text()


def test_dead_letters_hold_the_bytes_and_the_reason(house: House) -> None:
    with Sender(house.settings, "gate") as beside:
        value = b'{"event":"scan","nik":"3671014101900001","x":' + os.urandom(8).hex().encode() + b"}"
        placed = beside.send(SCAN.name, b"k", value, 3).get(10)
    where = (SCAN.name, placed.partition, placed.offset)
    sql = 'select reason from dead_letter where topic = %s and partition = %s and "offset" = %s'
    house.wait_until(lambda: bool(house.ask(sql, *where)))
    ((reason,),) = house.ask(sql, *where)
    assert reason
    assert "3671" not in reason
    with autocommit(house.settings, "jejak_ops") as conn, conn.cursor() as cur:
        cur.execute('select sealed from dead_letter where topic = %s and partition = %s and "offset" = %s', where)
        row = cur.fetchone()
    assert row is not None
    sealed = bytes(row[0])
    assert b"3671014101900001" not in sealed
    assert read_seal(house.settings).unseal(sealed, *where) == value


def test_a_positive_becomes_a_notice_in_the_right_office_and_in_no_other(house: House) -> None:
    now = datetime.now(UTC)
    index, other = "positif", "teman"
    scans = [
        GateScan(
            scan_id=scan_id(at, 0, who, gate),
            subject=Subject(type="test", value=who),
            facility_id="RS-A",
            gate=gate,
            at=at.isoformat(),
        )
        for who in (index, other)
        for gate, at in ((Gate.ENTRANCE, now - timedelta(hours=3)), (Gate.EXIT, now - timedelta(hours=1)))
    ]
    before = sum(house.ledger().values())
    with house.gate("import") as gate:
        assert send_scans(gate, scans).accepted == len(scans)
    house.wait_until(lambda: sum(house.ledger().values()) >= before + len(scans))

    office, neighbour = OfficeDesk(house.settings, "d3671"), OfficeDesk(house.settings, "d3171")
    result_id = scan_id(now, 0, "result")
    body = {
        "result_id": result_id,
        "subject": {"type": "test", "value": index},
        "lab_ref": "E2E/1",
        "test": "pcr",
        "result": "positive",
        "status": "final",
        "specimen_at": now.isoformat(),
        "reported_at": now.isoformat(),
        "date_onset": now.date().isoformat(),
    }
    began = monotonic()
    with house.gate("laboratory") as laboratory:
        laboratory.post("/v1/test-results", body)
        laboratory.post("/v1/test-results", body)  # asked twice
        house.wait_until(lambda: bool(laboratory.get(f"/v1/test-results/{result_id}").get("case_id")))
        case_id = laboratory.get(f"/v1/test-results/{result_id}")["case_id"]
    with house.gate("sari") as doctor:
        # The case is there a moment before its trace has run: they are two transactions.
        house.wait_until(lambda: bool(doctor.get(f"/v1/traces/{case_id}")["contacts"]))
        trace = doctor.get(f"/v1/traces/{case_id}")
    met = [contact for contact in trace["contacts"] if contact["overlap_minutes"] == 120.0]
    assert met, trace["contacts"]
    ((written,),) = house.ask(
        "select count(*) from alert join trace using (trace_id) where case_id = %s and office = 'd3671'", case_id
    )
    alerts = office.wait_for(written, 20)
    assert len(alerts) == written
    assert alerts[0].data.action == "summary"
    assert monotonic() - began < 60
    told = msgspec.json.encode(alerts).decode()
    ((person,),) = house.ask("select replace(person::text, '-', '') from \"case\" where case_id = %s", case_id)
    for secret in (person, index, other, case_id, result_id, "E2E/1"):
        assert secret not in told
    assert all(alert.data.office == "d3671" for alert in alerts)
    ((elsewhere,),) = house.ask(
        "select count(*) from alert join trace using (trace_id) where case_id = %s and office = 'd3171'", case_id
    )
    assert len(neighbour.wait_for(elsewhere + 1, 2)) == elsewhere
    office.close()
    neighbour.close()


def test_an_unknown_facility_a_future_scan_and_an_old_one_are_refused_by_field(house: House) -> None:
    now = datetime.now(UTC)

    def scan(at: datetime, facility_id: str = "RS-A") -> dict[str, object]:
        return {
            "scan_id": scan_id(at, 0, "refused"),
            "subject": {"type": "test", "value": "tamu"},
            "facility_id": facility_id,
            "gate": "entrance",
            "at": at.isoformat(),
        }

    with house.gate("gate") as gate:
        for body, field in (
            (scan(now + timedelta(minutes=10)), "at"),
            (scan(now - timedelta(days=31)), "at"),
            (scan(now) | {"subject": {"type": "nik", "value": "9999999999999999"}}, "subject.value"),
            (scan(now) | {"at": "2026-11-24T08:00:00"}, "at"),
        ):
            with pytest.raises(BadInput) as caught:
                gate.post("/v1/scans", body)
            assert caught.value.field == field
    with house.gate("import") as gate, pytest.raises(BadInput) as caught:
        gate.post("/v1/scans", scan(now, "TIDAK-ADA"))
    assert caught.value.field == "facility_id"
