"""A visitor's phone against a real gate: what it is told of a place, whose it is, and that nothing else is told."""

import asyncio
import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec
import pytest
from click.testing import CliRunner
from psycopg2 import errors

from ops.commands.privacy import privacy
from ops.store import transaction
from portal.accounts.store import Account
from portal.desk import open_desk
from portal.identity import Subject, open_vault
from portal.posters.check import Posters
from portal.registry.registry import Registry
from portal.visitor import binding, owners, store
from portal.visitor.claims import check
from portal.visitor.shapes import ClaimBody, read
from portal.visitor.visitors import Visitors
from portal.web.secret_box import open_secret_box
from schemas.events import Gate as Kind
from tests.portal.conftest import Gate
from tests.portal.phone import Phone, claim_of
from tests.portal.test_registry import say
from tests.portal.visiting import (
    codes_for,
    door,
    execute,
    new_nik,
    new_phone,
    person_of,
    registered,
    replace_poster,
)

NOBODY = "0c1d2e3f-0000-4000-8000-000000000000"
OFFICER = Account(
    account_id="officer", email="petugas@rs-a.example", name="Petugas", role="officer", area="", language="id",
    demo=True, is_active=True, has_totp=False, facilities=("RS-A",),
)  # fmt: skip


@pytest.fixture
def phone(gate: Gate) -> Phone:
    return Phone(gate.url)


