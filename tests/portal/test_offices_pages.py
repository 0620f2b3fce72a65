"""The pages of offices and the ministry in a real browser: on a telephone and at a desk, in both languages."""

from datetime import datetime

import pytest
from playwright.sync_api import Browser, expect

from tests.portal.browser import DESK, PHONE, TOO_WIDE
from tests.portal.conftest import Gate
from tests.portal.members import Member
from tests.portal.test_alerts import forget
from tests.portal.test_offices import hours
from tests.tracing.ward import JAKARTA, ONSET, Town, positive, somebody

CASE = somebody(701)


@pytest.fixture(scope="module")
def busy(gate: Gate) -> Gate:
    """A gate with a case that concerns Kota Tangerang, and facilities that use their codes, or do not."""
    town = Town(gate.settings)
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00")
    for number in range(9):
        town.stay(
            somebody(702 + number), "RS-1", f"2026-11-09 08:{10 + number * 4}", f"2026-11-09 {9 + number // 4:02}:30"
        )
    reported = datetime.now(JAKARTA)
    town.take(positive(CASE, reported_at=reported, date_onset=ONSET))
    town.close()
    today = {0: 31}
    hours(
        gate, "F3671-1", today | {back: 20 + back % 9 + back // 2 for back in range(1, 57)}, "36.71", "Puskesmas Melati"
    )
    hours(gate, "F3671-2", dict.fromkeys(range(8, 57), 9), "36.71", "Puskesmas Berhenti")
    hours(gate, "F3671-3", dict.fromkeys(range(1, 15), 1), "36.71", "Puskesmas Sepi")
    hours(gate, "F3671-4", {}, "36.71", "Puskesmas Belum Mulai")
    hours(gate, "F3603-1", {back: 12 + back % 5 for back in range(57)}, "36.03", "Puskesmas Curug")
    forget(gate)
    return gate


def test_a_district_officer_works_through_her_alerts_on_a_telephone(busy: Gate, browser: Browser) -> None:
    phone = Member(busy, "office", "36.71").in_browser(browser, PHONE)
    page = phone.page
    page.goto("/beranda")
    expect(page.get_by_role("heading", level=1)).to_contain_text("KOTA TANGERANG", ignore_case=True)
    assert page.evaluate(TOO_WIDE) == []
    phone.check()
    phone.picture("dinkes-notifikasi-ponsel")
    page.get_by_role("button", name="Tanggapi:").first.click()
    expect(page.get_by_role("status")).to_have_text("Tanggapan sudah dicatat.")
    page.get_by_role("link", name="Putuskan").first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Kontak erat: karantina").check()
    page.get_by_label("Alasan keputusan").fill("wawancara, satu ruangan")
    phone.check()
    assert page.evaluate(TOO_WIDE) == []
    phone.picture("dinkes-keputusan-ponsel")
    page.get_by_role("button", name="Kirim keputusan").click()
    expect(page.get_by_role("status")).to_contain_text("Keputusan terkirim")
    phone.check()
    phone.close()


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_of_an_office_can_be_used_by_everybody(busy: Gate, browser: Browser, language: str) -> None:
    member = Member(busy, "office", "36")
    for size, where in ((PHONE, "-ponsel"), (DESK, "")):
        watched = member.in_browser(browser, size)
        page = watched.page
        page.goto("/dinas")
        if language == "en":
            page.get_by_role("button", name="English").click()
        for path, name in (
            ("/dinas", "notifikasi"),
            ("/dinas/kontak", "kontak"),
            ("/dinas/pengunjung", "pengunjung"),
            ("/dinas/pengunjung?wilayah=36.71", "pengunjung-kota"),
            ("/dinas/pemakaian", "pemakaian"),
            ("/dinas/pemakaian?wilayah=36.71", "pemakaian-kota"),
        ):
            page.goto(path)
            assert page.locator("html").get_attribute("lang") == language
            watched.check()
            assert page.evaluate(TOO_WIDE) == [], path
            if language == "id" and not (where and name.endswith("kota")):
                page.wait_for_timeout(300)
                watched.picture(f"dinkes-{name}{where}")
        watched.close()


def test_the_chart_says_what_the_table_says_and_the_ministry_drills_down(busy: Gate, browser: Browser) -> None:
    desk = Member(busy, "ministry", "all").in_browser(browser, DESK)
    page = desk.page
    page.goto("/dinas/pemakaian")
    expect(page.locator(".chart canvas")).to_have_count(1)
    told = page.evaluate("fetch('/dinas/pemakaian/angka').then(answer => answer.json())")
    first = page.locator("table").first.locator("tbody tr").filter(has=page.get_by_role("link", name="Banten"))
    shown = [int(text) for text in first.locator("td.n").all_inner_texts()[:-1]]
    (line,) = [one for one in told["lines"] if one["area"] == "36"]
    assert shown == line["weeks"]
    desk.check()
    desk.picture("dinkes-pemakaian-kemenkes")
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Berhenti memakai kode QR")).to_be_visible()
    expect(page.get_by_text("Puskesmas Berhenti")).to_be_visible()
    expect(page.get_by_text("Puskesmas Belum Mulai")).to_be_visible()
    with page.expect_download() as loading:
        page.get_by_role("link", name="Unduh semua faskes sebagai CSV").click()
    assert "-rows-" in loading.value.suggested_filename
    page.get_by_role("link", name="Pengunjung hari ini").last.click()
    page.get_by_role("link", name="Banten").click()
    page.get_by_role("link", name="Kota Tangerang", exact=False).last.click()
    expect(page.get_by_text("Puskesmas Melati")).to_be_visible()
    desk.check()
    desk.close()
