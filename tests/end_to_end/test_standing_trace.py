"""A trace that stands, from the gate to the offices: a late visit is added, a voided scan withdrawn or reviewed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ops.demo.office import OfficeDesk
from producers.gate_scans import GateScan, Subject, send_scans
from producers.scan_ids import scan_id
from producers.sender import Sender
from schemas.codec import encode
from schemas.events import Alert, Gate, ScanDecision
from schemas.partition import partition_of
from schemas.topics import SCAN
from tests.end_to_end.house import House

NOW = datetime.now(UTC).replace(microsecond=0)
MET = NOW - timedelta(days=6)
INDEX, COMPANION, NURSE, LATE = "kasus", "penunggu", "perawat", "terlambat"


def stay(who: str, minutes: int = 60) -> list[GateScan]:
    return [
        GateScan(
            scan_id=scan_id(at, 0, who, gate),
            subject=Subject(type="test", value=who),
            facility_id="RS-A",
            gate=gate,
            at=at.isoformat(),
        )
        for gate, at in ((Gate.ENTRANCE, MET), (Gate.EXIT, MET + timedelta(minutes=minutes)))
    ]


def sent(house: House, scans: list[GateScan]) -> None:
    before = sum(house.ledger().values())
    with house.gate("import") as gate:
        assert send_scans(gate, scans).accepted == len(scans)
    house.wait_until(lambda: sum(house.ledger().values()) >= before + len(scans))


def voided(house: House, one: GateScan) -> None:
    """Let somebody void a scan; the gate has no door for that yet, so it is put onto the topic beside it."""
    ((person,),) = house.ask("select replace(person::text, '-', '') from scan where scan_id = %s", one.scan_id)
    decision = ScanDecision(
        scan_id=one.scan_id,
        person_id=person,
        scan_at=datetime.fromisoformat(one.at),
        decision="void",  # type: ignore[arg-type] # msgspec takes the text
        serial=1,
        by="ppi",
        reason="another person's phone",
    )
    with Sender(house.settings, "gate") as beside:
        where = partition_of(person, house.settings.partitions)
        beside.send(SCAN.name, person.encode(), encode(decision), where).get(10)


@pytest.fixture(scope="module")
def offices(house: House) -> Iterator[dict[str, OfficeDesk]]:
    """Return the desks of district and province, where two candidates of a case have arrived."""
    sent(house, [*stay(INDEX, 90), *stay(COMPANION), *stay(NURSE, 40)])
    desks = {office: OfficeDesk(house.settings, office) for office in ("d3671", "p36")}
    with house.gate("laboratory") as laboratory:
        laboratory.post(
            "/v1/test-results",
            {
                "result_id": scan_id(NOW, 0, "standing"),
                "subject": {"type": "test", "value": INDEX},
                "lab_ref": "E2E/standing",
                "test": "pcr",
                "result": "positive",
                "status": "final",
                "specimen_at": (NOW - timedelta(days=5)).isoformat(),
                "reported_at": NOW.isoformat(),
            },
        )
    for desk in desks.values():
        wait_for(house, desk, 3)
    yield desks
    for desk in desks.values():
        desk.close()


def wait_for(house: House, desk: OfficeDesk, number: int) -> list[Alert]:
    house.wait_until(lambda: len(desk.wait_for(0, 0)) >= number)
    return desk.wait_for(number, 0)


def test_late_voided_and_acknowledged_as_the_offices_read_it(house: House, offices: dict[str, OfficeDesk]) -> None:
    district, province = offices["d3671"], offices["p36"]
    first = wait_for(house, district, 3)
    assert [one.data.action for one in first] == ["summary", "added", "added"]
    assert [one.data.minutes_band for one in first[1:]] == ["60-239", "30-59"]

    sent(house, stay(LATE, 20))  # six days old, through the gate
    added = wait_for(house, district, 4)[3].data
    assert (added.action, added.minutes_band, added.version) == ("added", "15-29", 2)
    assert added.reason.startswith("1 meeting; ")
    assert added.reason.endswith("; a visit arrived late")

    with house.gate("office") as office:
        answer = office.post(f"/v1/alerts/{first[1].id}/ack", {})
        assert answer["acknowledged_by"] == "dinkes-tangerang"
    for who in (COMPANION, NURSE):
        voided(house, stay(who)[0])  # the entrance: what is left is an exit, whose check-in is estimated
        voided(house, stay(who, {COMPANION: 60, NURSE: 40}[who])[1])
    house.wait_until(lambda: {"review", "withdrawn"} <= {one.data.action for one in district.wait_for(0, 0)})
    house.wait_until(lambda: [one.data.action for one in province.wait_for(0, 0)].count("withdrawn") == 2)

    last = {one.data.contact_ref: one.data for one in district.wait_for(0, 0) if one.data.contact_ref}
    companion, nurse = last[first[1].data.contact_ref], last[first[2].data.contact_ref]
    assert (companion.action, nurse.action) == ("review", "withdrawn")
    assert companion.reason == "no meeting is left that concerns this office; a scan was voided"
    assert nurse.reason == companion.reason

    ((case_id,),) = house.ask('select case_id from "case" where requested_by = %s', "labkesda")
    with house.gate("sari") as epidemiologist:
        view = epidemiologist.get(f"/v1/traces/{case_id}")
        assert [one["overlap_minutes"] for one in view["contacts"]] == [20.0]
        assert view["trace_state"] == "open"
    assert house.ask("select count(*) from dead_letter") == [(0,)]


def test_an_office_sees_and_decides_what_it_was_asked_to_review(house: House, offices: dict[str, OfficeDesk]) -> None:
    review = next(one for one in offices["d3671"].wait_for(0, 0) if one.data.action == "review")
    with house.gate("office") as office:
        assert review.id in {one["alert_id"] for one in office.get("/v1/alerts")["alerts"]}
        office.post(f"/v1/alerts/{review.id}/ack", {})
        office.post(f"/v1/alerts/{review.id}/decisions", {"decision": "dropped", "reason": "was never there"})
        assert review.id not in {one["alert_id"] for one in office.get("/v1/alerts")["alerts"]}
    house.wait_until(lambda: offices["d3671"].wait_for(0, 0)[-1].data.reason == "dropped by people")
    assert offices["d3671"].wait_for(0, 0)[-1].data.contact_ref == review.data.contact_ref
