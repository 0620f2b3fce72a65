"""The certificate registry on the real servers: what is imported, what is sealed, and what a look-up lets out."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import psycopg2
import pytest
from click.testing import CliRunner

from ops.commands.privacy import privacy
from ops.commands.registry import registry as registry_command
from ops.store import OPERATOR, OWNER, connect, fix_partitions, transaction
from portal.desk import Desk, open_desk
from portal.facility_file import put_all
from portal.identity import normalise
from portal.joins.joins import approve, ask_to_join
from portal.registry import store
from portal.registry.colours import Action, Colour
from portal.registry.records import OPTIONAL, REQUIRED, record_of
from portal.registry.registry import Registry
from portal.registry.statuses import Latest, follow_statuses
from portal.registry.taking import take
from portal.tables import read_table
from portal.vault.key_files import key_folder
from portal.vault.rotation import rotate
from producers.sender import Sender
from schemas.codec import encode
from schemas.errors import BadInput, NotFound
from schemas.events import PersonStatus
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import PERSON_STATUS
from tests.portal.conftest import FACILITIES, Gate, result

As = Callable[..., httpx.Client]
T = TypeVar("T")

HEADER = "identifier_type,identifier_value,name,birth_date,dose_number,vaccine_code,occurrence_date,phone,location\n"
NOW = datetime.now(UTC)
WAIT_S = 20.0


def nik(serial: int) -> str:
    """Return the NIK of one of these tests' people."""
    return f"367102150890{serial:04}"


def line(serial: int, dose: int, name: str = "", born: str = "1990-08-15", day: str = "2022-01-01") -> str:
    return f"nik,{nik(serial)},{name or f'Orang {serial}'},{born},{dose},CoronaVac,{day},0812{serial:08},Puskesmas B\n"


def sent(client: httpx.Client, *lines: str) -> list[dict[str, Any]]:
    answer = client.post("/v1/vaccinations", content=HEADER + "".join(lines), headers={"content-type": "text/csv"})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.fixture(scope="module")
def register(as_role: As) -> httpx.Client:
    return as_role("registry", principal="Vaksinasi Nasional")