class Heard:
    """A connection that notes the statements it passes on."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.statements: list[str] = []

    def cursor(self) -> "Heard":
        self._cursor = self._conn.cursor()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def execute(self, statement: str, values: object = None) -> None:
        self.statements.append(statement)
        self._cursor.execute(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


# What a poster stands for


def test_a_poster_says_the_place_its_crowd_as_a_band_and_the_usual_stay(gate: Gate, phone: Phone) -> None:
    token = door(gate, Kind.ZONE)
    answer = phone.post("gate", {"token": token, "at": datetime.now(UTC).isoformat()})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "facility": "RS A",
            "facility_id": "RS-A",
            "time_zone": "Asia/Jakarta",
            "gate_kind": "zone",
            "gate_name": "Pintu zone",
            "zone": "Bangsal Melati",
            "zone_name": "Bangsal Melati",
            "crowd": "<5",
            "fullness": None,
            "assumed_stay_minutes": 240,
        },
    )


def test_a_token_that_stands_for_nothing_says_why(gate: Gate, phone: Phone) -> None:
    old = door(gate)
    new = replace_poster(gate, old)
    now = datetime.now(UTC)
    facility_id = old.split(".")[2]
    for token, at, why in (
        (old[:-3], now, "unreadable"),
        ("v1.k1.RS-A.e1.1." + "A" * 86, now, "unreadable"),
        (old, now, "revoked"),
        (new, now - timedelta(hours=1), "not_yet"),
    ):
        answer = phone.post("gate", {"token": token, "at": at.isoformat()})
        assert answer.status_code == 422
        assert (answer.json()["field"], answer.json()["why"]) == ("token", why)
        assert facility_id not in answer.text
    assert phone.post("gate", {"token": old, "at": (now - timedelta(days=1)).isoformat()}).status_code == 200


@pytest.mark.parametrize("body", [{}, [], {"token": "x"}, {"token": "x", "at": "yesterday"}, None, {"token": 1}])
def test_a_body_that_is_none_is_refused_with_its_field(phone: Phone, body: object) -> None:
    for path in ("gate", "claim", "otp", "otp/confirm", "officer-code", "me", "scans", "erase"):
        answer = phone.post(path, body)
        assert answer.status_code == 422
        assert answer.json()["field"]


# A claim


def test_a_claim_is_answered_alike_whether_the_person_is_known_or_not(gate: Gate) -> None:
    known, unknown = new_nik(), new_nik()
    registered(gate, known, new_phone())
    answers = [Phone(gate.url).claim(nik) for nik in (known, unknown, known)]
    for answer in answers:
        assert (answer.status_code, set(answer.json()), answer.json()["proven"]) == (
            200,
            {"device_id", "proven"},
            False,
        )
    assert len({answer.json()["device_id"] for answer in answers}) == 3
    assert len({(len(answer.content), tuple(answer.headers)) for answer in answers}) == 1


def test_a_claim_runs_the_same_statements_whoever_it_is_of(gate: Gate) -> None:
    known, unknown, now = new_nik(), new_nik(), datetime.now(UTC)
    Phone(gate.url).claim(known)
    said = []
    with transaction(gate.settings, "jejak_gate") as conn:
        vault = open_vault(conn, gate.settings)
        for nik in (known, unknown):
            heard: Any = Heard(conn)
            body = read(ClaimBody, msgspec.json.encode(claim_of(nik, public_key=Phone().public_key)))
            owners._claim(heard, vault, check(body, now), now)
            said.append(heard.statements)
    assert said[0] == said[1]
    assert len(said[0]) > 5


def test_a_claim_changes_nothing_of_somebody_who_is_known(gate: Gate, phone: Phone) -> None:
    nik = new_nik()
    registered(gate, nik, new_phone())
    person = person_of(gate, nik)
    with transaction(gate.settings, "jejak_gate") as conn:
        open_vault(conn, gate.settings).person_ids(conn, [Subject("nik", nik, "31.71")])
    stored = (
        "select p.sealed, c.sealed, c.as_of, a.district from vault.person p join vault.certificate c using (person)"
        " join person_area a using (person) where person = %s"
    )
    before = execute(gate, stored, person)
    assert phone.claim(nik, name="Somebody Else", phone="0899 999 999", sub_district="36.71.01").status_code == 200
    assert execute(gate, stored, person) == before
    assert before[0][3] == "31.71"


def test_where_somebody_new_says_he_lives_is_his_district(gate: Gate, phone: Phone) -> None:
    nik = new_nik()
    phone.claim(nik)
    assert execute(gate, "select district from person_area where person = %s", person_of(gate, nik)) == [("36.71",)]


def test_a_key_claims_one_person_and_the_same_again_is_the_same_device(gate: Gate, phone: Phone) -> None:
    nik = new_nik()
    first = phone.claim(nik).json()
    assert phone.claim(nik).json() == first
    other = new_nik()
    answer = phone.claim(other)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert person_of(gate, other) is None


def test_nothing_that_was_claimed_is_in_clear_in_any_table_and_no_number_is_in_an_answer(
    gate: Gate, phone: Phone
) -> None:
    nik = new_nik()
    phone.claim(nik, name="Rahasia Sekali", village="Desa Rahasia", phone="0812 7777 7777")
    for table in ("visitor_device", "vault.person", "vault.identifier", "mail", "audit"):
        text = "".join(row[0] for row in execute(gate, f"select t::text from {table} t"))  # noqa: S608 — a constant
        for secret in ("Rahasia", "7777 7777", nik):
            assert secret not in text
            assert secret.encode().hex() not in text
    wrong = phone.claim(nik[:-4] + "0000")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "document.number")
    assert nik[:-4] not in wrong.text


# What a device may know


def test_a_device_that_is_not_bound_is_told_nothing_whoever_it_claims(gate: Gate) -> None:
    black, green, nobody = new_nik(), new_nik(), new_nik()
    for nik in (black, green):
        registered(gate, nik, new_phone(), doses=3)
    positive(gate, str(person_of(gate, black)))
    answers = []
    for nik in (black, green, nobody):
        phone = Phone(gate.url)
        phone.claim(nik)
        answers.append(phone.ask("me"))
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b'{"proven":false}')] * 3


def positive(gate: Gate, person: str) -> None:
    now = datetime.now(UTC)
    execute(
        gate,
        'insert into "case" (case_id, person, state, classification, date_specimen, requested_by, requested_role,'
        " reason, opened_at) values (%s, %s, 'open', 'konfirmasi', %s, 'lab', 'laboratory', '', %s)",
        *(f"K{secrets.randbelow(10**9)}", person, now.date(), now),
    )


@pytest.mark.parametrize("path", ["me", "otp", "officer-code", "erase", "otp/confirm"])
def test_only_the_device_s_own_signature_of_now_and_here_is_taken(gate: Gate, path: str) -> None:
    phone, other = Phone(gate.url), Phone(gate.url)
    phone.claim(new_nik())
    other.claim(new_nik())
    code = {"code": "123456"} if path == "otp/confirm" else {}
    content = code.get("code", "")
    theirs = other.signed(path, content) | {"device_id": phone.device_id}
    elsewhere = phone.signed("somewhere", content)
    unknown = phone.signed(path, content) | {"device_id": NOBODY}
    refused = [phone.post(path, body | code) for body in (theirs, elsewhere, unknown)]
    assert {answer.status_code for answer in refused} == {403}
    assert len({answer.content for answer in refused}) == 1
    for minutes in (-6, 6):
        late = phone.post(path, phone.signed(path, content, datetime.now(UTC) + timedelta(minutes=minutes)) | code)
        assert (late.status_code, late.json()["field"]) == (422, "signed.sent_at")
    assert execute(gate, "select count(*) from visitor_device where device_id = %s", phone.device_id) == [(1,)]


# A code by SMS


def bound(gate: Gate, nik: str = "", number: str = "") -> tuple[Phone, str, str]:
    """Return a phone that is bound by a code, whose it is, and the number in the registry."""
    nik, number = nik or new_nik(), number or new_phone()
    registered(gate, nik, number)
    phone = Phone(gate.url)
    phone.claim(nik)
    assert phone.ask("otp").status_code == 202
    code = codes_for(gate, number)[-1]
    answer = phone.ask("otp/confirm", code, code=code)
    assert (answer.status_code, answer.json()) == (200, {"proven": True})
    return phone, nik, number


def test_a_code_to_the_number_in_the_registry_binds_and_only_then_a_colour_is_shown(gate: Gate) -> None:
    phone, nik, number = bound(gate)
    shown = phone.ask("me").json()
    assert (shown["proven"], shown["colour"]) == (True, "yellow")
    (code,) = codes_for(gate, number)
    used = phone.ask("otp/confirm", code, code=code)
    assert (used.status_code, used.json()["field"]) == (422, "code")
    person = str(person_of(gate, nik))
    audited = "select principal, reason from audit where action = 'device bound' and object = %s"
    assert execute(gate, audited, person) == [("visitor", "otp")]


def test_a_bound_device_shows_black_and_until_when_and_one_that_is_not_bound_does_not(gate: Gate) -> None:
    phone, nik, _ = bound(gate)
    other = Phone(gate.url)
    other.claim(nik)
    until = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    say(gate, str(person_of(gate, nik)), "K1", until)
    deadline = time.monotonic() + 10
    while (shown := phone.ask("me").json()).get("colour") != "black":
        assert time.monotonic() < deadline
        time.sleep(1)
    assert datetime.fromisoformat(shown["until"]) == until
    assert other.ask("me").content == b'{"proven":false}'


def test_a_code_goes_to_no_number_but_the_registry_s_and_the_answer_is_the_same(gate: Gate) -> None:
    known, number = new_nik(), new_phone()
    registered(gate, known, number)
    claimed = "0812-9999-0000"
    answers = []
    for nik in (known, new_nik()):
        phone = Phone(gate.url)
        phone.claim(nik, phone=claimed)
        answers.append(phone.ask("otp"))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert len(codes_for(gate, number)) == 1
    receivers = {row[0] for row in execute(gate, "select receiver from mail where kind = 'sms'")}
    assert not [one for one in receivers if "9999" in one]
    assert "" not in receivers


def test_to_send_a_code_takes_the_same_statements_where_nobody_gets_one(gate: Gate) -> None:
    said = []
    with open_desk(gate.settings, exposed=False) as desk:
        visitors = Visitors(desk, open_secret_box(gate.settings), Posters(desk), Registry(desk))
        for number in ("+628123", ""):
            phone = Phone(gate.url)
            phone.claim(new_nik())
            with transaction(gate.settings, "jejak_gate") as conn:
                device = store.find_device(conn, phone.device_id)
                assert device is not None
                heard: Any = Heard(conn)
                binding._keep_code(heard, visitors, device, number)
                said.append(heard.statements)
    assert said[0] == said[1]
    assert len(said[0]) > 3


def test_five_wrong_codes_end_a_code_and_every_no_is_the_same(gate: Gate) -> None:
    nik, number = new_nik(), new_phone()
    registered(gate, nik, number)
    phone, stranger = Phone(gate.url), Phone(gate.url)
    phone.claim(nik)
    stranger.claim(new_nik())
    for one in (phone, stranger):
        one.ask("otp")
    (code,) = codes_for(gate, number)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    answers = [one.ask("otp/confirm", wrong, code=wrong) for one in (phone, stranger) for _ in range(5)]
    answers += [phone.ask("otp/confirm", code, code=code), stranger.ask("otp/confirm", code, code=code)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(422, answers[0].content)}
    assert phone.ask("me").json() == {"proven": False}
    assert [phone.ask("otp/confirm", wrong, code=wrong).status_code for _ in range(5)][-1] == 429


def test_a_code_lasts_ten_minutes_and_is_not_in_the_table_it_is_checked_against(gate: Gate) -> None:
    nik, number = new_nik(), new_phone()
    registered(gate, nik, number)
    phone = Phone(gate.url)
    phone.claim(nik)
    phone.ask("otp")
    (code,) = codes_for(gate, number)
    ((kept, minutes),) = execute(
        gate,
        "select t::text, extract(epoch from ends_at - now()) / 60 from visitor_code t where device_id = %s",
        phone.device_id,
    )
    assert code not in kept
    assert code.encode().hex() not in kept
    assert 9 < minutes <= 10
    execute(gate, "update visitor_code set ends_at = now() where device_id = %s", phone.device_id)
    assert phone.ask("otp/confirm", code, code=code).status_code == 422


def test_new_devices_give_no_more_codes_a_day_to_the_same_person(gate: Gate) -> None:
    nik, number = new_nik(), new_phone()
    registered(gate, nik, number)
    answers = []
    for _ in range(binding.CODES_A_DAY + 2):
        phone = Phone(gate.url)
        phone.claim(nik)
        answers.append(phone.ask("otp"))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert len(codes_for(gate, number)) == binding.CODES_A_DAY
    assert [phone.ask("otp").status_code for _ in range(3)][-1] == 429


def test_a_new_device_displaces_the_bound_one_by_a_code_only(gate: Gate) -> None:
    old, nik, number = bound(gate)
    new = Phone(gate.url)
    new.claim(nik)
    new.ask("otp")
    assert new.ask("otp/confirm", "000000", code="000000").status_code == 422
    assert (old.ask("me").json()["proven"], new.ask("me").json()["proven"]) == (True, False)
    code = codes_for(gate, number)[-1]
    assert old.ask("otp/confirm", code, code=code).status_code == 422, "the code is the new device's"
    assert new.ask("otp/confirm", code, code=code).status_code == 200
    assert old.ask("me").content == b'{"proven":false}'
    assert new.ask("me").json()["proven"]


# An officer


def bind_by(gate: Gate, *tries: tuple[str, str]) -> list[bool]:
    """Let an officer try these codes with these documents."""
    with open_desk(gate.settings, exposed=False) as desk:

        async def work() -> list[bool]:
            return [await binding.bind_by_officer(desk, code, OFFICER, Subject("nik", nik)) for code, nik in tries]

        return asyncio.run(work())


def test_an_officer_binds_by_the_document_he_sees_and_by_no_other(gate: Gate) -> None:
    old, nik, _ = bound(gate)
    phone = Phone(gate.url)
    phone.claim(nik)
    answer = phone.ask("officer-code").json()
    code, other = answer["code"], new_nik()
    assert (len(code), set(code) & set("01IO")) == (8, set())
    assert timedelta(minutes=9) < datetime.fromisoformat(answer["valid_until"]) - datetime.now(UTC)
    spelled = f"{code[:4].lower()}-{code[4:]} "
    assert bind_by(gate, (code, other), ("AAAAAAAA", nik), ("", nik), (spelled, nik), (code, nik)) == [
        *(False, False, False),
        *(True, False),
    ]
    assert person_of(gate, other) is None
    assert (old.ask("me").json()["proven"], phone.ask("me").json()["proven"]) == (False, True)
    audited = "select principal from audit where action = 'device bound' and object = %s and reason = 'officer_saw_id'"
    assert execute(gate, audited, person_of(gate, nik)) == [(OFFICER.email,)]


def test_an_officer_s_code_is_over_after_ten_minutes_and_by_the_next(gate: Gate, phone: Phone) -> None:
    nik = new_nik()
    phone.claim(nik)
    first, second = phone.ask("officer-code").json()["code"], phone.ask("officer-code").json()["code"]
    assert bind_by(gate, (first, nik)) == [False]
    execute(gate, "update visitor_device set officer_until = now() where device_id = %s", phone.device_id)
    assert bind_by(gate, (second, nik)) == [False]


# To be forgotten


def test_who_has_proved_nothing_forgets_his_device_and_nobody_else(gate: Gate, phone: Phone) -> None:
    _, nik, _ = bound(gate)
    phone.claim(nik)
    body = phone.signed("erase")
    answer = phone.post("erase", body)
    assert (answer.status_code, answer.json()) == (200, {"erased": True, "due_at": None})
    person = person_of(gate, nik)
    assert execute(gate, "select count(*) from vault.erasure where person = %s", person) == [(0,)]
    assert execute(gate, "select count(*) from visitor_device where person = %s", person) == [(1,)]
    assert phone.post("erase", body).status_code == 403
    assert phone.ask("me").status_code == 403


@pytest.mark.parametrize("keeps", [False, True])
def test_whom_a_bound_device_belongs_to_is_erased_as_by_a_request_of_his_own(gate: Gate, *, keeps: bool) -> None:
    phone, nik, _ = bound(gate)
    other = Phone(gate.url)
    other.claim(nik)
    person = str(person_of(gate, nik))
    if keeps:
        positive(gate, person)
    answer = phone.ask("erase")
    assert answer.status_code == 200
    due = datetime.fromisoformat(answer.json()["due_at"])
    ((asked_by, done),) = execute(
        gate, "select asked_by, done_at is not null from vault.erasure where person = %s", person
    )
    assert (asked_by, done) == ("visitor", not keeps)
    assert (due > datetime.now(UTC) + timedelta(days=80)) == keeps
    assert execute(gate, "select count(*) from visitor_device where person = %s", person) == [(1 if keeps else 0,)]
    assert (person_of(gate, nik) is None) == (not keeps)
    assert phone.ask("me").status_code == 403


def test_the_gate_s_role_can_have_nobody_erased_but_the_owner_of_a_bound_device(gate: Gate, phone: Phone) -> None:
    nik = new_nik()
    phone.claim(nik)
    person = person_of(gate, nik)
    with transaction(gate.settings, "jejak_gate") as conn:
        assert store.erase_person(conn, phone.device_id, "") is None
        assert store.erase_person(conn, NOBODY, "") is None
    for sql in ("select vault.erase('gate', %s::uuid, '')", "delete from vault.person where person = %s"):
        with (
            pytest.raises(errors.InsufficientPrivilege),
            transaction(gate.settings, "jejak_gate") as conn,
            conn.cursor() as cursor,
        ):
            cursor.execute(sql, (person,))
    assert person_of(gate, nik) == person


# What a person may ask for


def test_an_export_has_a_person_s_devices_and_what_he_told_but_not_what_others_said_of_him(gate: Gate) -> None:
    phone, nik, _ = bound(gate)
    liar = Phone(gate.url)
    liar.claim(nik, name="Somebody Else", phone="0899 999 999")
    answer = CliRunner().invoke(privacy, ["export", "--reason", "letter 1"], obj=gate.settings, input=f"nik {nik}\n")
    assert answer.exit_code == 0, answer.output
    found = {one["device_id"]: one for one in json.loads(answer.stdout)["devices"]}
    assert set(found) == {phone.device_id, liar.device_id}
    own = found[phone.device_id]
    assert own["bound_by"] == "otp"
    assert own["claim"]["name"] == "Siti Aminah"
    assert own["claim"]["sub_district"] == "36.71.01"
    assert "claim" not in found[liar.device_id]
    assert "Somebody Else" not in answer.stdout
    trail = [row["action"] for row in json.loads(answer.stdout)["processing_trail"]]
    assert "device bound" in trail
