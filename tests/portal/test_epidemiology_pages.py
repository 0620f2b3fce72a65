"""An epidemiologist's pages in a real browser: by keyboard, on a telephone, with pictures and a sandboxed report."""

import pytest
from playwright.sync_api import Browser, expect

from tests.portal.browser import DESK, PHONE, TOO_WIDE
from tests.portal.conftest import Gate
from tests.portal.members import Member
from tests.portal.test_results_and_traces import add_case
from tests.tracing.ward import Town, positive, somebody

CASE = somebody(901)


@pytest.fixture(scope="module")
def case_id(gate: Gate) -> str:
    """A case with two days of meetings, some of second degree."""
    town = Town(gate.settings)
    town.stay(CASE, "RS-1", "2026-11-09 08:00", "2026-11-09 12:00", role="inpatient")
    town.stay(CASE, "PKM-1", "2026-11-10 08:00", "2026-11-10 09:30")
    for number in range(8):
        person = somebody(902 + number)
        town.stay(person, "RS-1", f"2026-11-09 08:{10 + number * 3}", f"2026-11-09 {10 + number % 2}:{10 + number}")
        if number in {0, 4}:
            town.stay(person, "PKM-1", "2026-11-10 08:20", "2026-11-10 09:20", check_out_estimated=True)
            town.stay(person, "PKM-2", "2026-11-13 08:00", "2026-11-13 10:00")
    for number in range(3):
        town.stay(somebody(930 + number), "PKM-2", f"2026-11-13 08:{10 + number}", "2026-11-13 09:40")
    town.take(positive(CASE))
    found = str(town.case(CASE)[0])
    town.close()
    return found


def test_from_a_case_number_to_a_decision_by_keyboard(gate: Gate, browser: Browser, case_id: str) -> None:
    desk = Member(gate, "epidemiologist", "36").in_browser(browser, DESK)
    page = desk.page
    page.goto("/beranda")
    expect(page.get_by_label("Nomor kasus")).to_be_focused()
    desk.check()
    page.keyboard.type(case_id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(case_id)
    expect(page.locator("main")).to_contain_text("08-11-2026 00:00 WIB – 25-11-2026 00:00 WIB")
    desk.check()
    desk.picture("pe-daftar")
    page.get_by_role("table").first.get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Putuskan")).to_be_visible()
    page.get_by_label("Bukan kontak erat: gugurkan").focus()
    page.keyboard.press("Space")
    page.get_by_label("Alasan keputusan").fill("tidak satu ruangan")
    desk.check()
    desk.picture("pe-kandidat")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Terkirim")
    desk.close()


def test_the_chain_is_drawn_and_the_package_is_downloaded(gate: Gate, browser: Browser, case_id: str) -> None:
    desk = Member(gate, "epidemiologist", "36").in_browser(browser, DESK)
    page = desk.page
    page.goto(f"/pelacakan/{case_id}")
    page.get_by_role("link", name="Gambar rantai dan lini masa").click()
    drawings = page.get_by_role("img").and_(page.locator(".drawing svg"))
    expect(drawings).to_have_count(2)
    assert page.locator(".drawing path.link").count() >= 2
    expect(page.locator(".drawing path.link").first).to_have_css("fill", "none")
    desk.check()
    desk.picture("pe-rantai")
    page.goto(f"/pelacakan/{case_id}")
    with page.expect_download() as loading:
        page.get_by_role("link", name="Unduh paket (ZIP)").click()
    assert loading.value.suggested_filename.startswith(case_id)
    page.get_by_role("link", name="Laporan", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Laporan pelacakan kontak")
    assert page.locator(".tile").first.evaluate("it => getComputedStyle(it).borderLeftWidth") == "4px"
    assert page.locator(".mark").first.evaluate("it => getComputedStyle(it).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert not desk.faults, desk.faults
    desk.picture("pe-laporan")
    desk.close()


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_can_be_used_by_everybody_on_a_small_telephone(
    gate: Gate, browser: Browser, case_id: str, language: str
) -> None:
    waiting = f"C-wait-{language}"
    add_case(gate, waiting, "36.71", "dr. Lain")
    phone = Member(gate, "epidemiologist", "36").in_browser(browser, PHONE)
    page = phone.page
    page.goto("/pelacakan")
    if language == "en":
        page.get_by_role("button", name="English").click()
    for path, name in (
        ("", "kasus"),
        (f"/{case_id}", "daftar"),
        (f"/{case_id}/gambar", "rantai"),
        (f"/{waiting}", "persetujuan"),
        ("/minta", "minta"),
    ):
        page.goto(f"/pelacakan{path}")
        assert page.locator("html").get_attribute("lang") == language
        phone.check()
        assert page.evaluate(TOO_WIDE) == [], path
        if language == "id" and name in {"daftar", "persetujuan", "minta"}:
            phone.picture(f"pe-{name}-ponsel")
    phone.close()
