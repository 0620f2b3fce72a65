"""The officer's desk over HTTP, on a real gate, broker and database: look-ups, entries, limits, the second person."""

import secrets
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ops.store import OPERATOR, transaction
from portal.identifiers import new_uuid7
from portal.limits import Window
from portal.officer.bodies import EntryBody
from portal.officer.desk import TICK_S
from portal.officer.entries import ALONE_MAX, needs_second, reason_of, scan_body_of
from portal.officer.quotas import HOUR_S, MINUTE_S, OFFICER, SEVERAL, Quotas
from portal.privacy import store
from portal.problems import TooMany
from portal.store import put_facility
from producers.follower import follow
from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Assurance, Channel, Role, Scan, ScanDecision
from schemas.events import Gate as Kind
from schemas.topics import SCAN
from tests.portal.conftest import FACILITIES, Gate, new_key
from tests.portal.person import FORM_TOKEN, Person
from tests.portal.phone import Phone
from tests.portal.test_accounts import activated

ZONES = {"IGD": "emergency", "Ambulans 118": "ambulance"}
WAIT_S = 20
QUARTERS = st.integers(0, 160).map(lambda number: number / 4)  # of a second: exact, so that bounds are met


def new_nik() -> str:
    """Return the NIK of a man whom nobody has met."""
    return f"3671011507{secrets.randbelow(90) + 10}{secrets.randbelow(9999) + 1:04}"


def entry(**changed: Any) -> dict[str, Any]:
    """Return a good entry, changed."""
    now = datetime.now(UTC)
    return {
        "scan_id": new_uuid7(now),
        "subject": {"type": "nik", "value": new_nik()},
        "gate": "entrance",
        "at": now.isoformat(),
        "role": "visitor",
    } | changed


class Desk:
    """An officer's open desk: JSON with the cookies and the form token of the page."""

    def __init__(self, gate: Gate, email: str, person: Person, facility_id: str, address: str) -> None:
        self.email, self.person, self.way = email, person, f"/faskes/{facility_id}/meja"
        page = person.open(self.way)
        token = FORM_TOKEN.search(page.text)
        assert token is not None
        headers = {"accept": "application/json", "x-csrftoken": token[1]}
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        headers["x-forwarded-for"] = address
        self.client = httpx.Client(base_url=gate.url, headers=headers, timeout=30)

    def look_up(self, nik: str, name: str = "Siti Aminah", **more: Any) -> httpx.Response:
        body = {"subject": {"type": "nik", "value": nik}, "name": name} | more
        return self.client.post(f"{self.way}/periksa", json=body)

    def enter(self, *entries: object) -> httpx.Response:
        return self.client.post(f"{self.way}/entri", json={"entries": list(entries)})

    def results(self, *entries: object) -> list[dict[str, Any]]:
        answer = self.enter(*entries)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found


@pytest.fixture
def clinic(gate: Gate) -> str:
    """A clinic with an emergency ward and an ambulance; its id."""
    facility_id = f"K-{secrets.token_hex(4)}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="Klinik Kenanga", kind="clinic"))
        with conn.cursor() as cur:
            cur.execute(
                "insert into zone select facility_no, n, k from facility, unnest(%s, %s) as z (n, k)"
                " where facility_id = %s",
                (list(ZONES), list(ZONES.values()), facility_id),
            )
    return facility_id


@pytest.fixture
def desk(gate: Gate, clinic: str) -> Iterator[Desk]:
    opened = new_desk(gate, clinic)
    yield opened
    opened.client.close()


def new_desk(gate: Gate, facility_id: str, role: str = "officer", address: str = "", name: str = "") -> Desk:
    """Return the desk of a new account; its address is its own, or the limits of one test would be another's."""
    email, person = activated(gate, role, name or f"Petugas {secrets.token_hex(4)}", facilities=[facility_id])
    number = secrets.randbelow(2**16)
    return Desk(gate, email, person, facility_id, address or f"10.9.{number >> 8}.{number & 255}")


def scans_of(gate: Gate, *scan_ids: str) -> dict[str, Scan]:
    """Return scans from the topic."""
    decode, found = Codec(Scan, ScanDecision).decode, dict[str, Scan]()
    deadline = time.monotonic() + WAIT_S
    for record in follow(gate.settings, SCAN.name, "visits", stop=lambda: time.monotonic() > deadline):
        event = decode(record.value or b"")
        if isinstance(event, Scan) and event.scan_id in scan_ids:
            found[event.scan_id] = event
        if len(found) == len(scan_ids):
            return found
    raise AssertionError("a scan is not on the topic")


