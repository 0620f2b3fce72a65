"""What cannot be, from the gate to the offices: flagged by rules, out of counts and traces, and back when cleared."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from ops.audit.findings import CHECKS, Findings
from ops.audit.run import audit
from ops.demo.office import OfficeDesk
from ops.topics import admin_client
from portal.posters import gates
from portal.posters.keys import PosterKeys
from portal.store import open_pool
from portal.web.secret_box import portal_secrets
from producers.gate_scans import GateScan, Subject, send_scans
from producers.scan_ids import scan_id
from schemas.events import AlertData, Assurance, Channel, Gate
from schemas.topics import SCAN, group_of
from tests.end_to_end.house import House

NOW = datetime.now(UTC).replace(microsecond=0)
MET = NOW - timedelta(days=6)
INDEX, NURSE, GUEST = "kasus", "perawat", "tamu"
BURST = 40


def scan(who: str, at: datetime, gate: Gate = Gate.ENTRANCE, facility: str = "RS-A", **more: Any) -> GateScan:
    return GateScan(
        scan_id=scan_id(at, 0, who, gate),
        subject=Subject(type="test", value=who),
        facility_id=facility,
        gate=gate,
        at=at.isoformat(),
        **more,
    )


def stay(who: str, minutes: int, *, posters: bool = False) -> list[GateScan]:
    """Return entrance and exit at RS-A; by its posters where a phone says so."""
    read: dict[str, Any] = {"poster_version": 1} if posters else {}
    return [
        scan(who, at, gate, gate_no=number if posters else None, **read)
        for number, gate, at in ((1, Gate.ENTRANCE, MET), (2, Gate.EXIT, MET + timedelta(minutes=minutes)))
    ]


def sent(house: House, scans: list[GateScan]) -> None:
    with house.gate("import" if scans[0].channel is Channel.IMPORT else "gates") as gate:
        assert send_scans(gate, scans).accepted == len(scans)


def flagged(house: House, facility_id: str) -> tuple[int, int, int]:
    """Return how many scans of a facility its counts call flagged, and its arrivals and departures."""
    ((flags, arrivals, departures),) = house.ask(
        "select coalesce(sum(flagged), 0)::int, coalesce(sum(arrivals), 0)::int, coalesce(sum(departures), 0)::int"
        " from facility_hour join facility using (facility_no) where facility_id = %s",
        facility_id,
    )
    return flags, arrivals, departures


def decisions(house: House, reason: str) -> list[tuple[str, int]]:
    return house.ask("select scan_id::text, serial from scan_decision where reason = %s order by 1, 2", reason)


def all_looked_at(house: House) -> None:
    """Wait until the watcher has looked at all there is: its group stands at the end of the log."""
    group = group_of("plausibility")
    places = [TopicPartition(SCAN.name, number) for number in range(house.settings.partitions)]

    def is_done() -> bool:
        with admin_client(house.settings) as admin:
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            stands = admin.list_group_offsets({group: places})[group]
        return all(stands[place].offset >= ends[place].offset or ends[place].offset == 0 for place in places)

    house.wait_until(is_done)


@pytest.fixture(scope="module")
def town(house: House) -> House:
    """Return the house with two gates and their posters, and with a place for two of its facilities."""
    pool = open_pool(house.settings, 1)
    keys = PosterKeys(portal_secrets(house.settings))
    with pool.connection() as conn:
        for kind in (Gate.ENTRANCE, Gate.EXIT):
            gates.add(
                conn, keys, facility_id="RS-A", kind=kind, name="Utama", zone="", by="x", now=NOW - timedelta(days=9)
            )
        with conn.cursor() as cursor:
            cursor.execute(
                "insert into place (facility_no, licence, licence_key, address, sub_district, latitude, longitude,"
                " responsible, email, phone, capacity, opening_hours, verified_by) select facility_no, facility_id,"
                " facility_id, 'Jl. Satu', '36.71.01', case facility_id when 'RS-A' then -6.2 else -7.2 end, 106.8,"
                " 'Ani', 'a@contoh.go.id', '021 555 1234', 100, '24/7', 'x' from facility"
                " where facility_id in ('RS-A', 'KLN-C')"
            )
    pool.close()
    return house


@pytest.fixture(scope="module")
def office(house: House) -> Iterator[OfficeDesk]:
    desk = OfficeDesk(house.settings, "d3671")
    yield desk
    desk.close()


def test_a_crowd_at_one_poster_is_flagged_once_whoever_is_killed(town: House) -> None:
    crowd = [
        scan(f"hantu-{number}", NOW - timedelta(hours=5) + timedelta(seconds=number), facility="PKM-B",
             gate_no=1, poster_version=1)
        for number in range(BURST)
    ]  # fmt: skip
    sent(town, crowd[1::2])
    town.kill("plausibility")
    sent(town, crowd[::2])
    town.kill("plausibility")
    town.wait_until(lambda: flagged(town, "PKM-B")[0] == BURST)
    assert flagged(town, "PKM-B") == (BURST, 0, 0)
    town.kill("plausibility")
    all_looked_at(town)
    assert decisions(town, "burst") == sorted((one.scan_id, 0) for one in crowd)


def test_the_phone_is_flagged_and_not_what_the_officer_saw_far_away(town: House) -> None:
    at = NOW - timedelta(hours=3)
    phone = scan("kembar", at)
    seen = scan("kembar", at + timedelta(minutes=2), facility="KLN-C", channel=Channel.OFFICER,
                assurance=Assurance.OFFICER_SAW_ID)  # fmt: skip
    sent(town, [seen])
    sent(town, [phone])
    town.wait_until(lambda: flagged(town, "RS-A")[0] == 1)
    assert decisions(town, "two_places") == [(phone.scan_id, 0)]
    assert flagged(town, "KLN-C")[0] == 0


def test_a_stated_theft_takes_the_scans_since_out_and_clearing_tells_the_office(
    town: House, office: OfficeDesk
) -> None:
    before = flagged(town, "RS-A")[0]
    sent(town, [*stay(INDEX, 90), *stay(NURSE, 40), *stay(GUEST, 60, posters=True)])
    town.wait_until(lambda: flagged(town, "RS-A")[1] >= 3)
    all_looked_at(town)
    assert flagged(town, "RS-A")[0] == before
    steal(town)
    town.wait_until(lambda: flagged(town, "RS-A")[0] == before + 2)
    assert {serial > 0 for _, serial in decisions(town, "retired_poster")} == {True}

    with town.gate("laboratory") as laboratory:
        laboratory.post("/v1/test-results", positive())
    first = alerts(town, office, 2)
    assert [one.action for one in first] == ["summary", "added"]
    assert first[1].minutes_band == "30-59"  # the nurse alone

    with town.gate("import") as gate:  # the ministry's
        body = [decision(one, "clear") for one in stay(GUEST, 60, posters=True)]
        answer = gate.post("/v1/scans/decisions", body)
        assert [one["status"] for one in answer["results"]] == ["accepted", "accepted"]
    added = alerts(town, office, 3)[2]
    assert (added.action, added.minutes_band, added.version) == ("added", "60-239", 2)
    assert flagged(town, "RS-A")[0] == before

    town.kill("plausibility")
    late = scan(GUEST, MET + timedelta(hours=8), gate_no=1, poster_version=1)  # comes after all that
    sent(town, [late])
    town.wait_until(lambda: flagged(town, "RS-A")[0] == before + 1)
    assert late.scan_id in {scan_id for scan_id, _ in decisions(town, "retired_poster")}


def test_the_audit_counts_what_is_flagged_as_the_fold_does(town: House) -> None:
    all_looked_at(town)
    found: list[object] = []
    town.wait_until(lambda: town.ask("select count(*) from outbox where published_at is null") == [(0,)])
    audit(town.settings, Findings(tuple(CHECKS), found.append), wait_s=20.0, say=lambda _: None)
    assert found == []
    assert town.ask("select count(*) from dead_letter") == [(0,)]


def steal(house: House) -> None:
    """State that both posters of RS-A were stolen an hour before anybody met."""
    pool = open_pool(house.settings, 1)
    keys, now = PosterKeys(portal_secrets(house.settings)), datetime.now(UTC)
    with pool.connection() as conn:
        for number in (1, 2):
            gate = gates.find(conn, "RS-A", number)
            gates.revoke_stolen(conn, keys, gate, version=1, since=MET - timedelta(hours=1), by="manajer", now=now)
    pool.close()


def decision(one: GateScan, verdict: str) -> dict[str, object]:
    return {
        "scan_id": one.scan_id,
        "facility_id": one.facility_id,
        "decision": verdict,
        "reason": "tamu dikenal petugas",
    }


def positive() -> dict[str, object]:
    return {
        "result_id": scan_id(NOW, 0, "flagged"),
        "subject": {"type": "test", "value": INDEX},
        "lab_ref": "E2E/flagged",
        "test": "pcr",
        "result": "positive",
        "status": "final",
        "specimen_at": (NOW - timedelta(days=5)).isoformat(),
        "reported_at": NOW.isoformat(),
    }


def alerts(house: House, office: OfficeDesk, number: int) -> list[AlertData]:
    house.wait_until(lambda: len(office.wait_for(0, 0)) >= number)
    return [one.data for one in office.wait_for(number, 0)]
