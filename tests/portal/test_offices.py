"""A health office's pages on a real gate: its own alerts, counts and candidates, and nothing of any other area."""

import csv
import hashlib
import io
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec.structs import replace

from ops.store import OPERATOR, transaction
from portal import store
from portal.store import ROLE, put_facility
from schemas.events import ContactDecision
from schemas.topics import CONTACT_DECISION
from tests.portal.conftest import FACILITIES, NIK, Gate
from tests.portal.members import Member
from tests.portal.test_alerts import audited, forget
from tests.portal.test_places import scanned
from tests.portal.test_results_and_traces import last_event, run_sql
from tests.tracing.ward import Town, positive, somebody
from tracing.store import connect

JAKARTA = ZoneInfo("Asia/Jakarta")
CASE = somebody(601)
MET = [somebody(number) for number in range(602, 606)]


@pytest.fixture(scope="module")
def town(gate: Gate) -> Iterator[Town]:
    """A case in Kota Tangerang who met four people there."""
    made = Town(gate.settings)
    made.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    for number, person in enumerate(MET):
        made.stay(person, "RS-1", f"2026-11-09 0{8 + number // 2}:3{number}", "2026-11-09 11:00")
    made.take(positive(CASE))
    yield made
    made.close()


@pytest.fixture
def office(gate: Gate, town: Town) -> Member:
    assert town.case(CASE)[1] == "open"
    forget(gate)
    return Member(gate, "office", "36.71")


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """Return a CSV answer's rows, after what is said of it was checked."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    sha256 = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["x-row-count"] == str(len(rows))
    assert f"-{len(rows)}-rows-{sha256[:12]}.csv" in answer.headers["content-disposition"]
    return rows


def refs(page: httpx.Response, gate: Gate, office: str) -> set[str]:
    """Return the names that an office knows candidates by and that are on a page."""
    known = run_sql(gate, "select contact_ref from alert where office = %s and contact_ref <> ''", office)
    return {ref for (ref,) in known if ref in page.text}


def test_an_office_sees_its_alerts_in_bands_and_never_who_it_is(gate: Gate, office: Member, town: Town) -> None:
    page = office.open("/dinas")
    assert (page.status_code, office.path) == (200, "/dinas")
    assert len(refs(page, gate, "d3671")) == len(MET)
    assert "RSUD Kota Tangerang" in page.text
    assert "60-239" in page.text
    assert "4 kandidat kontak erat menyangkut wilayah Anda" in page.text
    case_id = town.case(CASE)[0]
    assert not any(word in page.text for word in (case_id, "2026-11-10", *MET, CASE))
    assert audited(gate, office.email)[0][0] == "alerts listed"


def test_another_area_sees_nothing_of_it(gate: Gate, office: Member) -> None:
    own = office.open("/dinas")
    assert refs(own, gate, "d3671")
    for area in ("31.71", "36.74", "36"):
        page = Member(gate, "office", area).open("/dinas?tampil=semua")
        assert page.status_code == 200
        assert not refs(page, gate, "d3671")
    assert refs(Member(gate, "office", "36").open("/dinas"), gate, "p36")
    ((alert_id,),) = run_sql(gate, "select alert_id from alert where office = 'd3671' and contact_ref <> '' limit 1")
    for area in ("31.71", "36"):
        other = Member(gate, "office", area)
        other.open("/dinas")
        assert other.send(f"/dinas/notifikasi/{alert_id}").status_code == 404
        assert other.open(f"/dinas/kontak/{alert_id}").status_code == 404
    assert run_sql(gate, "select count(*) from alert where acknowledged_at is not null") == [(0,)]


@pytest.mark.parametrize("role", ["epidemiologist", "manager"])
def test_the_pages_are_for_offices_only(gate: Gate, role: str) -> None:
    member = Member(gate, role, "36.71" if role == "epidemiologist" else "")
    for path in ("/dinas", "/dinas/kontak", "/dinas/pengunjung", "/dinas/pemakaian", "/dinas/kontak.csv"):
        assert member.open(path).status_code == 403
    stranger = Member(gate, role, "36.71")
    stranger.cookies.clear()
    stranger.open("/dinas")
    assert stranger.path == "/masuk?ke=/dinas"


def test_the_database_shows_the_gate_no_alert_before_it_says_which_office_looks(gate: Gate, office: Member) -> None:
    assert office.open("/dinas").status_code == 200
    with closing(connect(gate.settings, ROLE)) as conn, conn, conn.cursor() as cur:

        def seen() -> set[str]:
            cur.execute("select distinct office from alert")
            return {row[0] for row in cur.fetchall()}

        assert seen() == set()
        for looks, found in (("d3671", {"d3671"}), ("p36", {"p36", "d3671"}), ("all", {"p36"}), ("d3174", set())):
            store.look_as(conn, looks)
            assert seen() == found
        store.look_as(conn, "p36")
        cur.execute("update alert set acknowledged_by = 'x' where office = 'p31'")
        assert cur.rowcount == 0


def test_an_alert_is_acknowledged_by_its_button_and_a_whole_case_by_one(gate: Gate, office: Member) -> None:
    page = office.open("/dinas")
    ((alert_id,),) = run_sql(
        gate, "select alert_id from alert where office = 'd3671' and contact_ref <> '' order by alert_id limit 1"
    )
    assert f"/dinas/notifikasi/{alert_id}" in page.text
    done = office.send(f"/dinas/notifikasi/{alert_id}")
    assert "Tanggapan sudah dicatat." in done.text
    assert f"/dinas/notifikasi/{alert_id}" not in done.text
    assert run_sql(gate, "select acknowledged_by from alert where alert_id = %s", alert_id) == [(office.email,)]
    ((trace_ref,),) = run_sql(gate, "select body -> 'data' ->> 'trace_ref' from alert where alert_id = %s", alert_id)
    office.send(f"/dinas/kasus/{trace_ref}")
    waiting = run_sql(
        gate,
        "select count(*) from alert where office = 'd3671' and contact_ref <> '' and acknowledged_at is null",
    )
    assert waiting == [(0,)]
    assert "Tidak ada notifikasi yang menunggu." in office.open("/dinas").text
    assert len(refs(office.open("/dinas?tampil=semua"), gate, "d3671")) == len(MET)
    assert [what for what, _ in audited(gate, office.email)].count("alert acknowledged") == len(MET)
    assert office.send("/dinas/kasus/nobody").status_code == 404


def test_without_the_forms_token_nothing_is_acknowledged(gate: Gate, office: Member) -> None:
    office.open("/dinas")
    ((alert_id,),) = run_sql(gate, "select alert_id from alert where office = 'd3671' and contact_ref <> '' limit 1")
    assert office.send(f"/dinas/notifikasi/{alert_id}", _csrf_token="forged").status_code == 403
    assert run_sql(gate, "select count(*) from alert where acknowledged_at is not null") == [(0,)]


def test_what_waits_too_long_is_late_and_shows_at_the_office_above(gate: Gate, office: Member) -> None:
    run_sql(gate, "update alert set made_at = made_at - interval '25 hours'")
    assert "Terlambat" in office.open("/dinas").text
    above = Member(gate, "office", "36").open("/dinas")
    assert "Belum ditanggapi dinas di bawah" in above.text
    assert "Kota Tangerang" in above.text.title()
    assert not refs(above, gate, "d3671")
    ministry = Member(gate, "ministry", "all").open("/dinas")
    assert ministry.status_code == 200
    assert "Banten" in ministry.text.title()
    run_sql(gate, "update alert set made_at = made_at + interval '25 hours'")


def test_a_candidate_is_decided_on_with_a_reason(gate: Gate, office: Member, town: Town) -> None:
    office.open("/dinas/kontak")
    ((alert_id, ref),) = run_sql(
        gate,
        "select alert_id, contact_ref from alert where office = 'd3671' and contact_ref <> '' order by 1 limit 1",
    )
    way = f"/dinas/kontak/{alert_id}"
    assert ref in office.open(way).text
    for fields, why in (
        ({"decision": "maybe", "reason": "x"}, "Pilih salah satu."),
        ({"decision": "confirmed", "reason": ""}, "Harus diisi."),
        ({"decision": "confirmed", "reason": f"ini {NIK}"}, "Jangan tulis NIK di sini."),
        ({"decision": "confirmed", "reason": "x" * 129}, "terlalu panjang"),
    ):
        answer = office.send(way, **fields)
        assert answer.status_code == 422
        assert why in answer.text
    answer = office.send(way, decision="confirmed", reason="satu ruangan", identity_checked="1")
    assert (office.path, answer.status_code) == ("/dinas/kontak?ok=1", 200)
    event = last_event(gate, CONTACT_DECISION, ContactDecision, lambda one: one.contact_ref == ref)
    assert (event.by, event.role, event.decision, event.reason) == (office.email, "office", "confirmed", "satu ruangan")
    assert event.identity_checked
    assert town.register(event) == "applied"
    page = office.open("/dinas/kontak?keputusan=confirmed")
    assert refs(page, gate, "d3671") == {ref}
    assert ref not in office.open("/dinas/kontak?keputusan=belum").text
    (row,) = [one for one in rows_of(office.open("/dinas/kontak.csv")) if one["contact_ref"] == ref]
    assert (row["decision"], row["minutes_band"], row["facility_id"]) == ("confirmed", "60-239", "RS-1")


def hours(
    gate: Gate, facility_id: str, arrivals: dict[int, int], district: str = "32.73", name: str = "Klinik"
) -> None:
    """Store a facility with arrivals on days back from today; 0 is today at one o'clock in the night."""
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[1], facility_id=facility_id, name=name, district=district))
        with conn.cursor() as cur:
            cur.execute(
                "update facility set added_at = now() - interval '90 days' where facility_id = %s", (facility_id,)
            )
    midnight = datetime.now(JAKARTA).replace(hour=0, minute=0, second=0, microsecond=0)
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        for back, number in arrivals.items():
            for shard in (0, 1):
                cur.execute(
                    "insert into facility_hour select facility_no, %s, %s, %s, 0, 0, %s, 0, 0, 0, 0 from facility"
                    " where facility_id = %s",
                    (midnight - timedelta(days=back), shard, number if shard else 0, number * shard, facility_id),
                )


