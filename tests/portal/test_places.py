"""A facility's own pages over HTTP on a real gate: doors and posters, details, people, counts, manual entries."""

import asyncio
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import httpx
import pypdfium2
import pytest
import zxingcpp
from msgspec.structs import replace
from psycopg2 import errors

from ops.store import OPERATOR, transaction
from portal.desk import open_desk
from portal.places.counts import by_day, by_hour, first_instant, fullness
from portal.posters import gates, store
from portal.posters.check import PATH, Posters, Refusal, Shown, check
from portal.posters.keys import PosterKeys
from portal.posters.tokens import Named, signed
from portal.store import Cursor, HourRow, put_facility
from portal.web.secret_box import portal_secrets
from schemas.events import Gate as Kind
from tests.commands import jejak
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.person import Person
from tests.portal.test_accounts import GOOD, activated, last_link, new_address
from tests.portal.test_registration import form as application

JAKARTA = ZoneInfo("Asia/Jakarta")
READ = (
    "",
    "/angka",
    "/gerbang",
    "/gerbang/1",
    "/gerbang/1/poster.pdf",
    "/poster.zip",
    "/manual",
    "/data",
    "/petugas",
)
CHANGED = ("/gerbang", "/gerbang/pertama", "/zona", "/gerbang/1", "/data", "/petugas")
Own = tuple[str, Person]


def new_facility(gate: Gate) -> str:
    """Return the id of a clinic that nobody else in these tests knows."""
    facility_id = f"K-{secrets.token_hex(4)}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="Klinik Kenanga", kind="clinic"))
    return facility_id


@pytest.fixture
def own(gate: Gate) -> Own:
    """A clinic of its own, and its manager, signed in."""
    facility_id = new_facility(gate)
    _, manager = activated(gate, facilities=[facility_id])
    return facility_id, manager


def with_doors(own: Own) -> Own:
    facility_id, manager = own
    manager.open(f"/faskes/{facility_id}/gerbang")
    manager.send(f"/faskes/{facility_id}/gerbang/pertama")
    return own


def token_at(manager: Person, facility_id: str, gate_no: int, size: str = "a4") -> str:
    """Return what the QR code of the printed poster says, without the address."""
    answer = manager.open(f"/faskes/{facility_id}/gerbang/{gate_no}/poster.pdf?ukuran={size}")
    assert answer.headers["content-type"] == "application/pdf"
    page = pypdfium2.PdfDocument(answer.content)[0].render(scale=2).to_pil()
    (code,) = zxingcpp.read_barcodes(page)
    assert code.text.startswith(manager.url + PATH)
    return str(code.text).removeprefix(manager.url + PATH)


@contextmanager
def as_gate(gate: Gate) -> Iterator[Cursor]:
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        yield cur


def checked(gate: Gate, token: str, at: datetime | None = None) -> Shown | Refusal:
    with transaction(gate.settings, "jejak_gate") as conn:
        return check(conn, PosterKeys(portal_secrets(gate.settings)), token, at or datetime.now(UTC))