def count_on_topic(gate: Gate, scan_id: str, marker: str) -> int:
    """Return how often a scan is on the topic before `marker` is seen there."""
    decode, number, seen = Codec(Scan, ScanDecision).decode, 0, False
    deadline = time.monotonic() + 3
    for record in follow(gate.settings, SCAN.name, "visits", stop=lambda: time.monotonic() > deadline):
        event = decode(record.value or b"")
        if isinstance(event, Scan):
            number += event.scan_id == scan_id
            seen = seen or event.scan_id == marker
    assert seen
    return number


def test_an_officer_begins_at_the_desk_of_his_only_facility(gate: Gate, clinic: str) -> None:
    _, officer = activated(gate, "officer", facilities=[clinic])
    officer.open("/beranda")
    assert officer.path == f"/faskes/{clinic}/meja"
    page = officer.page.text
    assert officer.page.status_code == 200, page
    assert all(name in page for name in ("Ambulans 118", "IGD", "Penunggu pasien", f"/faskes/{clinic}/manual"))
    _, of_two = activated(gate, "officer", facilities=[clinic, "RS-A"])
    of_two.open("/beranda")
    assert of_two.path == "/faskes"


def test_an_entry_is_a_scan_of_channel_officer_with_who_entered_it(gate: Gate, desk: Desk, clinic: str) -> None:
    nik = new_nik()
    plain = entry(subject={"type": "nik", "value": nik, "district": "36.71"})
    sent = entry(
        subject={"type": "nik", "value": nik},
        gate="zone",
        zone="IGD",
        role="outpatient",
        admitted=False,
        reason="symptoms",
        words="batuk, demam",
        saw_id=True,
    )
    out = {name: value for name, value in entry(gate="exit").items() if name != "role"}
    statuses = [one["status"] for one in desk.results(plain, sent, out)]
    assert statuses == ["accepted"] * 3
    found = scans_of(gate, plain["scan_id"], sent["scan_id"], out["scan_id"])
    first, second, third = (found[one["scan_id"]] for one in (plain, sent, out))
    assert {one.channel for one in found.values()} == {Channel.OFFICER}
    assert {one.facility_id for one in found.values()} == {clinic}
    assert [one.assurance for one in (first, second)] == [Assurance.SELF, Assurance.OFFICER_SAW_ID]
    assert (first.gate, first.zone, first.admitted, first.role) == (Kind.ENTRANCE, "", True, Role.VISITOR)
    assert (second.gate, second.zone, second.admitted) == (Kind.ZONE, "IGD", False)
    assert second.refused_reason == "Keluhan saat datang: batuk, demam"
    assert (third.gate, third.role) == (Kind.EXIT, Role.UNKNOWN)
    assert first.person_id == second.person_id != third.person_id
    assert {one.entered_by for one in found.values()} == {desk.email}
    assert nik.encode() not in b"".join(repr(one).encode() for one in found.values())


def test_what_is_sent_again_is_one_scan_of_the_time_when_the_person_came(gate: Gate, desk: Desk) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    one = entry(at=at.isoformat())
    answers = [desk.results(one), desk.results(one)]
    assert answers[0] == answers[1] == [{"scan_id": one["scan_id"], "status": "accepted"}]
    assert scans_of(gate, one["scan_id"])[one["scan_id"]].at == at


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scan_id": "7"}, "scan_id"),
        ({"subject": {"type": "nik", "value": "3671015508900000"}}, "subject.value"),
        ({"subject": {"type": "ktp", "value": "x"}}, "subject.type"),
        ({"subject": {"type": "nik", "value": "3671015508900001", "district": "99.99"}}, "subject.district"),
        ({"gate": "window"}, "gate"),
        ({"gate": "zone"}, "zone"),
        ({"zone": "IGD"}, "zone"),
        ({"gate": "zone", "zone": "Dapur"}, "zone"),
        ({"at": "2026-01-05T08:00:00"}, "at"),
        ({"at": "2090-01-05T08:00:00+07:00"}, "at"),
        ({"at": "2020-01-05T08:00:00+07:00", "why_late": "lupa"}, "at"),
        ({"admitted": False}, "reason"),
        ({"admitted": False, "reason": "covid"}, "reason"),
        ({"admitted": False, "reason": "other"}, "words"),
        ({"admitted": False, "reason": "other", "words": "NIK 3671015508900001"}, "refused_reason"),
        ({"admitted": False, "reason": "other", "words": "a\x07b"}, "words"),
        ({"admitted": False, "gate": "exit", "reason": "check"}, "admitted"),
        ({"reason": "check"}, "reason"),
        ({"words": "x" * 81, "admitted": False, "reason": "other"}, "words"),
        ({"group_id": "7"}, "group_id"),
        ({"group_id": new_uuid7(datetime.now(UTC)), "gate": "exit"}, "group_id"),
        ({"group_id": new_uuid7(datetime.now(UTC)), "gate": "zone", "zone": "IGD"}, "group_id"),
        ({"name": "Siti"}, "body"),
    ],
)
def test_what_cannot_be_entered_is_named_and_hurts_nobody_else(desk: Desk, changed: dict[str, Any], field: str) -> None:
    bad, good = entry(**changed), entry()
    answer = desk.enter(bad, good)
    first, second = answer.json()["results"]
    assert (first["status"], second["status"]) == ("invalid", "accepted")
    assert first["field"] == field
    assert "3671015508900001" not in answer.text
    assert good["subject"]["value"] not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"entries": []}', b'{"entries": 7}', b"\xff", b"[" * 5_000])
