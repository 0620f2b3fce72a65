"""The admission feed on the real servers: a hospital's file becomes scans, and a corrected one takes back its own."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from ops.commands.admissions import admissions as command
from ops.store import OWNER, transaction
from portal.horizon import FRESH_S
from producers.follower import follow
from schemas.events import Scan, ScanDecision
from schemas.topics import SCAN
from tests.portal.conftest import Gate, new_key
from tracing.instants import DAY_US, us_of
from tracing.records import SeenScan, standing
from tracing.visits import visits_of

As = Callable[..., httpx.Client]

HEADER = "encounter_id,event,at,identifier_type,identifier_value,ward,role,event_id,status\n"
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
CSV = {"content-type": "text/csv"}


def nik(serial: int) -> str:
    return f"367102150890{serial:04}"


def day(number: int, hour: int = 1) -> str:
    """Return an instant so many days after ten days ago."""
    return (MIDNIGHT + timedelta(days=number - 10, hours=hour)).isoformat()


def line(stay: str, event: str, at: str, serial: int, ward: str = "", **more: str) -> str:
    role, event_id, status = (more.get(name, "") for name in ("role", "event_id", "status"))
    return f"{stay},{event},{at},nik,{nik(serial)},{ward},{role},{event_id},{status}\n"


def sent(client: httpx.Client, *lines: str) -> list[str]:
    answer = client.post("/v1/admissions", content=HEADER + "".join(lines), headers=CSV)
    assert answer.status_code == 200, answer.text
    return [one["status"] for one in answer.json()["results"]]


class Topic:
    """What is on the topic by now."""

    def __init__(self, gate: Gate) -> None:
        self.records: list[Scan | ScanDecision] = []
        over: list[bool] = []
        records = follow(
            gate.settings, SCAN.name, "visits", stop=lambda: bool(over), caught_up=lambda: over.append(True)
        )
        for record in records:
            assert record.value is not None
            self.records.append(msgspec.json.decode(record.value, type=Scan | ScanDecision))

    def latest(self) -> Scan:
        """Return the scan that came last."""
        return max((one for one in self.records if isinstance(one, Scan)), key=lambda one: one.received_at)

    def standing(self, person_id: str) -> list[SeenScan]:
        """Return the scans of a person that nobody voided."""
        found = standing(one for one in self.records if one.person_id == person_id)
        assert not found.conflicts
        return sorted((one for one in found.scans if one.decision is None), key=lambda one: (one.at, one.scan_id))

    def passages(self, person_id: str) -> list[tuple[str, str, int]]:
        start = us_of(MIDNIGHT - timedelta(days=10))
        return [(one.gate, one.zone, (one.at - start) // DAY_US) for one in self.standing(person_id)]


@pytest.fixture(scope="module")
def hospital(as_role: As) -> httpx.Client:
    return as_role("import", facility="RS-A", principal="SIMRS RS A")


def test_a_stay_becomes_entrance_zones_and_exit_of_an_inpatient(gate: Gate, hospital: httpx.Client) -> None:
    lines = (
        line("RI-1", "admit", day(1), 1, "Mawar"),
        line("RI-1", "transfer", day(3), 1, "Isolasi"),
        line("RI-1", "discharge", day(6), 1),
    )
    assert sent(hospital, *lines) == ["new"] * 3
    topic = Topic(gate)
    person = topic.latest().person_id
    assert topic.passages(person) == [
        ("entrance", "", 1),
        ("zone", "Mawar", 1),
        ("zone", "Isolasi", 3),
        ("exit", "", 6),
    ]
    one = topic.latest()
    assert (one.role, one.channel, one.assurance, one.entered_by, one.facility_id) == (
        "inpatient", "import", "officer_saw_id", "SIMRS RS A", "RS-A",
    )  # fmt: skip
    (visit,) = visits_of(topic.standing(person))
    assert (visit.check_out_estimated, [zone for _, zone in visit.zones]) == (False, ["Mawar", "Isolasi"])
    count = len(topic.records)
    assert sent(hospital, *lines) == ["known"] * 3
    assert len(Topic(gate).records) == count


def test_a_corrected_record_takes_back_what_it_corrects_and_nothing_else(gate: Gate, hospital: httpx.Client) -> None:
    sent(hospital, line("RI-2", "admit", day(1), 2, "Mawar"), line("RI-2", "discharge", day(5), 2))
    person = Topic(gate).latest().person_id
    assert sent(hospital, line("RI-2", "admit", day(2), 2, "Melati")) == ["changed"]
    assert Topic(gate).passages(person) == [("entrance", "", 2), ("zone", "Melati", 2), ("exit", "", 5)]
    assert sent(hospital, line("RI-2", "death", day(4), 2)) == ["changed"]
    assert Topic(gate).passages(person)[-1] == ("exit", "", 4)
    assert sent(hospital, line("RI-2", "death", day(4), 2, status="entered-in-error")) == ["withdrawn"]
    assert Topic(gate).passages(person) == [("entrance", "", 2), ("zone", "Melati", 2)]
    before = Topic(gate)
    old = (line("RI-2", "admit", day(1), 2, "Mawar"), line("RI-2", "discharge", day(5), 2))
    assert sent(hospital, *old) == ["known", "known"]
    assert len(Topic(gate).records) == len(before.records)


def test_a_stay_that_was_somebody_elses_is_taken_from_him(gate: Gate, hospital: httpx.Client) -> None:
    sent(hospital, line("RI-3", "admit", day(1), 3, "Mawar"))
    wrong = Topic(gate).latest().person_id
    assert sent(hospital, line("RI-3", "admit", day(1), 4, "Mawar")) == ["changed"]
    topic = Topic(gate)
    right = topic.latest().person_id
    assert wrong != right
    assert (topic.passages(wrong), len(topic.passages(right))) == ([], 2)
    assert {one.by for one in topic.records if isinstance(one, ScanDecision)} == {"SIMRS RS A"}


def test_a_bundle_that_goes_on_adds_what_is_new(gate: Gate, hospital: httpx.Client) -> None:
    def post(**changed: Any) -> list[str]:
        stay = {
            "resourceType": "Encounter", "id": "e5", "status": "in-progress", "class": {"code": "IMP"},
            "subject": {"identifier": {"system": "https://fhir.kemkes.go.id/id/nik", "value": nik(5)}},
            "period": {"start": day(1)}, "location": [{"location": {"display": "Mawar"}, "period": {"start": day(1)}}],
        } | changed  # fmt: skip
        outpatient = {"resourceType": "Encounter", "id": "e6", "status": "finished", "class": {"code": "AMB"}}
        bundle = {"resourceType": "Bundle", "entry": [{"resource": stay}, {"resource": outpatient}]}
        answer = hospital.post(
            "/v1/admissions", content=json.dumps(bundle), headers={"content-type": "application/fhir+json"}
        )
        assert answer.status_code == 200, answer.text
        return [one["status"] for one in answer.json()["results"]]

    assert post() == ["new", "ignored"]
    person = Topic(gate).latest().person_id
    before = len(Topic(gate).records)
    locations = [
        {"location": {"display": "Mawar"}, "period": {"start": day(1)}},
        {"location": {"display": "ICU"}, "period": {"start": day(2)}},
    ]
    over = {"status": "finished", "location": locations, "period": {"start": day(1), "end": day(7)}}
    assert post(**over) == ["changed", "ignored"]
    assert post(**over) == ["known", "ignored"]
    topic = Topic(gate)
    assert topic.passages(person) == [("entrance", "", 1), ("zone", "Mawar", 1), ("zone", "ICU", 2), ("exit", "", 7)]
    assert len(topic.records) == before + 2


def encounters(client: httpx.Client, *stays: dict[str, Any]) -> list[dict[str, Any]]:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Encounter"} | one} for one in stays]}
    answer = client.post(
        "/v1/admissions", content=json.dumps(bundle), headers={"content-type": "application/fhir+json"}
    )
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def stay(serial: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"e{serial}", "status": "in-progress", "class": {"code": "IMP"}, "period": {"start": day(1)},
        "subject": {"identifier": {"system": "https://fhir.kemkes.go.id/id/nik", "value": nik(serial)}},
    } | changed  # fmt: skip


def test_a_stay_that_became_no_stay_is_taken_back(gate: Gate, hospital: httpx.Client) -> None:
    assert [one["status"] for one in encounters(hospital, stay(21))] == ["new"]
    person = Topic(gate).latest().person_id
    outpatient = {"id": "e21", "status": "finished", "class": {"code": "AMB"}}
    assert [one["status"] for one in encounters(hospital, outpatient, outpatient)] == ["withdrawn", "known"]
    assert Topic(gate).passages(person) == []


def test_a_bundle_of_many_patients_is_longer_than_other_bodies_may_be(gate: Gate, hospital: httpx.Client) -> None:
    note = "x" * 2 * gate.settings.body_limit
    assert [one["status"] for one in encounters(hospital, stay(22, note=note))] == ["new"]
    assert hospital.post("/v1/scans", content=b" " * 2 * gate.settings.body_limit).status_code == 413


def test_bad_rows_are_named_and_stop_no_other(hospital: httpx.Client) -> None:
    rows = [
        line("RI-7", "admit", day(1), 7),
        line("RI-7", "transfer", day(2), 7),
        line("RI-7", "leave", day(2), 7),
        line("RI-7", "discharge", "soon", 7),
        "x\n",
        line("RI-7", "discharge", day(3), 7),
    ]
    answer = hospital.post("/v1/admissions", content=HEADER + "".join(rows), headers=CSV).json()
    assert [(one["line"], one["status"], one.get("field", "")) for one in answer["results"]] == [
        (2, "new", ""), (3, "bad", "ward"), (4, "bad", "event"), (5, "bad", "at"), (6, "bad", "row"), (7, "new", ""),
    ]  # fmt: skip
    assert (answer["taken"], answer["bad"]) == (2, 4)
    assert nik(7) not in json.dumps(answer)


def test_a_hospital_sends_for_itself_alone(as_role: As, hospital: httpx.Client) -> None:
    row = f"RI-8,admit,{day(1)},nik,{nik(8)},PKM-B\n"
    header = "encounter_id,event,at,identifier_type,identifier_value,facility_id\n"
    for client, facility in ((hospital, "PKM-B"), (as_role("import", area="31"), "PKM-B"), (hospital, "RS-Z")):
        body = header + row.replace("PKM-B", facility)
        (one,) = client.post("/v1/admissions", content=body, headers=CSV).json()["results"]
        assert (one["status"], one["field"]) == ("bad", "facility_id")
    everywhere = as_role("import", area="36").post("/v1/admissions", content=header + row, headers=CSV)
    assert everywhere.json()["results"][0]["status"] == "new"
    assert as_role("gate", facility="RS-A").post("/v1/admissions", content=HEADER, headers=CSV).status_code == 403


def test_the_command_sends_a_long_file_in_parts_and_names_its_own_lines(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.commands.admissions.ROWS", 2)
    file, key = tmp_path / "events.csv", tmp_path / "key"
    key.write_text(new_key(gate.settings, "import", facility="RS-A"))
    file.write_text(
        HEADER
        + line("RI-9", "admit", day(1), 9, '"Mawar, kamar 2"')
        + "\n"
        + line("RI-9", "transfer", day(2), 9)
        + '"\n'
        + line("RI-9", "discharge", day(3), 9)
    )
    arguments = ["import", str(file), "--gate", gate.url, "--key-file", str(key)]
    found = CliRunner().invoke(command, arguments, obj=gate.settings)
    assert (found.exit_code, found.stdout) == (1, "2 new, 0 changed, 0 known, 0 withdrawn, 0 ignored, 2 bad\n")
    assert found.stderr.splitlines() == [
        "jejak: line 4, field ward: is empty",
        "jejak: line 5, field row: has a quote or a line end that is not CSV",
    ]
    assert CliRunner().invoke(command, arguments, obj=gate.settings).stdout.startswith("0 new, 0 changed, 2 known")


def test_nothing_from_before_the_horizon_is_taken_but_the_rest_of_a_stay_is(gate: Gate, hospital: httpx.Client) -> None:
    with transaction(gate.settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute(
            "insert into position (topic, partition, cluster_id, first, next_offset, horizon)"
            " values ('scan.v1', 999, 'c', 0, 0, %s)",
            (MIDNIGHT - timedelta(days=5),),
        )
    time.sleep(FRESH_S)
    rows = (line("RI-23", "admit", day(1), 23), line("RI-23", "transfer", day(7), 23, "ICU"))
    assert sent(hospital, *rows) == ["bad", "new"]
    wards = [{"location": {"display": "ICU"}, "period": {"start": day(7)}}]
    old, late = encounters(hospital, stay(24), stay(25, location=wards))
    assert (old["status"], old["field"], late["status"]) == ("bad", "period", "new")
    topic = Topic(gate)
    assert topic.passages(topic.latest().person_id) == [("zone", "ICU", 7)]