@pytest.fixture(scope="module")
def desk(gate: Gate) -> Iterator[Desk]:
    with open_desk(gate.settings, exposed=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def registry(desk: Desk) -> Iterator[Registry]:
    """Return a registry that has read who is black and goes on following."""
    made, stop = Registry(desk), threading.Event()
    thread = threading.Thread(target=follow_statuses, args=(desk.settings, made.statuses, stop), daemon=True)
    thread.start()
    wait_until(lambda: answers(made))
    yield made
    stop.set()
    thread.join(10)


def answers(registry: Registry) -> bool:
    try:
        return registry.statuses.black_until("0" * 32) == ()
    except Exception:  # noqa: BLE001 — not read yet
        return False


def wait_until(true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < WAIT_S, "it did not come true in time"
        time.sleep(0.01)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def looked_up(registry: Registry, serial: int, name: str = "", **more: Any) -> Action:
    asked = {"facility_id": "RS-A", "who": "petugas@rs-a.example"} | more
    at = asked.pop("at", datetime.now(UTC))
    return run(registry.action("nik", nik(serial), name or f"Orang {serial}", at, **asked))


def is_at_triage(registry: Registry, serial: int) -> bool:
    return looked_up(registry, serial) == Action.TRIAGE


def person(desk: Desk, serial: int) -> str:
    return run(desk.person_ids([normalise("nik", nik(serial), "", demo=False)]))[0]


def say(gate: Gate, person_id: str, case: str, until: datetime | None) -> None:
    """Tell the gates by topic, as the relay does."""
    value = None
    if until is not None:
        value = encode(PersonStatus(person_id=person_id, case_id=case, advice="black", until=until))
    with Sender(gate.settings, "relay") as sender:
        partition = partition_of(person_id, gate.settings.partitions)
        sender.send(PERSON_STATUS.name, f"{person_id}|{case}".encode(), value, partition).get(10)


def asked(gate: Gate, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(connect(gate.settings, OWNER)) as conn, conn.cursor() as cur:
        cur.execute(sql, values)
        return list(cur.fetchall())


def test_every_row_has_its_result_and_a_bad_one_stops_no_other(register: httpx.Client) -> None:
    lines = [line(1, 1), line(2, 0), "nik,1,x\n", line(1, 2, day="2022-02-01"), line(3, 1).replace(nik(3), "12345")]
    first, again = sent(register, *lines), sent(register, *lines)
    assert [(one["line"], one["status"], one.get("field", "")) for one in first] == [
        (2, "new", ""), (3, "bad", "dose_number"), (4, "bad", "row"), (5, "new", ""), (6, "bad", "identifier_value"),
    ]  # fmt: skip
    assert [one["status"] for one in again] == ["known", "bad", "bad", "known", "bad"]
    assert "12345" not in json.dumps([one.get("reason") for one in first])


def test_a_correction_changes_a_dose_an_older_one_does_not_and_an_error_is_withdrawn_for_good(
    registry: Registry, register: httpx.Client
) -> None:
    header = HEADER.strip() + ",record_id,last_updated,status\n"

    def send(dose: int, updated: str, status: str = "") -> str:
        row = f"{line(4, dose).strip()},R-4,{updated},{status}\n"
        answer = register.post("/v1/vaccinations", content=header + row, headers={"content-type": "text/csv"})
        return str(answer.json()["results"][0]["status"])

    assert send(1, "2026-01-02T00:00:00Z") == "new"
    assert send(3, "2026-01-01T00:00:00Z") == "known"
    assert looked_up(registry, 4) == Action.TRIAGE
    assert send(3, "2026-01-03T00:00:00Z") == "changed"
    assert looked_up(registry, 4) == Action.ADMIT
    assert send(3, "2026-01-03T00:00:00Z", "entered-in-error") == "withdrawn"
    assert looked_up(registry, 4) == Action.TRIAGE
    assert send(3, "2026-11-01T00:00:00Z") == "known"
    assert looked_up(registry, 4) == Action.TRIAGE


def test_the_same_person_comes_by_bundle_too(registry: Registry, register: httpx.Client) -> None:
    doses = [
        {"resource": {
            "resourceType": "Immunization", "id": f"i{n}", "status": "completed",
            "vaccineCode": {"text": "Comirnaty"}, "patient": {"reference": "urn:uuid:p"},
            "occurrenceDateTime": f"2022-0{n}-01", "protocolApplied": [{"doseNumberPositiveInt": n}],
        }}
        for n in (1, 2, 3)
    ]  # fmt: skip
    patient = {
        "resourceType": "Patient", "birthDate": "1990-08-15", "name": [{"text": "ORANG 5"}],
        "identifier": [{"system": "https://fhir.kemkes.go.id/id/nik", "value": nik(5)}],
    }  # fmt: skip
    bundle = {"resourceType": "Bundle", "entry": [*doses, {"fullUrl": "urn:uuid:p", "resource": patient}]}
    headers = {"content-type": "application/fhir+json"}
    answer = register.post("/v1/vaccinations", content=json.dumps(bundle), headers=headers)
    assert [(one["entry"], one["status"]) for one in answer.json()["results"]] == [(0, "new"), (1, "new"), (2, "new")]
    assert looked_up(registry, 5) == Action.ADMIT


def test_what_is_no_file_of_ours_is_refused_whole(register: httpx.Client) -> None:
    bodies = [(b"a,b\n1,2\n", "text/csv"), (b"{}", "application/fhir+json"), (b"", "text/csv"), (b"\xff", "")]
    for body, kind in bodies:
        answer = register.post("/v1/vaccinations", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    many = register.post("/v1/vaccinations", content=HEADER + line(6, 1) * 5_001, headers={"content-type": "text/csv"})
    assert many.status_code == 413


@pytest.mark.parametrize("role", ["gate", "import", "laboratory"])
def test_only_a_registers_key_may_send_records(as_role: As, role: str) -> None:
    scope = {"facility": "LAB-C" if role == "laboratory" else "RS-A"}
    assert as_role(role, **scope).post("/v1/vaccinations", content=HEADER).status_code == 403


def test_an_officer_is_told_an_action_by_the_doses_and_the_facilitys_own_rule(
    gate: Gate, registry: Registry, register: httpx.Client
) -> None:
    sent(register, *(line(10 + n, dose) for n in (1, 2, 3) for dose in range(1, n + 1)))
    assert [looked_up(registry, 10 + n) for n in (1, 2, 3)] == [Action.TRIAGE, Action.CHECK, Action.ADMIT]
    ((facility_no,),) = asked(gate, "select facility_no from facility where facility_id = 'PKM-B'")
    with transaction(gate.settings, "jejak_gate") as conn:
        store.set_yellow_rule(conn, facility_no, Action.ADMIT, "kepala@pkm-b.example")
    assert looked_up(registry, 12, facility_id="PKM-B") == Action.ADMIT
    assert looked_up(registry, 12) == Action.CHECK
    before = datetime(2022, 7, 16, 12, tzinfo=UTC)
    assert looked_up(registry, 12, at=before) == Action.ADMIT


def test_another_name_or_an_unknown_number_is_the_same_as_nobody(registry: Registry, register: httpx.Client) -> None:
    sent(register, line(20, 1), line(21, 1), line(21, 2), line(21, 3))
    assert looked_up(registry, 20, "orang  20.") == Action.TRIAGE
    assert {looked_up(registry, 20, "Orang 21"), looked_up(registry, 21, "x"), looked_up(registry, 29)} == {
        Action.CHECK
    }
    with pytest.raises(BadInput) as bad:
        run(registry.action("nik", "12345", "Orang", NOW, facility_id="RS-A", who="x"))
    assert "12345" not in str(bad.value)
    with pytest.raises(BadInput):
        run(registry.action("ktp", nik(20), "Orang", NOW, facility_id="RS-A", who="x"))
    with pytest.raises(NotFound):
        looked_up(registry, 20, facility_id="RS-Z")


def test_a_look_up_gives_nobody_an_id_and_writes_itself_down(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, line(30, 3))
    count = "select count(*) from vault.person"
    before = asked(gate, count)
    for serial in range(1_000, 1_020):
        assert looked_up(registry, serial, who="penebak") == Action.CHECK
    assert asked(gate, count) == before
    assert asked(gate, "select count(*) from vault.ticket where principal = 'penebak'") == [(0,)]
    looked_up(registry, 30, who="petugas 30")
    trail = "select object from audit where principal = %s and action = 'certificate looked up'"
    assert asked(gate, trail, "penebak") == [("nobody",)] * 20
    assert asked(gate, trail, "petugas 30") == [(person(desk, 30),)]


def test_a_hit_and_a_miss_take_the_same_steps(
    desk: Desk, registry: Registry, register: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(register, line(31, 3))
    steps: list[str] = []
    read = desk.read

    async def noted(query: Callable[..., Any], *args: object) -> Any:
        steps.append(query.__name__)
        return await read(query, *args)

    monkeypatch.setattr(desk, "read", noted)
    taken = []
    for serial, name in ((31, ""), (31, "Orang lain"), (39, "")):
        steps.clear()
        looked_up(registry, serial, name)
        taken.append(list(steps))
    assert taken[0] == taken[1] == taken[2]


def test_a_certificate_comes_out_once_and_only_after_the_audit_says_so(
    gate: Gate, desk: Desk, register: httpx.Client
) -> None:
    sent(register, line(33, 1))
    who, other = person(desk, 33), person(desk, 34)
    with transaction(gate.settings, "jejak_gate") as conn:
        early = store.ask(conn, "petugas", "certificate looked up", who)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            store.certificate(conn, early, who)
        conn.rollback()
    with transaction(gate.settings, "jejak_gate") as conn:
        ticket = store.ask(conn, "petugas", "certificate looked up", who)
    for asked_for in (other, None):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(gate.settings, "jejak_gate") as conn:
            store.certificate(conn, ticket, asked_for)
    with transaction(gate.settings, "jejak_gate") as conn:
        assert store.certificate(conn, ticket, who).doses == ((1, date(2022, 1, 1)),)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(gate.settings, "jejak_gate") as conn:
        store.certificate(conn, ticket, who)


def test_nothing_that_says_who_is_stored_in_clear(gate: Gate, register: httpx.Client) -> None:
    name = "Ratnasari Kusumawardhani"
    sent(register, line(32, 1, name, born="1987-03-04"))
    rows = asked(gate, "select t::text, sealed from vault.certificate t")
    doses = asked(gate, "select t::text from vault.dose t")
    audit = asked(gate, "select t::text from audit t")
    text = "".join(map(str, [*rows, *doses, *audit]))
    assert not any(
        one in text or one.encode().hex() in text
        for one in (name, nik(32), "1987-03-04", "081200000032", "81200000032")
    )
    assert len({len(bytes(sealed)) for _, sealed in rows}) == 1


def test_black_comes_by_topic_and_goes_by_topic(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, line(40, 1), line(40, 2), line(40, 3))
    who = person(desk, 40)
    assert looked_up(registry, 40) == Action.ADMIT
    say(gate, who, "K1", datetime.now(UTC) + timedelta(days=5))
    wait_until(lambda: looked_up(registry, 40) == Action.TRIAGE)
    assert run(registry.colour(who, datetime.now(UTC))) == Colour.BLACK
    say(gate, who, "K2", datetime.now(UTC) + timedelta(days=2))
    say(gate, who, "K1", None)
    wait_until(lambda: len(registry.statuses.black_until(who)) == 1)
    wait_until(lambda: looked_up(registry, 40) == Action.TRIAGE)
    assert looked_up(registry, 40, at=datetime.now(UTC) + timedelta(days=3)) == Action.ADMIT
    say(gate, who, "K2", None)
    wait_until(lambda: looked_up(registry, 40) == Action.ADMIT)
    assert run(registry.colour(who, datetime.now(UTC))) == Colour.GREEN


def test_a_gate_that_starts_later_knows_who_is_black(gate: Gate, desk: Desk, registry: Registry) -> None:
    who = person(desk, 41)
    say(gate, who, "K3", datetime.now(UTC) + timedelta(days=5))
    wait_until(lambda: bool(registry.statuses.black_until(who)))
    late, stop = Registry(desk), threading.Event()
    thread = threading.Thread(target=follow_statuses, args=(desk.settings, late.statuses, stop), daemon=True)
    thread.start()
    wait_until(lambda: answers(late))
    assert late.statuses.black_until(who) == registry.statuses.black_until(who)
    stop.set()
    thread.join(10)


def test_staff_at_their_own_facility_are_left_to_the_infection_control_team(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, *(line(serial, dose) for serial in (42, 43) for dose in (1, 2, 3)))
    for serial in (42, 43):
        say(gate, person(desk, serial), "K4", datetime.now(UTC) + timedelta(days=5))
        wait_until(partial(is_at_triage, registry, serial))
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        at = NOW - timedelta(hours=20)
        cur.execute("select make_visit_partition(%s)", (at.date(),))
        cur.execute(
            "insert into visit (key, person, check_in, check_out, visit_id, check_in_estimated, check_out_estimated,"
            " role) select facility_no * 8 + 1, %s, %s, %s, gen_random_uuid(), false, false, 'staff' from facility"
            " where facility_id = 'RS-A'",
            (person(desk, 42), at, at + timedelta(hours=3)),
        )
    assert [looked_up(registry, 42) for _ in range(2)] == [Action.ADMIT] * 2
    assert looked_up(registry, 42, facility_id="PKM-B") == Action.TRIAGE
    assert looked_up(registry, 43) == Action.TRIAGE
    advised = "select replace(person::text, '-', '') from staff_advice"
    assert asked(gate, advised) == [(person(desk, 42),)]
    assert run(registry.names_of([person(desk, 42)], "ppi@rs-a.example")) == ["Orang 42"]


def test_a_phone_is_told_its_owners_colour_and_a_code_goes_to_the_registered_number(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    child = f"{NOW:%Y}-01-01"
    sent(register, line(50, 1), line(50, 2), line(51, 1, born=child, day=f"{NOW:%Y-%m-%d}"))
    assert run(registry.colour(person(desk, 50), NOW)) == Colour.YELLOW
    assert run(registry.colour(person(desk, 51), NOW)) == Colour.GREEN
    assert run(registry.phone_of(person(desk, 50))) == "+6281200000050"
    unknown = person(desk, 59)
    assert run(registry.colour(unknown, NOW)) == Colour.RED
    assert run(registry.phone_of(unknown)) is None
    trail = asked(gate, "select action from audit where object = %s order by id", unknown)
    assert trail == [("status shown to its person",), ("registered number used for a code",)]


def test_doses_under_two_ids_of_one_human_count_together(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, line(60, 1), line(60, 2), line(61, 3))
    assert looked_up(registry, 60) == Action.CHECK
    with transaction(gate.settings, OPERATOR) as conn:
        number = ask_to_join(conn, person(desk, 60), person(desk, 61), who="sari", reason="NIK baru")
        approve(conn, number, who="budi")
    assert looked_up(registry, 60) == Action.ADMIT


def test_whoever_shows_another_document_of_his_is_known_by_the_name_of_the_first(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, *(line(63, dose) for dose in (1, 2, 3)))

    def shown(name: str) -> Action:
        asking = registry.action("passport", "X 630 0063", name, datetime.now(UTC), facility_id="RS-A", who="petugas")
        return run(asking)

    (other,) = run(desk.person_ids([normalise("passport", "X6300063", "", demo=False)]))
    assert shown("Orang 63") == Action.CHECK
    with transaction(gate.settings, OPERATOR) as conn:
        number = ask_to_join(conn, person(desk, 63), other, who="sari", reason="paspor")
        approve(conn, number, who="budi")
    assert (shown("63 orang"), shown("Orang 64")) == (Action.ADMIT, Action.CHECK)
    say(gate, other, "K6", datetime.now(UTC) + timedelta(days=5))
    wait_until(lambda: shown("Orang 63") == Action.TRIAGE)


def test_whom_a_laboratory_names_is_known_to_the_gate_without_a_certificate(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client, as_role: As
) -> None:
    subject = {"type": "nik", "value": nik(90)}
    laboratory = as_role("laboratory", facility="LAB-C")
    assert laboratory.post("/v1/test-results", json=result(subject=subject, name="Orang 90")).status_code == 200
    assert looked_up(registry, 90) == Action.CHECK, "no doses are known, and he is not black"
    say(gate, person(desk, 90), "K9", datetime.now(UTC) + timedelta(days=5))
    wait_until(lambda: looked_up(registry, 90, "Tn. ORANG 90") == Action.TRIAGE)
    assert looked_up(registry, 90, "Orang 91") == Action.CHECK, "a number alone tells nothing"
    say(gate, person(desk, 91), "K9", datetime.now(UTC) + timedelta(days=5))
    wait_until(lambda: bool(registry.statuses.black_until(person(desk, 91))))
    assert looked_up(registry, 91) == Action.CHECK, "nobody said who he is"
    sent(register, *(line(90, dose, "Orang Sembilan Puluh") for dose in (1, 2, 3)))
    laboratory.post("/v1/test-results", json=result(subject=subject, name="Orang 90"))
    assert looked_up(registry, 90) == Action.CHECK, "the register's name stands"
    assert looked_up(registry, 90, "Orang Sembilan Puluh") == Action.TRIAGE
    trail = "select count(*) from audit where action = 'name put on record' and object = %s"
    assert asked(gate, trail, person(desk, 90)) == [(2,)]


def test_new_keys_of_the_vault_change_no_answer(
    gate: Gate, fresh_database: Callable[[], Settings], tmp_path: Path
) -> None:
    for kind in ("database", "kafka"):
        shutil.copytree(gate.settings.secrets_dir / kind, tmp_path / kind)
    settings = msgspec.structs.replace(fresh_database(), secrets=str(tmp_path))  # its own vault's keys
    fix_partitions(settings)
    with transaction(settings, OPERATOR) as conn:
        put_all(conn, list(enumerate(FACILITIES)))
    with open_desk(settings, exposed=False) as own:
        made = Registry(own)
        made.statuses.use(Latest())
        rows = [row for _, row, _ in read_table((HEADER + line(62, 3)).encode(), required=REQUIRED, optional=OPTIONAL)]
        record = record_of(rows[0], NOW, demo=False)
        assert run(own.read(take, own.vault, [record], "sari", "csv")) == ["new"]
        for purpose in ("master", "index"):
            rotate(purpose, partial(transaction, settings, OPERATOR), key_folder(settings), "sari", lambda _: None)
            assert looked_up(made, 62) == Action.ADMIT
            assert run(made.phone_of(person(own, 62))) == "+6281200000062"
        assert run(own.read(take, own.vault, [record], "sari", "csv")) == ["known"]


def test_an_export_holds_the_certificate_and_an_erasure_takes_it_away(
    gate: Gate, desk: Desk, registry: Registry, register: httpx.Client
) -> None:
    sent(register, line(70, 1), line(70, 2))
    looked_up(registry, 70, who="petugas 70")
    asking: dict[str, Any] = {"input": f"nik {nik(70)}\n", "obj": gate.settings, "catch_exceptions": False}
    shown = json.loads(CliRunner().invoke(privacy, ["export", "--reason", "surat 70"], **asking).output)
    certificate = shown["certificate"]
    assert (certificate["name"], certificate["phone"]) == ("Orang 70", "+6281200000070")
    assert [one["dose"] for one in certificate["vaccinations"]] == [1, 2]
    assert ("petugas 70", "certificate looked up") in [
        (one["principal"], one["action"]) for one in shown["processing_trail"]
    ]
    who = person(desk, 70)
    CliRunner().invoke(privacy, ["erase", "--reason", "surat 71"], **asking)
    for table in ("certificate", "dose"):
        assert asked(gate, f"select count(*) from vault.{table} where person = %s", who) == [(0,)]  # noqa: S608 — two tables
    assert looked_up(registry, 70) == Action.CHECK


def test_the_command_takes_good_rows_names_bad_ones_and_writes_results(
    gate: Gate, registry: Registry, tmp_path: Path
) -> None:
    file, results = tmp_path / "records.csv", tmp_path / "results.csv"
    file.write_text(HEADER + line(80, 1) + line(80, 2) + line(80, 99) + line(80, 3))
    arguments = ["import", str(file), "--results", str(results)]
    found = CliRunner().invoke(registry_command, arguments, obj=gate.settings)
    assert (found.exit_code, found.stdout) == (1, "3 new, 0 changed, 0 known, 0 withdrawn, 1 bad\n")
    assert found.stderr == "jejak: line 4, field dose_number: is not a number from 1 to 20\n"
    assert results.read_text() == (
        "line,status,field,reason\n2,new,,\n3,new,,\n4,bad,dose_number,is not a number from 1 to 20\n5,new,,\n"
    )
    assert looked_up(registry, 80) == Action.ADMIT
    again = CliRunner().invoke(registry_command, arguments, obj=gate.settings)
    assert again.stdout == "0 new, 0 changed, 3 known, 0 withdrawn, 1 bad\n"
