"""A person's own requests on a real database: an export with its trail, erasure at once or at its date, with proof."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from ops.audit_log.chain import check_chain
from ops.audit_log.store import audit_rows
from ops.commands.privacy import privacy
from ops.store import OPERATOR, OWNER, transaction
from portal import store as portal_store
from portal.identity import Subject, Vault, open_vault
from portal.joins import joins
from portal.privacy import store as privacy_store
from portal.privacy.identifiers import read_identifiers
from portal.vault import store as vault_store
from portal.vault.tending import EVERY_S
from schemas.errors import BadInput, Conflict, NotFound
from schemas.settings import Settings
from tests.portal.conftest import Gate, scan

NIK = "3671015508900001"
NOW = datetime.now(UTC)
TODAY = NOW.replace(microsecond=0)


@pytest.fixture(scope="module")
def settings(fresh_database: Callable[[], Settings]) -> Settings:
    settings = fresh_database()
    execute(
        settings,
        "insert into facility (facility_id, name, kind, time_zone, district)"
        " values ('RS-A', 'RS A', 'hospital', 'Asia/Jakarta', '36.71')",
    )
    return settings


def execute(settings: Settings, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def somebody(settings: Settings, subject: Subject) -> str:
    with transaction(settings, "jejak_gate") as conn:
        return open_vault(conn, settings).person_ids(conn, [subject])[0]


def vault_of(settings: Settings) -> Vault:
    with transaction(settings, "jejak_gate") as conn:
        return open_vault(conn, settings)


def visit(settings: Settings, person: str, check_out: datetime) -> None:
    execute(
        settings,
        "insert into visit_long select facility_no * 8 + 3, %s, %s::timestamptz - interval '30 hours', %s, %s, false,"
        " false, 'inpatient', null from facility where facility_id = 'RS-A'",
        *(person, check_out, check_out, person),
    )


def case(settings: Settings, person: str, name: str) -> None:
    execute(
        settings,
        'insert into "case" (case_id, person, state, classification, date_specimen, requested_by, requested_role,'
        " reason, opened_at) values (%s, %s, 'open', 'konfirmasi', %s, 'lab', 'laboratory', '', %s)",
        *(name, person, TODAY.date(), TODAY),
    )


def trace(settings: Settings, name: str, closes_at: datetime) -> int:
    sql = "insert into trace (case_id, rule, closes_at) values (%s, 'kmk-4641-2021', %s) returning trace_id"
    return int(execute(settings, sql, name, closes_at)[0][0])


def candidate(settings: Settings, trace_id: int, person: str) -> None:
    execute(
        settings,
        "insert into candidate select %s, 1, gen_random_uuid(), %s, 'ref', facility_no, '', 'visitor', %s, %s, 1, 1,"
        " false, false, '' from facility where facility_id = 'RS-A'",
        *(trace_id, person, TODAY, TODAY),
    )


def contact_of_a_day(settings: Settings, name: str, person: str) -> None:
    execute(
        settings,
        "insert into bulk_contact select %s, 'cdc-2020', '{}', %s, %s, facility_no, %s, %s, 1200000000, 1, false"
        " from facility where facility_id = 'RS-A'",
        *(TODAY.date(), name, person, TODAY, TODAY),
    )


def ask(settings: Settings, words: str, *options: str) -> Result:
    return CliRunner().invoke(privacy, list(options), obj=settings, input=words)


def erase(settings: Settings, words: str) -> dict[str, Any]:
    answer = ask(settings, words, "erase", "--reason", "letter 12")
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_an_export_has_the_persons_data_and_who_looked_at_them(settings: Settings) -> None:
    me = somebody(settings, Subject("nik", NIK, "36.71"))
    other = somebody(settings, Subject("temporary", "BED 1"))
    visit(settings, me, TODAY)
    visit(settings, other, TODAY)
    case(settings, me, "K900001")
    case(settings, other, "K900002")
    case(settings, other, "K900004")
    candidate(settings, trace(settings, "K900002", TODAY), me)
    contact_of_a_day(settings, "K900004", me)
    with transaction(settings, OPERATOR) as conn:
        portal_store.append_audit(conn, "dinkes", "trace shown", "K900001", "visit")
        portal_store.append_audit(conn, "dinkes", "trace shown", "K900002", "secret of another")
        portal_store.append_audit(conn, "dinkes", "trace shown", "K900003", "nobody's")
        portal_store.append_audit(conn, "dinkes", "contacts of a day", "K900004", "secret of another")
    answer = ask(settings, f"nik {NIK}\n", "export", "--reason", "letter 11")
    found = json.loads(answer.stdout)
    assert found["identity"] == {"type": "nik", "value": NIK}
    assert found["residence"] == [{"district": "36.71"}]
    assert [(row["facility_id"], row["role"]) for row in found["visits"]] == [("RS-A", "inpatient")]
    assert [row["case_id"] for row in found["cases"]] == ["K900001"]
    assert [row["facility"] for row in found["met_a_case"]] == ["RS A"]
    assert [(row["facility"], row["rule"], float(row["minutes"])) for row in found["met_a_case_of_a_day"]] == [
        ("RS A", "cdc-2020", 20.0)
    ]
    trail = [(row["principal"], row["action"], row["object"], row["reason"]) for row in found["processing_trail"]]
    assert trail[:3] == [
        ("dinkes", "trace shown", "K900001", "visit"),
        ("dinkes", "trace shown", "the case of somebody you may have met", ""),
        ("dinkes", "contacts of a day", "the case of somebody you may have met", ""),
    ]
    assert [row[1:] for row in trail[3:]] == [("identity opened", me, "letter 11")]
    for hidden in ("K900002", "K900003", "K900004", "secret", other, "BED"):
        assert hidden not in answer.stdout


def test_who_has_nothing_to_be_kept_is_erased_at_once_with_proof(settings: Settings) -> None:
    subject = Subject("temporary", "BED 2", "36.71")
    vault = vault_of(settings)
    before = somebody(settings, subject)
    receipt = erase(settings, "temporary bed 2\n")
    assert (receipt["state"], receipt["rows_left"]) == ("done", 0)
    assert execute(settings, "select count(*) from person_area where person = %s", before) == [(0,)]
    again = ask(settings, "temporary bed 2\n", "erase", "--reason", "letter 12")
    assert isinstance(again.exception, NotFound)
    assert "BED" not in str(again.exception).upper()
    with transaction(settings, OPERATOR) as conn:
        verdict = check_chain(audit_rows(conn), from_the_first=True, expected=bytes.fromhex(receipt["audit_hash"]))
    assert not verdict.broken
    later = json.loads(ask(settings, "", "receipt", receipt["erasure_id"]).stdout)
    assert later == receipt
    assert somebody(settings, subject) != before
    assert json.loads(ask(settings, "", "receipt", receipt["erasure_id"]).stdout) == receipt
    assert vault.known_ids([subject]) is None


def joined(settings: Settings, one: str, other: str) -> int:
    with transaction(settings, OPERATOR) as conn:
        number = joins.ask_to_join(conn, one, other, who="ani", reason="one human")
        joins.approve(conn, number, who="budi")
    return number


def parted(settings: Settings, one: str, other: str) -> None:
    with transaction(settings, OPERATOR) as conn:
        joins.approve(conn, joins.ask_to_part(conn, one, other, who="ani", reason="two").join_id, who="budi")


def actions_about(settings: Settings, *objects: str) -> list[str]:
    rows = execute(settings, "select action from audit where object = any(%s) order by id", list(objects))
    return [row[0] for row in rows]


def test_who_has_three_ids_is_shown_what_is_stored_under_all_of_them(settings: Settings) -> None:
    ids = [somebody(settings, Subject("temporary", f"BED {number}")) for number in (30, 31, 32)]
    stranger = somebody(settings, Subject("temporary", "BED 33"))
    for person, days in zip((*ids, stranger), (1, 2, 3, 4), strict=True):
        visit(settings, person, TODAY - timedelta(days=days))
    case(settings, ids[2], "K900030")
    with transaction(settings, OPERATOR) as conn:
        portal_store.append_audit(conn, "dinkes", "trace shown", "K900030", "visit")
    for one, other in ((ids[0], ids[1]), (ids[1], ids[2]), (ids[0], stranger)):
        joined(settings, one, other)
    parted(settings, ids[0], stranger)  # that one was a mistake
    found = json.loads(ask(settings, "temporary bed 30\n", "export", "--reason", "letter 30").stdout)
    assert found["identity"]["value"] == "BED 30"
    assert sorted(one["identity"]["value"] for one in found["other_ids"]) == ["BED 31", "BED 32"]
    assert [datetime.fromisoformat(row["check_out"]) for row in found["visits"]] == [
        TODAY - timedelta(days=days) for days in (3, 2, 1)
    ]
    assert [row["case_id"] for row in found["cases"]] == ["K900030"]
    opened = {row["object"] for row in found["processing_trail"] if row["action"] == "identity opened"}
    assert opened == set(ids)
    assert "visit" in {row["reason"] for row in found["processing_trail"]}


def test_who_has_several_ids_is_erased_under_all_and_what_one_has_to_keep_all_keep(settings: Settings) -> None:
    beds = ("BED 40", "BED 41", "BED 42")
    ids = [somebody(settings, Subject("temporary", bed)) for bed in beds]
    joined(settings, ids[0], ids[1])
    joined(settings, ids[2], ids[1])
    candidate(settings, open_trace(settings, "K900040"), ids[2])
    waiting = erase(settings, "temporary bed 40\n")
    assert [one["state"] for one in (waiting, *waiting["other_ids"])] == ["waiting"] * 3
    assert {one["due_at"] for one in (waiting, *waiting["other_ids"])} == {waiting["due_at"]}
    assert datetime.fromisoformat(waiting["due_at"]) == TODAY + timedelta(days=200)
    execute(settings, "update trace set state = 'closed' where case_id = 'K900040'")
    execute(settings, "update vault.erasure set due_at = now() where person = any(%s::uuid[])", ids)
    with transaction(settings, "jejak_gate") as conn:
        vault_of(settings).tend(conn)
    done = json.loads(ask(settings, "", "receipt", waiting["erasure_id"]).stdout)
    assert [(one["state"], one["rows_left"]) for one in (done, *done["other_ids"])] == [("done", 0)] * 3
    assert all(
        isinstance(ask(settings, f"temporary {bed}", "export", "--reason", "x").exception, NotFound) for bed in beds
    )


def test_an_id_that_was_joined_after_its_human_asked_goes_too_and_one_that_was_parted_does_not(
    settings: Settings,
) -> None:
    me, late, brother = (somebody(settings, Subject("temporary", f"BED {number}")) for number in (50, 51, 52))
    visit(settings, me, TODAY)
    joined(settings, me, brother)
    receipt = erase(settings, "temporary bed 50\n")
    (beside,) = receipt["other_ids"]
    assert beside["state"] == "waiting"
    parted(settings, me, brother)
    joined(settings, me, late)
    execute(settings, "delete from visit_long where person = %s", me)
    execute(
        settings,
        "update vault.erasure set due_at = now() where done_at is null and person = any(%s::uuid[])",
        [me, brother],
    )
    for _ in range(2):  # the one that came to it is carried out at the next look
        with transaction(settings, "jejak_gate") as conn:
            vault_of(settings).tend(conn)
    assert somebody(settings, Subject("temporary", "BED 52")) == brother
    assert actions_about(settings, beside["erasure_id"])[-1] == "erasure taken back"
    done = json.loads(ask(settings, "", "receipt", receipt["erasure_id"]).stdout)
    assert [one["state"] for one in (done, *done["other_ids"])] == ["done", "done"]
    assert somebody(settings, Subject("temporary", "BED 51")) != late


def test_who_asked_himself_is_erased_although_his_ids_were_parted(settings: Settings) -> None:
    me, brother = (somebody(settings, Subject("temporary", f"BED {number}")) for number in (60, 61))
    visit(settings, me, TODAY)
    visit(settings, brother, TODAY)
    joined(settings, me, brother)
    first = erase(settings, "temporary bed 60\n")
    second = erase(settings, "temporary bed 61\n")
    assert second["erasure_id"] == first["other_ids"][0]["erasure_id"]
    parted(settings, me, brother)
    execute(settings, "delete from visit_long where person = any(%s::uuid[])", [me, brother])
    execute(settings, "update vault.erasure set due_at = now() where person = any(%s::uuid[])", [me, brother])
    with transaction(settings, "jejak_gate") as conn:
        vault_of(settings).tend(conn)
    assert json.loads(ask(settings, "", "receipt", second["erasure_id"]).stdout)["state"] == "done"


def test_nobody_is_joined_to_what_an_erasure_left(settings: Settings) -> None:
    one, other = (somebody(settings, Subject("temporary", f"BED {number}")) for number in (70, 71))
    with transaction(settings, OPERATOR) as conn:
        number = joins.ask_to_join(conn, one, other, who="ani", reason="one human")
    erase(settings, "temporary bed 71\n")
    with transaction(settings, OPERATOR) as conn, pytest.raises(Conflict, match="was erased"):
        joins.approve(conn, number, who="budi")


def test_every_table_that_names_a_person_is_in_the_export_or_said_to_be_left_out(settings: Settings) -> None:
    rows = execute(
        settings,
        "select distinct table_schema || '.' || table_name from information_schema.columns"
        " where table_schema in ('public', 'vault') and column_name ~ 'person' and data_type = 'uuid'"
        " and table_name !~ '^visit_[0-9]'",
    )
    exported = " ".join(privacy_store.OWN.values()).split()
    named = {
        name for (name,) in rows if name.removeprefix("public.").strip('"') not in {w.strip('"') for w in exported}
    }
    assert named == {
        "public.exposure", "public.pairing", "public.same_human", "public.flagged_scan", "public.person_join",
        "public.retention_due", "public.visit", "public.visit_long", "public.visitor_device",
        "public.visitor_codes_of_day", "vault.person", "vault.identifier", "vault.newcomer", "vault.ticket",
        "vault.erasure", "vault.certificate", "vault.dose",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bed", "days", "what"),
    [
        ("BED 10", 60, lambda settings, person: visit(settings, person, TODAY)),
        ("BED 11", 90, lambda settings, person: case(settings, person, "K900011")),
        ("BED 12", 200, lambda settings, person: candidate(settings, open_trace(settings, "K900012"), person)),
    ],
)
def test_while_something_has_to_be_kept_the_answer_is_a_date(
    settings: Settings, bed: str, days: int, what: Callable[[Settings, str], None]
) -> None:
    person = somebody(settings, Subject("temporary", bed))
    what(settings, person)
    receipt = erase(settings, f"temporary {bed}\n")
    assert receipt["state"] == "waiting"
    assert receipt["rows_left"] > 0
    assert datetime.fromisoformat(receipt["due_at"]) == TODAY + timedelta(days=days)
    assert somebody(settings, Subject("temporary", bed)) == person
    assert erase(settings, f"temporary {bed}\n") == receipt  # asked twice, recorded once


def open_trace(settings: Settings, name: str) -> int:
    case(settings, somebody(settings, Subject("temporary", f"case {name}")), name)
    return trace(settings, name, TODAY + timedelta(days=200))


def test_a_gate_carries_it_out_at_its_date_and_no_trace_changes(settings: Settings) -> None:
    subject = Subject("temporary", "BED 20")
    person = somebody(settings, subject)
    vault = vault_of(settings)
    vault.remember([subject], [person])
    visit(settings, person, TODAY)
    candidate(settings, open_trace(settings, "K900020"), person)
    traces = "select t::text from trace t union all select c::text from candidate c order by 1"
    before = execute(settings, traces)
    receipt = erase(settings, "temporary bed 20\n")
    waits(settings, vault, receipt)
    execute(settings, "update trace set state = 'closed' where case_id = 'K900020'")
    before = execute(settings, traces)
    waits(settings, vault, receipt)  # the visit is still within its 60 days
    assert vault.known_ids([subject]) == [person]
    execute(settings, "delete from visit_long where person = %s", person)
    come_due(settings, receipt)
    with transaction(settings, "jejak_gate") as conn:
        vault.tend(conn)
    done = json.loads(ask(settings, "", "receipt", receipt["erasure_id"]).stdout)
    assert (done["state"], done["rows_left"]) == ("done", 0)
    assert vault.known_ids([subject]) is None
    assert execute(settings, traces) == before


def waits(settings: Settings, vault: Vault, receipt: dict[str, Any]) -> None:
    """Assert that an erasure whose date has come is put off, for something has to be kept still."""
    come_due(settings, receipt)
    with transaction(settings, "jejak_gate") as conn:
        vault.tend(conn)
    now = json.loads(ask(settings, "", "receipt", receipt["erasure_id"]).stdout)
    assert now["state"] == "waiting"
    assert datetime.fromisoformat(now["due_at"]) > TODAY + timedelta(days=50)


def come_due(settings: Settings, receipt: dict[str, Any]) -> None:
    execute(settings, "update vault.erasure set due_at = now() where erasure_id = %s", receipt["erasure_id"])


def test_an_identity_is_not_found_in_what_an_erasure_leaves(settings: Settings) -> None:
    person = somebody(settings, Subject("passport", "X1234567"))
    erase(settings, "passport x1234567\n")
    with transaction(settings, OPERATOR) as conn:
        ticket = vault_store.ask(conn, "ani", "open", person, "")
    with transaction(settings, OPERATOR) as conn:
        assert vault_store.take_out(conn, ticket, person) is None
    tables = execute(settings, "select relid::regclass::text from pg_stat_user_tables where schemaname = 'vault'")
    rows = [row for (table,) in tables for row in execute(settings, f"select t::text from {table} t")]  # noqa: S608 — the database's own name
    assert rows
    assert not [row for row in rows if "1234567" in row[0]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "needed: 1 line"),
        (f"nik {NIK}\nnik {NIK}\n", "found: 2"),
        (f"{NIK}\n", "line 1, field type"),
        ("\nnik 123\n", "line 2, field value"),
        ("test Budi\n", "line 1, field value"),
        ("nik " + "1" * 500, "line 1: has more than 256"),
    ],
)
def test_what_cannot_be_an_identifier_is_refused_without_being_told(words: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_identifiers(words.splitlines(), 1, demo=False)
    assert says in str(caught.value)
    assert NIK not in str(caught.value)


def test_a_receipt_of_no_erasure_is_refused(settings: Settings) -> None:
    assert isinstance(ask(settings, "", "receipt", "x").exception, BadInput)
    assert isinstance(ask(settings, "", "receipt", "0" * 32).exception, NotFound)


def test_an_identifier_is_no_option(settings: Settings) -> None:
    for command in ("export", "erase"):
        assert ask(settings, "", command, "--reason", "x", NIK).exit_code == 2
        assert isinstance(partial(ask, settings, "")(command, "--reason", "x").exception, BadInput)


def test_a_running_gate_carries_out_what_is_due_and_gives_who_comes_again_a_new_id(
    gate: Gate, as_role: Callable[..., httpx.Client]
) -> None:
    door, subject = as_role("gate", facility="RS-A"), Subject("temporary", "BED 77")
    assert door.post("/v1/scans", json=scan(subject={"type": "temporary", "value": "BED 77"})).status_code == 200
    before = somebody(gate.settings, subject)
    visit(gate.settings, before, TODAY)
    receipt = erase(gate.settings, "temporary bed 77\n")
    assert receipt["state"] == "waiting"
    execute(gate.settings, "delete from visit_long where person = %s", before)
    execute(gate.settings, "delete from scan where person = %s", before)
    come_due(gate.settings, receipt)
    deadline = time.monotonic() + 60
    while json.loads(ask(gate.settings, "", "receipt", receipt["erasure_id"]).stdout)["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(2 * EVERY_S + 1)
    assert door.post("/v1/scans", json=scan(subject={"type": "temporary", "value": "BED 77"})).status_code == 200
    assert somebody(gate.settings, subject) != before