def test_a_body_without_entries_is_refused(desk: Desk, body: bytes) -> None:
    assert desk.client.post(f"{desk.way}/entri", content=body).status_code == 422
    assert desk.client.post(f"{desk.way}/periksa", content=body).status_code == 422


def test_more_than_twenty_entries_at_once_are_refused(desk: Desk) -> None:
    assert desk.enter(*[entry() for _ in range(21)]).status_code == 422


def test_who_rode_together_has_one_group_wherever_the_ambulance_is_met(gate: Gate, desk: Desk) -> None:
    group = new_uuid7(datetime.now(UTC))
    ride = [
        entry(group_id=group, role="crew"),
        entry(group_id=group, gate="zone", zone="Ambulans 118", role="inpatient"),
        entry(group_id=group, subject={"type": "temporary", "value": "Mr X 118"}),
        entry(group_id=group, subject={"type": "passport", "value": "X 123 4567"}),
    ]
    assert [one["status"] for one in desk.results(*ride)] == ["accepted"] * 4
    found = scans_of(gate, *(one["scan_id"] for one in ride))
    assert {one.group_id for one in found.values()} == {group}
    assert len({one.person_id for one in found.values()}) == 4


def test_the_desk_is_its_facilitys_own_and_needs_the_pages_token(gate: Gate, desk: Desk, clinic: str) -> None:
    for way in ("/faskes/RS-A/meja", "/faskes/nowhere/meja"):
        assert desk.client.post(f"{way}/periksa", json={}).status_code == 404
        assert desk.client.post(f"{way}/entri", json={"entries": [entry()]}).status_code == 404
        for tail in ("", "/susulan", "/ponsel"):
            assert desk.person.open(way + tail).status_code == 404
    _, ministry = activated(gate, "office", area="36.71")
    ministry.open(desk.way)
    assert ministry.path.startswith("/masuk")
    bare = {name: value for name, value in desk.client.headers.items() if name != "x-csrftoken"}
    with httpx.Client(base_url=gate.url, headers=bare) as client:
        assert client.post(f"{desk.way}/entri", json={"entries": [entry()]}).status_code == 403
    with httpx.Client(base_url=gate.url, headers={"accept": "application/json"}) as client:
        assert client.post(f"/faskes/{clinic}/meja/periksa", json={}).status_code in {401, 403}
    manager = new_desk(gate, clinic, "manager")
    assert manager.results(entry())[0]["status"] == "accepted"


# Look-ups


@pytest.fixture(scope="module")
def certified(gate: Gate) -> str:
    """The NIK of Siti Aminah, who has had three doses."""
    nik = new_nik()
    head = "identifier_type,identifier_value,name,birth_date,dose_number,vaccine_code,occurrence_date"
    rows = [f"nik,{nik},Siti Aminah,1977-07-15,{dose},VAX-1,2022-0{dose}-01" for dose in (1, 2, 3)]
    with gate.client(new_key(gate.settings, "registry")) as client:
        answer = client.post("/v1/vaccinations", content="\n".join((head, *rows)), headers={"content-type": "text/csv"})
    assert (answer.status_code, answer.json()["bad"]) == (200, 0), answer.text
    return nik


