"""A facility's own pages in a real browser: on a telephone and at a desk, in both languages, charts drawn."""

import os
import secrets
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pypdfium2
import pytest
import zxingcpp
from msgspec.structs import replace
from playwright.sync_api import Browser, expect

from ops.store import OPERATOR, transaction
from portal.store import put_facility
from tests.portal.browser import DESK, PHONE, SCREENSHOTS, TOO_WIDE, Watched, set_password
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.test_accounts import GOOD, invited
from tests.portal.test_places import scanned
from tests.portal.test_registration import form as application

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.fixture(scope="module")
def clinic(gate: Gate) -> str:
    """A clinic with two busy weeks behind it; its id."""
    facility_id = f"F3671{secrets.randbelow(90_000) + 10_000}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="RSUD Kenanga"))
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    with transaction(gate.settings, "jejak_visits") as conn, conn.cursor() as cur:
        cur.execute("select facility_no from facility where facility_id = %s", (facility_id,))
        row = cur.fetchone()
        assert row is not None
        for back in range(14 * 24):
            at = hour - timedelta(hours=back)
            busy = max(0, 26 - abs(at.astimezone(JAKARTA).hour - 11) * 3) + back % 5
            cur.execute(
                "insert into facility_hour values (%s, %s, 0, %s, %s, %s, %s, 0, %s, %s, 0)",
                (row[0], at, busy, max(0, busy - 2), busy // 4, busy + 9, back % 2, back % 3),
            )
        cur.execute("select make_visit_partition(%s)", (hour.date(),))
        cur.execute(
            "insert into visit (key, person, check_in, check_out, visit_id, check_in_estimated, check_out_estimated,"
            " role) select %s, gen_random_uuid(), %s, %s, gen_random_uuid(), false, true, 'visitor'"
            " from generate_series(1, 41)",
            (row[0] * 8 + 1, hour, hour + timedelta(hours=3)),
        )
    for zone in ("", "IGD", ""):
        scanned(gate, facility_id, now - timedelta(seconds=1), "officer", zone)
    return facility_id


def signed_in(browser: Browser, gate: Gate, facility_id: str, size: dict[str, int], role: str = "manager") -> Watched:
    _, link = invited(gate, role, facilities=[facility_id])
    watched = Watched(browser, gate.url, size)
    page = watched.page
    page.goto(link)
    set_password(page, GOOD)
    expect(page.get_by_role("heading", level=1, name="RSUD Kenanga")).to_be_visible()
    return watched


def test_a_manager_opens_doors_prints_a_poster_and_reports_a_theft_on_a_telephone(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    phone = signed_in(browser, gate, clinic, PHONE)
    page = phone.page
    page.get_by_role("link", name="Pintu & poster").click()
    expect(page.get_by_text("Belum ada pintu.")).to_be_visible()
    page.get_by_role("button", name="Buat pintu masuk dan keluar utama").click()
    page.get_by_label("Nama zona").fill("Bangsal Mawar")
    page.get_by_label("Jenis zona").select_option("ward")
    page.keyboard.press("Enter")
    page.get_by_label("Jenis pintu").select_option("zone")
    page.get_by_label("Zona", exact=False).and_(page.locator("#zone")).select_option("Bangsal Mawar")
    page.get_by_role("button", name="Tambah pintu").click()
    expect(page.get_by_role("link", name="Bangsal Mawar", exact=True)).to_be_visible()
    phone.check()
    phone.picture("pintu")
    with page.expect_download() as loading:
        page.get_by_role("link", name="Cetak A4: Masuk Pintu utama").click()
    sheet = pypdfium2.PdfDocument(loading.value.path())[0].render(scale=2).to_pil()
    assert [code.text.rpartition("/q/")[2].split(".")[3] for code in zxingcpp.read_barcodes(sheet)] == ["e1"]
    page.get_by_role("link", name="Pintu utama", exact=True).first.click()
    phone.check()
    page.get_by_role("button", name="Cabut versi ini").click()
    expect(page.get_by_text("Dicuri", exact=True)).to_be_visible()
    phone.check()
    phone.picture("poster-dicuri")
    assert page.evaluate(TOO_WIDE) == []
    phone.close()


def test_the_overview_draws_its_charts_and_tells_them_as_tables_too(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = signed_in(browser, gate, clinic, DESK, "officer")
    page = desk.page
    page.get_by_role("link", name="Ringkasan").click()
    expect(page.locator("[data-live=inside]")).to_have_text("41")
    expect(page.locator(".chart canvas")).to_have_count(2)
    drawn = page.evaluate(
        "[...document.querySelectorAll('.chart canvas')].map(c => new Set("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size)"
    )
    assert all(colours > 20 for colours in drawn)
    desk.check()
    desk.picture("ringkasan")
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("table").first.locator("tbody tr")).to_have_count(24)
    expect(page.locator("table").last.locator("tbody tr")).to_have_count(14)
    desk.check()
    page.get_by_role("link", name="Entri manual").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    desk.check()
    desk.picture("entri-manual")
    desk.close()


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_of_a_facility_can_be_used_by_everybody_on_a_small_telephone(
    gate: Gate, browser: Browser, clinic: str, language: str
) -> None:
    phone = signed_in(browser, gate, clinic, PHONE)
    page = phone.page
    if language == "en":
        page.get_by_role("button", name="English").click()
    for tail in ("", "/manual", "/data", "/petugas"):
        page.goto(f"/faskes/{clinic}{tail}")
        assert page.locator("html").get_attribute("lang") == language
        phone.check()
        assert page.evaluate(TOO_WIDE) == [], tail
        if language == "id":
            phone.picture(f"faskes{tail.replace('/', '-')}")
    phone.close()


def test_details_are_kept_with_the_regions_chosen_one_after_another(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = signed_in(browser, gate, clinic, DESK)
    page = desk.page
    page.get_by_role("link", name="Data faskes", exact=True).click()
    given = application()
    for name in ("name", "licence", "address", "latitude", "longitude", "responsible", "email", "phone", "capacity"):
        page.locator(f"#{name}").fill(given[name] if name != "name" else "RSUD Kenanga")
    page.locator("#owner").select_option("government")
    page.locator("#sub_district").select_option("36.71.01")
    page.get_by_label("Buka 24 jam").check()
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("status")).to_have_text("Data sudah disimpan.")
    desk.check()
    desk.picture("data-faskes")
    page.get_by_role("link", name="Ringkasan").click()
    expect(page.get_by_text("dari kapasitas 60 orang")).to_be_visible()
    desk.check()
    desk.close()


def test_pictures_of_posters_are_made_where_they_are_asked_for(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = signed_in(browser, gate, clinic, DESK)
    answer = desk.context.request.get(f"/faskes/{clinic}/gerbang/1/poster.pdf")
    assert answer.status == 200
    for number, name in ((1, "masuk"), (2, "keluar"), (3, "zona")):
        body = desk.context.request.get(f"/faskes/{clinic}/gerbang/{number}/poster.pdf?ukuran=a5").body()
        page = pypdfium2.PdfDocument(body)[0].render(scale=1.2).to_pil()
        assert page.height > page.width
        if os.environ.get("PICTURES"):
            page.save(SCREENSHOTS / f"poster-{name}.png", optimize=True)
    desk.close()
