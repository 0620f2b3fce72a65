"""The pages of flagged scans in a real browser: a manager's on a telephone, the ministry's at a desk."""

import secrets
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from ops.store import OPERATOR, transaction
from portal.plausibility.reasons import Reason
from portal.posters import gates
from portal.posters.keys import PosterKeys
from portal.store import put_facility
from portal.web.secret_box import portal_secrets
from schemas.events import Gate as Kind
from tests.portal.browser import DESK, PHONE, TOO_WIDE, Watched, set_password
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.test_accounts import GOOD, invited
from tests.portal.test_places_pages import signed_in

NOW = datetime.now(UTC).replace(microsecond=0)
WHY = (
    (Reason.BURST, 3),
    (Reason.BURST, 3),
    (Reason.RETIRED_POSTER, 5),
    (Reason.CLOSED_HOURS, 11),
    (Reason.SEQUENCE_GAP, 26),
    (Reason.IMPOSSIBLE_TRAVEL, 30),
)


@pytest.fixture
def hospital(gate: Gate) -> str:
    """A hospital with six flagged scans, stored as the fold does; nothing folds what is decided about them."""
    facility_id = f"F3671{secrets.randbelow(90_000) + 10_000}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="RSUD Kenanga"))
    with transaction(gate.settings, "jejak_gate") as conn:
        gates.add(
            conn, PosterKeys(portal_secrets(gate.settings)), facility_id=facility_id, kind=Kind.ENTRANCE,
            name="Lobi utara", zone="", by="x", now=NOW - timedelta(days=9),
        )  # fmt: skip
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        for number, (reason, back) in enumerate(WHY):
            at = NOW - timedelta(hours=back, minutes=number)
            cur.execute(
                "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest,"
                " accepted_at, group_id, refused_reason, assurance, device_id, entered_by, received_at, gate_no,"
                " poster_version) select gen_random_uuid(), uuidv7(), facility_no, 'entrance', %(at)s, '', true,"
                " 'visitor', 'app', gen_random_uuid(), %(at)s, '', '', 'self', 'd', 'ponsel', %(at)s, 1, 1"
                " from facility where facility_id = %(facility)s returning person, scan_id, facility_no",
                {"at": at, "facility": facility_id},
            )
            person, scan_id, facility_no = cur.fetchone() or ("", "", 0)
            cur.execute(
                "insert into scan_decision values (%s, %s, 0, %s, 'flag', %s, %s, %s)",
                (person, scan_id, f"system:{reason}", at, reason, at),
            )
            cur.execute(
                "insert into facility_hour values (%s, date_trunc('hour', %s::timestamptz), 0, 0, 0, 0, 0, 0, 0, 0, 1)"
                " on conflict (facility_no, hour, shard) do update set flagged = facility_hour.flagged + 1",
                (facility_no, at),
            )
    return facility_id


def test_a_manager_looks_through_flagged_scans_on_a_telephone_and_decides(
    gate: Gate, browser: Browser, hospital: str
) -> None:
    phone = signed_in(browser, gate, hospital, PHONE)
    page = phone.page
    expect(page.locator("[data-live=waiting]")).to_have_text("6")
    page.get_by_role("link", name="ditandai, menunggu keputusan").click()
    expect(page.locator("tbody tr")).to_have_count(6)
    expect(page.get_by_text("Lobi utara").first).to_be_visible()
    phone.check()
    assert page.evaluate(TOO_WIDE) == []
    phone.picture("tanda-ponsel")
    page.get_by_role("link", name="Terlalu banyak orang di satu poster: 2").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Semua 2 pindaian yang terlihat").check()
    page.get_by_label("Pindaian ini tidak benar: batalkan").check()
    page.get_by_label("Dasar keputusan").fill("foto poster beredar di grup")
    page.get_by_role("button", name="Simpan keputusan").click()
    expect(page.get_by_role("status")).to_have_text("2 pindaian sudah diputuskan.")
    phone.check()
    page.get_by_role("button", name="English").click()
    page.goto(f"/faskes/{hospital}/tanda")
    expect(page.get_by_role("heading", level=2, name="Flagged scans")).to_be_visible()
    phone.check()
    phone.close()


def test_what_is_missing_is_said_where_it_is_missing(gate: Gate, browser: Browser, hospital: str) -> None:
    phone = signed_in(browser, gate, hospital, PHONE)
    page = phone.page
    page.goto(f"/faskes/{hospital}/tanda")
    page.get_by_label("Pindaian ini benar").check()
    page.get_by_label("Dasar keputusan").fill("diperiksa")
    page.get_by_label("Dasar keputusan").press("Enter")
    expect(page.get_by_text("Pilih sedikitnya satu pindaian.")).to_be_visible()
    expect(page.get_by_label("Dasar keputusan")).to_have_value("diperiksa")
    phone.check()
    assert page.evaluate(TOO_WIDE) == []
    phone.close()


def test_the_keyboard_alone_clears_a_scan(gate: Gate, browser: Browser, hospital: str) -> None:
    desk = signed_in(browser, gate, hospital, DESK)
    page = desk.page
    page.goto(f"/faskes/{hospital}/tanda")
    page.locator("input[name=scan]").first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Pindaian ini benar").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("dikenal petugas")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 pindaian sudah diputuskan.")
    desk.close()


def test_the_ministry_finds_facilities_by_area_and_opens_one(gate: Gate, browser: Browser, hospital: str) -> None:
    _, link = invited(gate, "ministry", area="")
    desk = Watched(browser, gate.url, DESK)
    page = desk.page
    enter(page, link)
    page.goto("/kemenkes")
    page.get_by_role("link", name="Ditandai", exact=True).click()
    page.get_by_label("Provinsi").select_option("36")
    page.get_by_role("button", name="Tampilkan").click()
    expect(page.get_by_text(hospital)).to_be_visible()
    desk.check()
    desk.picture("tanda-kemenkes")
    page.get_by_role("row", name=hospital).get_by_role("link").click()
    expect(page.locator("tbody tr")).to_have_count(6)
    desk.check()
    desk.picture("tanda-meja")
    page.goto("/tanda?wilayah=94")
    expect(page.get_by_text("Tidak ada pindaian yang ditandai.")).to_be_visible()
    desk.check()
    desk.close()


def enter(page: Page, link: str) -> None:
    """Set the password, then the second factor."""
    page.goto(link)
    set_password(page, GOOD)
    letters = page.locator("#letters").inner_text().replace(" ", "")
    page.locator("input[name=code]").fill(pyotp.TOTP(letters).now())
    page.keyboard.press("Enter")
    page.wait_for_url("**/kemenkes")