def shape_of(answer: httpx.Response) -> tuple[object, ...]:
    """Return all of an answer but the action's own word."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "content-length"}}
    return answer.status_code, headers, list(answer.json())


def test_a_look_up_says_one_action_and_the_same_for_whoever_nobody_knows(desk: Desk, certified: str) -> None:
    assert desk.look_up(certified).content == b'{"action":"admit"}'
    assert desk.look_up(certified, " siti  AMINAH ").content == b'{"action":"admit"}'
    unknown = desk.look_up(new_nik())
    assert unknown.content == b'{"action":"check"}'
    answers = [desk.look_up(certified, "Budi Santoso"), desk.look_up(new_nik(), "Budi Santoso"), unknown]
    assert {one.content for one in answers} == {b'{"action":"check"}'}
    everybody = (*answers, desk.look_up(certified))
    assert len({repr(shape_of(one)) for one in everybody}) == 1
    assert all(one.elapsed >= timedelta(seconds=TICK_S) for one in everybody), "none before the clock's next tick"
    assert desk.look_up("x", subject={"type": "temporary", "value": "Mr X"}).content == b'{"action":"check"}'


@pytest.mark.parametrize("value", ["", "1234", "3671015508900000", "9999995508900001"])
def test_a_number_that_cannot_be_is_refused_without_being_repeated(desk: Desk, value: str) -> None:
    answer = desk.look_up(value)
    assert (answer.status_code, answer.json()["field"]) == (422, "subject.value")
    assert not value or value not in answer.text


def test_the_person_sees_who_looked_him_up_and_the_audit_keeps_it(gate: Gate, desk: Desk, certified: str) -> None:
    desk.look_up(certified)
    one = entry(subject={"type": "nik", "value": certified})
    desk.results(one)
    person = scans_of(gate, one["scan_id"])[one["scan_id"]].person_id
    with transaction(gate.settings, OPERATOR) as conn:
        trail = [row for row in store.trail(conn, [person], [person]) if row["principal"] == desk.email]
    assert len(trail) == 1
    assert "looked" in trail[0]["action"]


def test_a_number_that_a_facility_gave_is_looked_up_as_any_other(gate: Gate, desk: Desk) -> None:
    one = entry(subject={"type": "temporary", "value": "Mr X 119"})
    desk.results(one)
    person = scans_of(gate, one["scan_id"])[one["scan_id"]].person_id
    assert desk.look_up("", subject=one["subject"]).content == b'{"action":"check"}'
    with transaction(gate.settings, OPERATOR) as conn:
        assert [row["principal"] for row in store.trail(conn, [person], [person])] == [desk.email]


def test_ten_thousand_guesses_teach_nothing_and_end_after_thirty(gate: Gate, clinic: str, certified: str) -> None:
    guesser = new_desk(gate, clinic)
    body = {"subject": {"type": "nik", "value": ""}, "name": "Budi Santoso"}
    bodies, shapes, statuses, began_s = set[bytes](), set[str](), list[int](), time.monotonic()
    for number in range(10_000):
        body["subject"] = {"type": "nik", "value": certified if number % 5 == 0 else new_nik()}
        answer = guesser.client.post(f"{guesser.way}/periksa", json=body)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            bodies.add(answer.content)
            shapes.add(repr(shape_of(answer)))
        else:
            assert 1 <= int(answer.headers["retry-after"]) <= HOUR_S
            assert certified not in answer.text
    assert statuses[:31] == [200] * 30 + [429]
    assert set(statuses) == {200, 429}
    minutes = int((time.monotonic() - began_s) / MINUTE_S) + 1
    assert statuses.count(200) <= min(OFFICER[HOUR_S], OFFICER[MINUTE_S] * minutes)
    assert bodies == {b'{"action":"check"}'}
    assert len(shapes) == 1
    assert guesser.results(entry())[0]["status"] == "accepted", "people still come in"


def test_an_address_that_guesses_under_many_names_is_stopped_for_all_of_them(gate: Gate) -> None:
    address = f"10.77.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    desks = [new_desk(gate, "RS-A" if n % 2 else "PKM-B", address=address) for n in range(6)]

    def guess(desk: Desk) -> list[int]:
        return [desk.look_up(new_nik()).status_code for _ in range(30)]

    with ThreadPoolExecutor(5) as threads:
        found = list(threads.map(guess, desks[:5]))
    assert found == [[200] * 30] * 5
    assert guess(desks[5]) == [429] * 30
    elsewhere = new_desk(gate, "LAB-C")
    assert elsewhere.look_up(new_nik()).status_code == 200


# The second person


def late_entry(**changed: Any) -> dict[str, Any]:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
    return entry(at=at.isoformat(), why_late="listrik padam", **changed)


def test_an_entry_of_more_than_a_day_ago_says_why_and_waits_for_somebody_else(gate: Gate, clinic: str) -> None:
    desk = new_desk(gate, clinic, name="Hj. Siti Aminah")
    one = late_entry(role="companion", saw_id=True)
    assert desk.results(one | {"why_late": " "})[0]["field"] == "why_late"
    assert desk.results(one | {"why_late": "untuk 3671015508900001"})[0]["field"] == "why_late"
    answers = [desk.results(one), desk.results(one)]
    assert answers[0] == answers[1] == [{"scan_id": one["scan_id"], "status": "waiting"}]
    way = f"{desk.way}/susulan"
    mine = desk.person.open(way)
    assert "listrik padam" in mine.text
    assert f"{way}/{one['scan_id']}" not in mine.text
    assert desk.person.send(f"{way}/{one['scan_id']}", action="approve").status_code == 409
    other = new_desk(gate, clinic)
    page = other.person.open(way).text
    assert page.count(f'action="{way}/{one["scan_id"]}"') == 1
    assert one["subject"]["value"] not in page
    himself = new_desk(gate, clinic, name="SITI AMINAH, S.Kep.")
    assert f'action="{way}/{one["scan_id"]}"' not in himself.person.open(way).text
    for action in ("approve", "refuse"):
        assert himself.person.send(f"{way}/{one['scan_id']}", action=action).status_code == 409
        himself.person.open(way)
    marker = entry()
    desk.results(marker)
    assert count_on_topic(gate, one["scan_id"], marker["scan_id"]) == 0
    assert other.person.send(f"{way}/{one['scan_id']}", action="approve").status_code == 200
    sent = scans_of(gate, one["scan_id"])[one["scan_id"]]
    assert (sent.at.isoformat(), sent.role, sent.channel) == (one["at"], Role.COMPANION, Channel.OFFICER)
    assert sent.received_at - sent.at > ALONE_MAX
    assert sent.entered_by == desk.email
    for action in ("approve", "refuse"):
        other.person.open(way)
        assert other.person.send(f"{way}/{one['scan_id']}", action=action).status_code == 409
    other.person.open(way)
    other.person.send(f"{way}/{one['scan_id']}", action="send")
    after = entry()
    desk.results(after)
    assert count_on_topic(gate, one["scan_id"], after["scan_id"]) == 1
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select action, reason from audit where object = %s order by id", (sent.person_id,))
        assert cur.fetchall() == [("late entry asked for", clinic), ("late entry approved", clinic)]
        (shown,) = store.own_data(conn, [sent.person_id])["late_entries"]
    assert (shown["facility_id"], shown["why"], shown["approved"]) == (clinic, "listrik padam", True)


def test_what_is_refused_is_never_sent_and_another_facility_decides_nothing(
    gate: Gate, desk: Desk, clinic: str
) -> None:
    one = late_entry()
    desk.results(one)
    stranger = new_desk(gate, "RS-A")
    assert stranger.person.send(f"/faskes/RS-A/meja/susulan/{one['scan_id']}", action="approve").status_code == 404
    assert stranger.person.send(f"{desk.way}/susulan/{one['scan_id']}", action="approve").status_code == 404
    manager = new_desk(gate, clinic, "manager")
    manager.person.open(f"{desk.way}/susulan")
    assert manager.person.send(f"{desk.way}/susulan/{one['scan_id']}", action="").status_code == 422
    manager.person.send(f"{desk.way}/susulan/{one['scan_id']}", action="refuse")
    assert "Ditolak" in manager.person.page.text
    for action in ("approve", "send"):
        manager.person.open(f"{desk.way}/susulan")
        manager.person.send(f"{desk.way}/susulan/{one['scan_id']}", action=action)
    marker = entry()
    desk.results(marker)
    assert count_on_topic(gate, one["scan_id"], marker["scan_id"]) == 0


def test_no_identity_number_is_in_the_table_of_what_waits(gate: Gate, desk: Desk) -> None:
    one = late_entry()
    desk.results(one)
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select late_entry::text from late_entry where scan_id = %s", (one["scan_id"],))
        row = cur.fetchone()
    assert row is not None
    assert one["subject"]["value"] not in row[0]


# A visitor's phone


def test_an_officer_who_saw_the_document_binds_the_phone_that_shows_the_code(gate: Gate, desk: Desk) -> None:
    phone, nik, way = Phone(gate.url), new_nik(), f"{desk.way}/ponsel"
    phone.claim(nik)
    code = phone.ask("officer-code").json()["code"]
    good = {"type": "nik", "number": nik, "code": f"{code[:4]} {code[4:]}", "saw_id": "1"}
    desk.person.open(way)
    for wrong, field in (
        ({"saw_id": ""}, "Hanya setelah dokumen asli dilihat."),
        ({"number": "1234"}, "Nomor ini tidak mungkin benar."),
        ({"number": new_nik()}, "Tidak dapat disahkan."),
        ({"code": "AAAA BBBB"}, "Tidak dapat disahkan."),
        ({"code": ""}, "Harus diisi."),
        ({"type": "ktp"}, "Pilih salah satu."),
    ):
        answer = desk.person.send(way, **good | wrong)
        assert (answer.status_code, field in answer.text, nik in answer.text) == (422, True, False), wrong
        assert not phone.ask("me").json()["proven"]
    assert "Ponsel ini sekarang milik orang itu." in desk.person.send(way, **good).text
    assert phone.ask("me").json()["proven"]
    assert desk.person.send(way, **good).status_code == 422, "a code counts once"


# Pure parts


def read(**changed: Any) -> EntryBody:
    return Codec(EntryBody).decode(httpx.Request("POST", "http://x", json=entry(**changed)).content)


@given(st.timedeltas(timedelta(0), timedelta(days=29)))
def test_exactly_what_is_more_than_a_day_ago_needs_a_second_person(ago: timedelta) -> None:
    now = datetime.now(UTC)
    assert needs_second(read(at=(now - ago).isoformat(), why_late="lupa"), now) == (ago > timedelta(days=1))
    if ago > timedelta(days=1):
        with pytest.raises(InvalidEvent):
            needs_second(read(at=(now - ago).isoformat()), now)


def test_a_reason_is_a_sentence_of_the_list_and_never_longer_than_a_scan_holds() -> None:
    assert reason_of(read()) == ""
    assert reason_of(read(admitted=False, reason="check")) == "Arahan sistem"
    longest = read(admitted=False, reason="document", words="x" * 80)
    assert len(scan_body_of(longest, "RS-A", {}).refused_reason) <= 128


@given(st.lists(st.tuples(QUARTERS, st.integers(1, 4)), max_size=60), st.integers(1, 6), st.integers(1, 30))
def test_a_window_is_never_exceeded_and_opens_when_it_says(
    steps: list[tuple[float, int]], most: int, seconds: int
) -> None:
    window, now_s, taken = Window(most, seconds), 0.0, deque[float]()
    for wait_s, count in steps:
        now_s += wait_s
        inside = sum(at > now_s - seconds for at in taken)
        wait = window.wait_s("x", now_s, count)
        if count > most and not inside:
            continue
        assert (wait == 0) == (inside + count <= most)
        if wait:
            assert count > most or sum(at > now_s + wait - seconds for at in taken) + count <= most
        else:
            window.add("x", now_s, count)
            taken.extend([now_s] * count)


def test_an_officer_a_facility_and_an_address_have_limits_of_their_own() -> None:
    quotas = Quotas()

    def take(officer: str, facility: str, address: str, now_s: float) -> int:
        try:
            quotas.take(officer=officer, facility=facility, address=address, now_s=now_s)
        except TooMany as error:
            return error.retry_after_s
        return 0

    assert [take("a", "F", "1", 0.0) for _ in range(31)] == [0] * OFFICER[MINUTE_S] + [60]
    assert take("a", "F", "1", 59.0) == 1
    assert take("b", "F", "1", 0.0) == 0, "of one at his limit the others are not stopped"
    hour = [take("c", "G", "2", 10.0 * n) for n in range(OFFICER[HOUR_S] + 1)]
    assert hour == [0] * OFFICER[HOUR_S] + [600]
    many = [take(f"o{n % 9}", "H", f"9{n}", 0.1 * n) for n in range(SEVERAL[MINUTE_S] + 1)]
    assert many[:-1] == [0] * SEVERAL[MINUTE_S]
    assert many[-1] > 0, "a facility's own limit, whoever asks and from wherever"
    spread = [take(f"p{n % 9}", f"I{n}", "3", 0.1 * n) for n in range(SEVERAL[MINUTE_S] + 1)]
    assert spread[-1] > 0, "an address's own limit, whoever asks"