def new_id() -> str:
    return f"F3273{secrets.randbelow(900_000) + 100_000}"


def test_todays_visitors_are_exact_for_the_area_and_are_not_there_for_others(gate: Gate) -> None:
    near, far = new_id(), new_id()
    hours(gate, near, {0: 12, 1: 99}, "32.73", "Klinik Dekat")
    hours(gate, far, {0: 7}, "32.04", "Klinik Jauh")
    district = Member(gate, "office", "32.73")
    page = district.open("/dinas/pengunjung")
    assert "Klinik Dekat" in page.text
    assert "Klinik Jauh" not in page.text
    (row,) = [one for one in rows_of(district.open("/dinas/pengunjung.csv")) if one["code"] == near]
    assert (row["arrivals"], row["busiest_hour_visitors"], row["inside"]) == ("12", "12", "0")
    for area in ("32.04", "32", "all", "99", "x", "32.73.01"):
        assert district.open(f"/dinas/pengunjung?wilayah={area}").status_code == 404
        assert district.open(f"/dinas/pemakaian.csv?wilayah={area}").status_code == 404
    province = Member(gate, "office", "32")
    assert {one["code"] for one in rows_of(province.open("/dinas/pengunjung.csv"))} == {"32.73", "32.04"}
    assert "Klinik Jauh" in province.open("/dinas/pengunjung?wilayah=32.04").text
    ministry = Member(gate, "ministry", "all")
    by_code = {one["code"]: one for one in rows_of(ministry.open("/dinas/pengunjung.csv"))}
    assert by_code["32"]["arrivals"] == "19"
    assert ministry.open("/dinas/pengunjung?wilayah=32.04").status_code == 200