def test_a_manager_begins_at_the_only_facility_and_sees_no_other(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    manager.open("/beranda")
    assert manager.path == f"/faskes/{facility_id}"
    assert "Klinik Kenanga" in manager.page.text
    for tail in (
        "",
        "/angka",
        "/gerbang",
        "/gerbang/1",
        "/gerbang/1/poster.pdf",
        "/poster.zip",
        "/manual",
        "/data",
        "/petugas",
    ):
        assert manager.open(f"/faskes/PKM-B{tail}").status_code == 404
        assert manager.open(f"/faskes/nowhere{tail}").status_code == 404
    manager.open(f"/faskes/{facility_id}/gerbang")
    for tail in CHANGED:
        manager.open(f"/faskes/{facility_id}/gerbang")
        assert manager.send(f"/faskes/PKM-B{tail}", kind="entrance", name="x", action="close").status_code == 404
    _, of_two = activated(gate, facilities=[facility_id, "RS-A"])
    of_two.open("/faskes")
    assert of_two.page.status_code == 200
    assert {f"/faskes/{facility_id}", "/faskes/RS-A"} <= set(re.findall(r'href="(/faskes/[^"]+)"', of_two.page.text))


def test_officers_read_and_print_but_change_nothing_and_others_see_nothing(gate: Gate, own: Own) -> None:
    facility_id, _ = with_doors(own)
    _, officer = activated(gate, "officer", facilities=[facility_id])
    for tail in ("", "/gerbang", "/gerbang/1", "/manual", "/data", "/petugas"):
        answer = officer.open(f"/faskes/{facility_id}{tail}")
        assert answer.status_code == 200
        assert f'action="/faskes/{facility_id}' not in answer.text
    assert checked(gate, token_at(officer, facility_id, 1)) is not None
    for tail in CHANGED:
        officer.open(f"/faskes/{facility_id}")
        assert officer.send(f"/faskes/{facility_id}{tail}", action="reissue").status_code == 403
    stranger = Person(gate.url)
    stranger.open(f"/faskes/{facility_id}")
    assert stranger.path.startswith("/masuk")


def test_doors_are_made_posters_printed_and_the_printed_code_is_the_door(gate: Gate, own: Own) -> None:
    facility_id, manager = with_doors(own)
    manager.send(f"/faskes/{facility_id}/zona", zone_name="Bangsal Mawar", zone_kind="ward")
    answer = manager.send(f"/faskes/{facility_id}/gerbang", kind="zone", name="", zone="Bangsal Mawar")
    assert answer.status_code == 200
    found = [checked(gate, token_at(manager, facility_id, number, "a5")) for number in (1, 2, 3)]
    assert [
        (one.gate.kind, one.gate.name, one.gate.zone, one.gate.zone_kind, one.version)
        for one in found
        if isinstance(one, Shown)
    ] == [
        (Kind.ENTRANCE, "Pintu utama", "", "", 1),
        (Kind.EXIT, "Pintu utama", "", "", 1),
        (Kind.ZONE, "Bangsal Mawar", "Bangsal Mawar", "ward", 1),
    ]
    with zipfile.ZipFile(BytesIO(manager.open(f"/faskes/{facility_id}/poster.zip").content)) as packed:
        names = {f"{size}/{name}-v1.pdf" for size in ("A4", "A5") for name in ("masuk-e1", "keluar-x2", "zona-z3")}
        assert set(packed.namelist()) == names
    manager.open(f"/faskes/{facility_id}/gerbang")
    assert manager.send(f"/faskes/{facility_id}/gerbang/pertama").status_code == 409


@pytest.mark.parametrize(
    ("path", "fields", "wrong"),
    [
        ("gerbang", {"kind": "window", "name": "x"}, "kind"),
        ("gerbang", {"kind": "exit", "name": ""}, "name"),
        ("gerbang", {"kind": "exit", "name": "x" * 65}, "name"),
        ("gerbang", {"kind": "exit", "name": "a\x07b"}, "name"),
        ("gerbang", {"kind": "exit", "name": "3671015508900001"}, "name"),
        ("zona", {"zone_name": "", "zone_kind": "ward"}, "zone_name"),
        ("zona", {"zone_name": "Bangsal", "zone_kind": "kitchen"}, "zone_kind"),
    ],
)
def test_a_door_or_zone_that_cannot_be_is_said_beside_its_field(
    own: Own, path: str, fields: dict[str, str], wrong: str
) -> None:
    facility_id, manager = own
    manager.open(f"/faskes/{facility_id}/gerbang")
    answer = manager.send(f"/faskes/{facility_id}/{path}", **fields)
    assert answer.status_code == 422
    assert f'id="{wrong}-wrong"' in answer.text


def test_a_zone_changes_its_kind_and_goes_only_while_no_gate_is_its_own(own: Own) -> None:
    facility_id, manager = own
    way = f"/faskes/{facility_id}"
    manager.open(f"{way}/gerbang")
    manager.send(f"{way}/zona", zone_name="Lantai 2", zone_kind="waiting")
    assert "Ruang isolasi" in manager.send(f"{way}/zona", zone_name="Lantai 2", zone_kind="isolation").text
    manager.send(f"{way}/zona", zone_name="IGD", zone_kind="emergency")
    manager.send(f"{way}/gerbang", kind="zone", name="", zone="IGD")
    manager.send(f"{way}/zona", zone_name="Lantai 2", zone_kind="isolation", remove="1")
    assert "Lantai 2" not in manager.page.text
    assert manager.send(f"{way}/zona", zone_name="IGD", zone_kind="emergency", remove="1").status_code == 409


def test_a_new_version_revokes_the_old_one_at_once_for_scans_from_then_on(gate: Gate, own: Own) -> None:
    facility_id, manager = with_doors(own)
    way = f"/faskes/{facility_id}/gerbang/1"
    old, before = token_at(manager, facility_id, 1), datetime.now(UTC)
    manager.open(way)
    assert manager.send(way, action="reissue").status_code == 200
    new, after = token_at(manager, facility_id, 1), datetime.now(UTC)
    assert isinstance(checked(gate, old, before), Shown)
    refused = checked(gate, old, after)
    assert isinstance(refused, Refusal)
    assert (refused.why, refused.version) == ("revoked", 1)
    assert refused.gate is not None
    assert refused.gate.facility_id == facility_id
    shown = checked(gate, new, after)
    assert isinstance(shown, Shown)
    assert shown.version == 2
    early = checked(gate, new, before)
    assert isinstance(early, Refusal)
    assert early.why == "not_yet"
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select action from audit where object = %s order by id", (f"{facility_id} e1 v2",))
        assert cur.fetchall() == [("poster reissued",)]


def test_a_theft_revokes_from_the_stated_time_and_the_door_gets_a_new_poster(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    made = datetime.now(UTC) - timedelta(days=3)
    keys = PosterKeys(portal_secrets(gate.settings))
    with transaction(gate.settings, "jejak_gate") as conn:
        gates.add(conn, keys, facility_id=facility_id, kind=Kind.EXIT, name="Samping", zone="", by="test", now=made)
    old, way = token_at(manager, facility_id, 1), f"/faskes/{facility_id}/gerbang/1"
    manager.open(way)
    since = (datetime.now(JAKARTA) - timedelta(hours=5)).replace(second=0, microsecond=0)
    for wrong in ("", "kemarin", "2026-11-24T08:00:00+07:00", f"{since + timedelta(days=1):%Y-%m-%dT%H:%M}"):
        answer = manager.send(way, action="stolen", version="1", since=wrong)
        assert answer.status_code == 422
        assert 'id="since-wrong"' in answer.text
    assert manager.send(way, action="stolen", version="7", since=f"{since:%Y-%m-%dT%H:%M}").status_code == 409
    manager.open(way)
    assert manager.send(way, action="stolen", version="1", since=f"{since:%Y-%m-%dT%H:%M}").status_code == 200
    assert "Dicuri" in manager.page.text
    assert isinstance(checked(gate, old, since - timedelta(seconds=1)), Shown)
    refused = checked(gate, old, since)
    assert isinstance(refused, Refusal)
    assert refused.why == "revoked"
    new = checked(gate, token_at(manager, facility_id, 1))
    assert isinstance(new, Shown)
    assert new.version == 2


def test_a_closed_gate_prints_nothing_and_takes_no_new_version(gate: Gate, own: Own) -> None:
    facility_id, manager = with_doors(own)
    old, way = token_at(manager, facility_id, 2), f"/faskes/{facility_id}/gerbang/2"
    manager.open(way)
    assert "Ditutup" in manager.send(way, action="close").text + manager.open(f"/faskes/{facility_id}/gerbang").text
    assert isinstance(checked(gate, old), Refusal)
    assert manager.open(f"{way}/poster.pdf").status_code == 404
    manager.open(f"/faskes/{facility_id}/gerbang")
    for action in ("reissue", "close"):
        assert manager.send(way, action=action).status_code == 409
        manager.open(f"/faskes/{facility_id}/gerbang")
    assert manager.send(f"/faskes/{facility_id}/gerbang", kind="exit", name="Baru").status_code == 200
    assert isinstance(checked(gate, token_at(manager, facility_id, 3)), Shown), "a number is never given twice"


def test_the_database_keeps_what_a_poster_on_the_wall_says(gate: Gate, own: Own) -> None:
    facility_id, _ = with_doors(own)
    with transaction(gate.settings, "jejak_gate") as conn:
        number = store.list_gates(conn, facility_id)[0].facility_no
    for change in ("update gate set kind = 'exit'", "update gate set gate_no = 9"):
        with pytest.raises(errors.CheckViolation), as_gate(gate) as cur:
            cur.execute(f"{change} where facility_no = %s", (number,))
    with transaction(gate.settings, "jejak_gate") as conn:
        assert [one.kind for one in store.list_gates(conn, facility_id)] == [Kind.ENTRANCE, Kind.EXIT]


def test_a_token_of_a_door_that_is_not_stored_is_unknown(gate: Gate) -> None:
    keys = PosterKeys(portal_secrets(gate.settings))
    token = signed(keys, Named(kid=keys.newest(), facility_id="RS-A", kind=Kind.ENTRANCE, gate_no=999, version=1))
    assert checked(gate, token) == Refusal("unknown")
    assert checked(gate, token[:-1] + ("A" if token[-1] != "A" else "B")) == Refusal("unreadable")


def details(**changed: str) -> dict[str, str]:
    return application(name="Klinik Kenanga") | changed


def test_a_manager_keeps_the_details_but_never_kind_or_clock(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    way = f"/faskes/{facility_id}/data"
    manager.open(way)
    answer = manager.send(way, **details(name="Klinik Kenanga Baru", capacity="80", kind="hospital"))
    assert answer.status_code == 200
    assert "Data sudah disimpan" in answer.text
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(
            "select f.name, f.kind, p.capacity, p.opening_hours from facility f join place p using (facility_no)"
            " where facility_id = %s",
            (facility_id,),
        )
        assert cur.fetchone() == ("Klinik Kenanga Baru", "clinic", 80, "Mo 08:00-16:00")
        cur.execute("select action, reason from audit where object = %s", (facility_id,))
        ((_, reason),) = [row for row in cur.fetchall() if row[0] == "facility changed"]
        assert {"name", "capacity"} <= set(reason.split(", "))
    moved = details(province="73", district="73.71", sub_district="73.71.01")
    assert 'id="sub_district-wrong"' in manager.send(way, **moved).text
    assert manager.send(way, **details(capacity="0", latitude="91")).text.count('class="why"') == 2
    assert "80" in manager.open(f"/faskes/{facility_id}").text


def test_a_licence_of_another_facility_is_refused(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    other = new_facility(gate)
    _, neighbour = activated(gate, facilities=[other])
    taken = details()
    neighbour.open(f"/faskes/{other}/data")
    assert neighbour.send(f"/faskes/{other}/data", **taken).status_code == 200
    manager.open(f"/faskes/{facility_id}/data")
    answer = manager.send(f"/faskes/{facility_id}/data", **details(licence=taken["licence"].lower()))
    assert answer.status_code == 422
    assert 'id="licence-wrong"' in answer.text


def test_a_manager_invites_an_officer_closes_the_way_in_and_invites_again(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    way, email = f"/faskes/{facility_id}/petugas", new_address()
    manager.open(way)
    assert manager.send(way, email=email, name="Siti Aminah", role="officer").status_code == 200
    officer = _activate(gate, email)
    assert officer.open(f"/faskes/{facility_id}").status_code == 200
    closing = re.search(r'action="([^"]+/tutup)"', manager.open(way).text)
    assert closing is not None
    assert manager.send(closing[1]).status_code == 200
    assert email not in manager.page.text
    officer.open(f"/faskes/{facility_id}")
    assert officer.path.startswith("/masuk")
    officer.send("/masuk", email=email, password=GOOD, goal="")
    assert officer.page.status_code == 422
    manager.open(way)
    assert manager.send(way, email=email, name="Siti Aminah", role="officer").status_code == 200
    assert _activate(gate, email).open(f"/faskes/{facility_id}").status_code == 200


def _activate(gate: Gate, email: str) -> Person:
    person = Person(gate.url)
    link = last_link(gate, email)
    person.open(link)
    person.send(link, password=GOOD, again=GOOD)
    return person


def test_an_officer_of_two_facilities_keeps_the_other_and_nobody_is_closed_by_strangers_or_himself(
    gate: Gate, own: Own
) -> None:
    facility_id, manager = own
    other = new_facility(gate)
    email, officer = activated(gate, "officer", facilities=[other])
    way = f"/faskes/{facility_id}/petugas"
    manager.open(way)
    manager.send(way, email=email, name="x", role="officer")
    assert officer.open(f"/faskes/{facility_id}").status_code == 200
    closing = re.search(r'action="([^"]+/tutup)"', manager.open(way).text)
    assert closing is not None
    _, neighbour = activated(gate, facilities=[other])
    neighbour.open(f"/faskes/{other}/petugas")
    assert neighbour.send(closing[1]).status_code == 404
    mine = _account_id(gate, facility_id, "manager")
    manager.open(way)
    assert manager.send(f"{way}/{mine}/tutup").status_code == 422
    manager.send(closing[1])
    officer.open("/masuk")
    officer.send("/masuk", email=email, password=GOOD, goal="")
    assert officer.path == f"/faskes/{other}/meja"
    assert officer.open(f"/faskes/{facility_id}").status_code == 404


def _account_id(gate: Gate, facility_id: str, role: str) -> str:
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(
            "select account_id::text from account join account_facility using (account_id)"
            " join facility using (facility_no) where facility_id = %s and role = %s",
            (facility_id, role),
        )
        row = cur.fetchone()
    assert row is not None
    return str(row[0])


def test_an_address_of_another_role_or_one_the_operator_closed_cannot_be_invited(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    ministry, _ = activated(gate, "ministry", area="")
    closed, _ = activated(gate, "officer", facilities=["RS-A"])
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("update account set closed_at = now() where email = %s", (closed,))
    manager.open(f"/faskes/{facility_id}/petugas")
    for email, role in ((ministry, "officer"), (closed, "officer"), ("nobody", "officer"), (new_address(), "ministry")):
        assert manager.send(f"/faskes/{facility_id}/petugas", email=email, name="x", role=role).status_code == 422


def scanned(gate: Gate, facility_id: str, at: datetime, channel: str, zone: str = "") -> str:
    """Store a scan as the fold does; return whose it was."""
    person = secrets.token_hex(16)
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        cur.execute(
            "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest,"
            " accepted_at, group_id, refused_reason, assurance, device_id, entered_by, received_at)"
            " select %(person)s, gen_random_uuid(), facility_no, 'entrance', %(at)s, %(zone)s, true, 'visitor',"
            " %(channel)s, gen_random_uuid(), %(at)s, '', '', 'officer_saw_id', '', 'Loket 1', %(at)s from facility"
            " where facility_id = %(facility)s",
            {"person": person, "at": at, "zone": zone, "channel": channel, "facility": facility_id},
        )
    return person


def test_todays_manual_entries_are_listed_without_whom_they_were_about(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    midnight = datetime.now(JAKARTA).replace(hour=0, minute=0, second=0, microsecond=0)
    persons = [
        scanned(gate, facility_id, midnight, "officer", "Pertama"),
        scanned(gate, facility_id, midnight - timedelta(seconds=1), "officer", "Kemarin"),
        scanned(gate, facility_id, midnight, "app", "Aplikasi"),
        scanned(gate, "RS-A", midnight, "officer", "Lain"),
    ]
    page = manager.open(f"/faskes/{facility_id}/manual").text
    assert "Pertama" in page
    assert "Loket 1" in page
    assert "KTP dilihat petugas" in page
    assert not any(word in page for word in ("Kemarin", "Aplikasi", "Lain", *persons))


@pytest.mark.parametrize("column", ["facility_no", "zone", "role", "device_id", "group_id", "entered_by", "*"])
def test_the_gate_reads_of_a_scan_how_it_came_but_not_where_it_was(gate: Gate, column: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege), as_gate(gate) as cur:
        cur.execute(f"select {column} from scan")  # noqa: S608 — of the list above


def test_the_gate_reads_manual_entries_without_persons(gate: Gate) -> None:
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("select * from manual_entry limit 1")
        assert not {"person", "scan_id", "device_id", "group_id"} & {column.name for column in cur.description or ()}


def test_the_figures_are_the_facilitys_own_as_numbers(gate: Gate, own: Own) -> None:
    facility_id, manager = own
    manager.open(f"/faskes/{facility_id}/data")
    manager.send(f"/faskes/{facility_id}/data", **details(capacity="8"))
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        cur.execute("select facility_no from facility where facility_id = %s", (facility_id,))
        row = cur.fetchone()
        assert row is not None
        cur.execute("select make_visit_partition(%s)", (hour.date(),))
        cur.execute(
            "insert into visit (key, person, check_in, check_out, visit_id, check_in_estimated, check_out_estimated,"
            " role) values (%s, gen_random_uuid(), %s, %s, gen_random_uuid(), false, true, 'visitor')",
            (row[0] * 8 + 1, hour, hour + timedelta(hours=2)),
        )
        cur.execute("insert into facility_hour values (%s, %s, 0, 5, 2, 1, 4, 0, 1, 3, 2)", (row[0], hour))
        cur.execute("insert into facility_hour values (%s, %s, 1, 1, 0, 0, 1, 0, 0, 0, 0)", (row[0], hour))
    figures = manager.open(f"/faskes/{facility_id}/angka").json()
    assert (figures["inside"], figures["capacity"], figures["full"]) == (1, 8, 12)
    assert (len(figures["hours"]), len(figures["days"])) == (24, 14)
    assert figures["hours"][-1] == {
        "label": hour.astimezone(JAKARTA).strftime("%H:%M"),
        "arrivals": 6,
        "departures": 2,
        "visitors": 5,
        "estimated": 1,
        "refused": 1,
        "manual": 3,
        "flagged": 2,
    }
    page = manager.open(f"/faskes/{facility_id}").text
    assert 'data-live="inside">1<' in page
    assert "dari kapasitas 8 orang" in page


def row_at(at: datetime, number: int) -> HourRow:
    return HourRow(at, number, number, number, 0, 0, 0, 0, 0)


def test_hours_and_days_are_whole_and_a_day_is_the_facilitys_own() -> None:
    now = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)  # 23:30 in Jakarta
    rows = [
        row_at(datetime(2026, 11, 24, 16, tzinfo=UTC), 3),
        row_at(datetime(2026, 11, 23, 17, tzinfo=UTC), 5),  # 00:00 of the 24th in Jakarta
        row_at(datetime(2026, 11, 23, 16, tzinfo=UTC), 7),
    ]
    hours, days = by_hour(rows, now, JAKARTA), by_day(rows, now, JAKARTA)
    assert [(one.label, one.arrivals) for one in (hours[0], hours[-1])] == [("00:00", 5), ("23:00", 3)]
    assert sum(one.arrivals for one in hours) == 8
    assert [(one.label, one.arrivals, one.visitors) for one in days[-2:]] == [("23-11", 7, 7), ("24-11", 8, 5)]
    assert (len(hours), len(days)) == (24, 14)
    assert first_instant(now, JAKARTA) == datetime(2026, 11, 10, 17, tzinfo=UTC)
    assert [fullness(3, 4), fullness(9, 4), fullness(1, None), fullness(0, 4)] == [75, 225, None, 0]


def test_a_gate_with_a_key_is_no_way_in(as_role: Callable[..., httpx.Client]) -> None:
    answer = as_role("gate", facility="RS-A").get("/faskes/RS-A/angka", headers={"accept": "application/json"})
    assert answer.status_code in {303, 401}


def test_the_operator_lists_posters_and_makes_a_key_that_signs_from_then_on(gate: Gate, own: Own) -> None:
    facility_id, manager = with_doors(own)
    listed = jejak(gate.settings, "posters", "list", facility_id).stdout.splitlines()
    assert [line.split("\t")[:4] for line in listed] == [
        ["e1", "entrance", "Pintu utama", "v1"],
        ["x2", "exit", "Pintu utama", "v1"],
    ]
    before = token_at(manager, facility_id, 1)
    assert listed[0].endswith(PATH + before)
    kid = jejak(gate.settings, "posters", "new-key").stdout.strip()
    assert kid != before.split(".")[1]
    assert token_at(manager, facility_id, 1) == before, "what hangs there stays as it is"
    way = f"/faskes/{facility_id}/gerbang/1"
    manager.open(way)
    manager.send(way, action="reissue")
    after = token_at(manager, facility_id, 1)
    assert after.split(".")[1] == kid
    assert isinstance(checked(gate, after), Shown)
    missing = jejak(gate.settings, "posters", "list", "nowhere")
    assert (missing.returncode, missing.stderr) == (2, "jejak: no such poster\n")


def test_two_who_issue_at_the_same_time_make_two_versions_of_which_one_stands(gate: Gate, own: Own) -> None:
    facility_id, _ = with_doors(own)
    keys = PosterKeys(portal_secrets(gate.settings))

    def issue(_: int) -> int:
        with transaction(gate.settings, "jejak_gate") as conn:
            return gates.reissue(conn, keys, gates.find(conn, facility_id, 1), "test", datetime.now(UTC))

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(issue, range(8))) == list(range(2, 10))
    with transaction(gate.settings, "jejak_gate") as conn:
        versions = store.versions_of(conn, gates.find(conn, facility_id, 1))
    assert [one.number for one in versions if one.revoked_at is None] == [9]
    assert all(one.revoked_at is not None and one.revoked_at <= two.made_at for one, two in pairwise(versions))


def test_a_desk_checks_tokens_as_the_visitors_page_will(gate: Gate, own: Own) -> None:
    facility_id, manager = with_doors(own)
    token, now = token_at(manager, facility_id, 2), datetime.now(UTC)
    with open_desk(gate.settings, exposed=False) as desk:
        posters = Posters(desk)

        async def ask() -> list[Shown | Refusal]:
            return [await posters.check(one, now) for one in (token, token[:-9], "")]

        shown, cut, empty = asyncio.run(ask())
    assert isinstance(shown, Shown)
    assert (shown.gate.facility_id, shown.gate.kind) == (facility_id, Kind.EXIT)
    assert cut == empty == Refusal("unreadable")


def test_a_facility_whose_id_has_blanks_dots_and_letters_of_elsewhere_has_pages_and_posters_too(gate: Gate) -> None:
    facility_id = f"Klinik É. {secrets.token_hex(3)}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="Klinik É"))
    _, manager = activated(gate, facilities=[facility_id])
    manager.open("/faskes")
    assert (manager.page.status_code, "Klinik É" in manager.page.text) == (200, True)
    with_doors((facility_id, manager))
    shown = checked(gate, token_at(manager, facility_id, 1))
    assert isinstance(shown, Shown)
    assert shown.gate.facility_id == facility_id


@pytest.mark.parametrize("number", ["0", "999999", "99999999999999999999", "-1", "x"])
def test_a_gate_that_is_not_there_is_not_found(own: Own, number: str) -> None:
    facility_id, manager = own
    for tail in ("", "/poster.pdf"):
        assert manager.open(f"/faskes/{facility_id}/gerbang/{number}{tail}").status_code == 404