def test_who_stopped_hardly_uses_or_never_used_the_codes_is_listed(gate: Gate) -> None:
    ids = {name: new_id() for name in ("stopped", "lowest", "never", "in_use", "by_hand")}
    daily = dict.fromkeys(range(1, 50), 5)
    for name, days in (
        ("stopped", dict.fromkeys(range(8, 50), 5)),
        ("lowest", dict.fromkeys(range(1, 15), 1)),
        ("never", {}),
        ("in_use", daily),
        ("by_hand", {1: 2} | dict.fromkeys(range(20, 30), 5)),
    ):
        hours(gate, ids[name], days, "33.74", f"Faskes {name}")
    for _ in range(2):  # yesterday's two arrivals were both entered by an officer: nobody scanned
        scanned(gate, ids["by_hand"], datetime.now(UTC) - timedelta(hours=24), "officer")
    office = Member(gate, "office", "33.74")
    page = office.open("/dinas/pemakaian")
    assert page.status_code == 200
    rows = {one["facility_id"]: one for one in rows_of(office.open("/dinas/pemakaian.csv"))}
    assert {name: rows[facility]["use"] for name, facility in ids.items()} == {
        "stopped": "stopped",
        "lowest": "lowest",
        "never": "never",
        "in_use": "in_use",
        "by_hand": "stopped",
    }
    assert rows[ids["stopped"]]["days_since_last_scan"] == "7"
    assert rows[ids["never"]]["days_since_last_scan"] == ""
    (trend,) = rows_of(office.open("/dinas/tren.csv"))
    assert (trend["area"], trend["facilities"]) == ("33.74", "5")
    told: dict[str, Any] = office.open("/dinas/pemakaian/angka").json()
    assert [str(number) for number in told["lines"][0]["weeks"]] == list(trend.values())[3:-1]
    assert "Faskes stopped" in page.text
    assert "Faskes in_use" not in page.text


def test_a_formula_in_a_facilitys_name_is_text_in_every_file_and_the_taking_is_audited(gate: Gate) -> None:
    facility_id = new_id()
    hours(gate, facility_id, {1: 3}, "34.71", "=HYPERLINK(1)")
    office = Member(gate, "office", "34.71")
    for name in ("pengunjung", "pemakaian"):
        (row,) = rows_of(office.open(f"/dinas/{name}.csv"))
        assert row["name"] == "'=HYPERLINK(1)"
    found = run_sql(
        gate, "select object, reason from audit where principal = %s and action = 'list exported'", office.email
    )
    assert [one for one, _ in found] == ["pengunjung-34.71: 1 rows", "pemakaian-34.71: 1 rows"]
    assert found[-1][1] == f"sha256 {hashlib.sha256(office.page.content).hexdigest()}"
