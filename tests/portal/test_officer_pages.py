"""The officer's desk in a real browser: by keyboard alone, without a signal, on a telephone, in both languages."""

import json
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from ops.store import OPERATOR, transaction
from portal.store import put_facility
from tests.portal.browser import DESK, PHONE, TOO_WIDE, Watched, set_password
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.test_accounts import GOOD, invited
from tests.portal.test_officer import certified, new_nik, scans_of  # noqa: F401 — certified is a fixture

STROKES_MAX = 45  # for a NIK of 16 digits and a name of twelve letters; three a second are 15 s
JAKARTA = ZoneInfo("Asia/Jakarta")
STORED = """async () => { const open = indexedDB.open('jejak-officer'); await new Promise(r => open.onsuccess = r);
const all = open.result.transaction('entries').objectStore('entries').getAll();
await new Promise(r => all.onsuccess = r);
return all.result.map(one => JSON.stringify({...one, sealed: new TextDecoder('latin1').decode(one.sealed)})); }"""


class Keys:
    """A keyboard, and how often its keys were struck."""

    def __init__(self, page: Page) -> None:
        self._keyboard = page.keyboard
        self.strokes = 0

    def type(self, text: str) -> None:
        self._keyboard.type(text)
        self.strokes += len(text)

    def press(self, *names: str) -> None:
        for name in names:
            self._keyboard.press(name)
            self.strokes += 1


@pytest.fixture(scope="module")
def clinic(gate: Gate) -> str:
    facility_id = f"F3671{secrets.randbelow(90_000) + 10_000}"
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, replace(FACILITIES[0], facility_id=facility_id, name="RSUD Kenanga"))
        with conn.cursor() as cur:
            cur.execute(
                "insert into zone select facility_no, n, k from facility, unnest(%s, %s) as z (n, k)"
                " where facility_id = %s",
                (["IGD", "Ambulans 118"], ["emergency", "ambulance"], facility_id),
            )
    return facility_id


def at_desk(
    browser: Browser,
    gate: Gate,
    facility_id: str,
    size: dict[str, int],
    role: str = "officer",
    name: str = "Ani Wijaya",
) -> Watched:
    _, link = invited(gate, role, name, facilities=[facility_id])
    watched = Watched(browser, gate.url, size)
    page = watched.page
    page.goto(link)
    set_password(page, GOOD)
    if role != "officer":
        page.get_by_role("link", name="Meja petugas").click()
    ready(page)
    return watched


def ready(page: Page) -> None:
    expect(page.locator("#desk[data-ready]")).to_be_visible()


def first_row(page: Page) -> str:
    return " ".join(page.locator("#rows tr").first.inner_text().split())


def scan_ids(page: Page) -> list[str]:
    return [re.search(r'"id":"([0-9a-f-]{36})"', one)[1] for one in page.evaluate(STORED)]  # type: ignore[index]  # it has one


def test_a_visitor_without_a_phone_is_let_in_by_keyboard_alone_in_under_15_seconds(
    gate: Gate,
    browser: Browser,
    clinic: str,
    certified: str,  # noqa: F811 — the fixture
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page, keys = desk.page, Keys(desk.page)
    expect(page.locator("#number")).to_be_focused()
    desk.check()
    began_s = time.monotonic()
    keys.type(certified)
    keys.press("Enter")
    keys.type("Siti Aminah")
    keys.press("Enter")
    expect(page.locator("#action strong")).to_have_text("Boleh masuk")
    expect(page.locator("#admit")).to_be_focused()
    desk.check()
    desk.picture("petugas-boleh-masuk")
    keys.press("Enter")
    expect(page.locator("#rows .state")).to_have_text("Terkirim")
    took_s = time.monotonic() - began_s
    assert keys.strokes <= STROKES_MAX
    assert took_s < 15
    expect(page.locator("#number")).to_be_focused()
    expect(page.locator("#number")).to_have_value("")
    expect(page.locator("#decision")).to_be_hidden()
    assert "Siti Aminah" in page.locator("#said").inner_text()
    (scan_id,) = scan_ids(page)
    assert scans_of(gate, scan_id)[scan_id].admitted
    desk.close()


def test_somebody_nobody_knows_is_checked_and_sent_to_triage_with_a_reason(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page, keys = desk.page, Keys(desk.page)
    keys.type(new_nik())
    keys.press("Enter")
    keys.type("Budi Santoso")
    keys.press("Enter")
    expect(page.locator("#action strong")).to_have_text("Periksa")
    expect(page.locator("#saw")).to_be_focused()
    keys.press("Space", "Alt+t")
    expect(page.locator("#reason")).to_be_focused()
    keys.press("ArrowDown", "ArrowDown", "Enter")
    expect(page.locator("#words")).to_be_focused()
    keys.type("batuk")
    desk.check()
    desk.picture("petugas-triase")
    keys.press("Enter")
    expect(page.locator("#rows .state")).to_have_text("Terkirim")
    assert "Ke triase" in first_row(page)
    (scan_id,) = scan_ids(page)
    scan = scans_of(gate, scan_id)[scan_id]
    assert (scan.admitted, scan.refused_reason, scan.assurance.value) == (
        False,
        "Keluhan saat datang: batuk",
        "officer_saw_id",
    )
    desk.close()


def test_what_is_wrong_is_said_beside_its_field_and_escape_begins_again(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page, keys = desk.page, Keys(desk.page)
    keys.press("Enter")
    expect(page.locator("#number-wrong")).to_have_text("Harus diisi.")
    keys.type("12345")
    keys.press("Enter")
    expect(page.locator("#number-wrong")).to_have_text("NIK terdiri atas 16 angka.")
    keys.press("Escape")
    keys.type("9999995508900001")
    keys.press("Enter")
    keys.type("Budi")
    keys.press("Enter")
    expect(page.locator("#number-wrong")).to_have_text("Nomor ini tidak mungkin benar. Periksa lagi.")
    expect(page.locator("#number")).to_be_focused()
    desk.check()
    keys.press("Escape")
    expect(page.locator("#number")).to_have_value("")
    expect(page.locator("#number-wrong")).to_be_hidden()
    desk.close()


def entered(page: Page, nik: str, name: str) -> None:
    """Enter somebody by keyboard, whatever the registry says."""
    keys = Keys(page)
    page.locator("#number").focus()
    keys.type(nik)
    keys.press("Enter")
    keys.type(name)
    keys.press("Enter")
    expect(page.locator("#decision")).to_be_visible()
    keys.press("Alt+a")
    expect(page.locator("#decision")).to_be_hidden()


def test_without_a_signal_entries_wait_sealed_and_go_by_themselves_with_their_own_time(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, PHONE)
    page, nik = desk.page, new_nik()
    desk.context.set_offline(True)
    before = datetime.now(UTC)
    page.locator("#number").focus()
    keys = Keys(page)
    keys.type(nik)
    keys.press("Enter")
    keys.type("Rina Hartati")
    keys.press("Enter")
    expect(page.locator("#action strong")).to_have_text("Periksa — sistem tidak menjawab")
    keys.press("Alt+l", "Alt+a")
    expect(page.locator("#rows .state")).to_have_text("Menunggu")
    after = datetime.now(UTC)
    entered(page, new_nik(), "Joko")
    expect(page.locator("#queue")).to_have_text("2 entri menunggu sinyal dan terkirim sendiri.")
    page.keyboard.press("Alt+k")
    page.keyboard.type(nik)
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(3)
    stored = "".join(page.evaluate(STORED))
    assert nik not in stored
    assert "Rina" not in stored
    assert page.evaluate(TOO_WIDE) == []
    desk.picture("petugas-tanpa-sinyal")
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in desk.faults)
    desk.faults.clear()
    desk.check()
    time.sleep(1.5)
    ids = scan_ids(page)
    desk.context.set_offline(False)
    expect(page.locator("#rows .state.good")).to_have_count(3)
    expect(page.locator("#queue")).to_have_text("Semua terkirim.")
    scans = sorted(scans_of(gate, *ids).values(), key=lambda one: one.scan_id)
    assert before - timedelta(seconds=1) <= scans[0].at <= after
    assert scans[0].received_at - scans[0].at > timedelta(seconds=1)
    assert [one.gate.value for one in scans] == ["entrance", "entrance", "exit"]
    assert [one.assurance.value for one in scans[:2]] == ["officer_saw_id", "self"]
    assert scans[0].person_id == scans[2].person_id
    desk.close()


def test_a_503_loses_nothing(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page, refused = desk.page, list[int]()

    def refuse(route: Route) -> None:
        refused.append(1)
        route.fulfill(status=503, headers={"retry-after": "1"}, json={"error": "unavailable"})

    page.route("**/meja/entri", refuse)
    entered(page, new_nik(), "Tono")
    expect(page.locator("#rows .state")).to_have_text("Menunggu")
    page.wait_for_timeout(2_500)
    page.reload()
    ready(page)
    expect(page.locator("#rows .state")).to_have_text("Menunggu")
    assert len(refused) >= 2
    page.unroute("**/meja/entri")
    expect(page.locator("#rows .state")).to_have_text("Terkirim", timeout=20_000)
    (scan_id,) = scan_ids(page)
    scans_of(gate, scan_id)
    desk.close()


def test_signing_out_takes_everything_away_but_asks_first_while_something_waits(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page, asked = desk.page, list[str]()
    page.route("**/meja/entri", lambda route: route.fulfill(status=503, json={}))
    entered(page, new_nik(), "Wati")
    expect(page.locator("#rows .state")).to_have_text("Menunggu")

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("button", name="Keluar", exact=True).first.click()
    page.wait_for_timeout(300)
    assert asked == ["1 entri belum terkirim dan akan hilang. Tetap keluar dari akun?"]
    assert len(scan_ids(page)) == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Keluar", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/masuk$"))
    assert scan_ids(page) == []
    desk.close()


def test_what_waits_opens_to_nobody_else_and_comes_back_after_signing_in_again(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page = desk.page
    email = page.locator("#sign-out").get_attribute("data-account")
    page.route("**/meja/entri", lambda route: route.fulfill(status=503, json={}))
    entered(page, new_nik(), "Wati")
    expect(page.locator("#rows tr")).to_have_count(1)
    desk.context.clear_cookies()
    page.unroute("**/meja/entri")
    expect(page.locator("#trouble")).to_contain_text("Sesi Anda sudah berakhir", timeout=20_000)
    _, link = invited(gate, "officer", facilities=[clinic])
    page.goto(link)
    set_password(page, GOOD)
    ready(page)
    assert page.locator("#sign-out").get_attribute("data-account") != email
    expect(page.locator("#none")).to_be_visible()
    assert len(scan_ids(page)) == 1
    desk.close()


def aged(page: Page, days: float) -> None:
    """Let what is stored on the device be so much older."""
    page.evaluate(
        """async (days) => { const open = indexedDB.open('jejak-officer'); await new Promise(r => open.onsuccess = r);
        const entries = open.result.transaction('entries', 'readwrite').objectStore('entries'), all = entries.getAll();
        await new Promise(r => all.onsuccess = r);
        for (const one of all.result) entries.put({...one, made: one.made - days * 24 * 3600 * 1000}); }""",
        days,
    )


def test_what_was_sent_goes_after_a_day_and_what_was_not_after_a_week(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page = desk.page
    entered(page, new_nik(), "Rina")
    expect(page.locator("#rows .state")).to_have_text("Terkirim")
    page.route("**/meja/entri", lambda route: route.fulfill(status=503, json={}))
    entered(page, new_nik(), "Wati")
    expect(page.locator("#rows tr")).to_have_count(2)
    for days, left in ((1.1, 1), (5, 1), (1, 0)):
        aged(page, days)
        page.reload()
        ready(page)
        expect(page.locator("#rows tr")).to_have_count(left)
    expect(page.locator("#trouble")).to_contain_text("1 entri tidak terkirim selama 7 hari")
    assert scan_ids(page) == []
    desk.close()


def test_what_waited_over_a_reload_and_the_end_of_the_session_goes_once_the_same_officer_is_back(
    gate: Gate, browser: Browser, clinic: str
) -> None:
    email, link = invited(gate, "officer", facilities=[clinic])
    desk = Watched(browser, gate.url, DESK)
    page, began = desk.page, datetime.now(UTC)
    page.goto(link)
    set_password(page, GOOD)
    ready(page)
    page.route("**/meja/entri", lambda route: route.abort())
    entered(page, new_nik(), "Wati")
    expect(page.locator("#rows .state")).to_have_text("Menunggu")
    aged(page, 1.5)
    desk.context.clear_cookies()
    page.reload()
    expect(page).to_have_url(re.compile(r"/masuk"))
    page.unroute("**/meja/entri")
    page.get_by_label("Alamat email").fill(email)
    page.get_by_label("Kata sandi").fill(GOOD)
    with page.expect_request("**/meja/entri") as request:
        page.get_by_role("button", name="Masuk", exact=True).click()
    (late,) = json.loads(request.value.post_data or "")["entries"]
    assert late["why_late"] == "Menunggu sinyal; terkirim sendiri kemudian"
    expect(page.locator("#rows .state")).to_have_text("Terkirim", timeout=20_000)
    (scan_id,) = scan_ids(page)
    assert scans_of(gate, scan_id)[scan_id].at >= began
    desk.close()


def test_a_ride_is_one_group_and_who_came_in_leaves_from_the_list(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page = desk.page
    page.locator("#place").select_option("IGD")
    page.keyboard.press("Alt+g")
    expect(page.locator("#riders")).to_have_text("Satu kendaraan: 0 orang. Matikan setelah orang terakhir.")
    keys = Keys(page)
    keys.press("Alt+m")
    keys.type(new_nik())
    keys.press("Enter")
    keys.type("Pasien")
    keys.press("Enter")
    expect(page.locator("#decision")).to_be_visible()
    keys.press("Alt+a")
    expect(page.locator("#trouble")).to_have_text("Pilih pintu masuk atau zona ambulans.")
    page.locator("#place").select_option("Ambulans 118")
    keys.press("Alt+a")
    expect(page.locator("#riders")).to_contain_text("1 orang")
    page.locator("#role").select_option("crew")
    entered(page, new_nik(), "Awak")
    expect(page.locator("#riders")).to_contain_text("2 orang")
    desk.check()
    desk.picture("petugas-rombongan")
    keys.press("Alt+g")
    expect(page.locator("#rows .state.good")).to_have_count(2)
    scans = list(scans_of(gate, *scan_ids(page)).values())
    assert len({one.group_id for one in scans}) == 1
    assert scans[0].group_id
    assert {(one.zone, one.role.value) for one in scans} == {("Ambulans 118", "visitor"), ("Ambulans 118", "crew")}
    keys.press("Alt+j", "Enter")
    expect(page.locator("#rows .state.good")).to_have_count(3)
    assert "Keluar" in first_row(page)
    expect(page.locator("#rows button")).to_have_count(1)
    out = scans_of(gate, scan_ids(page)[-1])
    assert {(one.gate.value, one.group_id) for one in out.values()} == {("exit", "")}
    desk.close()


def test_a_late_entry_waits_for_another_officer(gate: Gate, browser: Browser, clinic: str) -> None:
    desk = at_desk(browser, gate, clinic, DESK)
    page = desk.page
    page.get_by_text("Waktu lain (entri susulan)").click()
    when = datetime.now(JAKARTA) - timedelta(hours=40)
    page.locator("#when").fill(f"{when:%Y-%m-%dT%H:%M}")
    page.locator("#number").fill(new_nik())
    page.locator("#name").fill("Agus")
    page.keyboard.press("Enter")
    expect(page.locator("#decision")).to_be_visible()
    page.keyboard.press("Alt+a")
    expect(page.locator("#why-late-wrong")).to_have_text("Harus diisi.")
    page.keyboard.type("listrik padam")
    page.keyboard.press("Alt+a")
    expect(page.locator("#rows .state")).to_have_text("Menunggu orang kedua")
    page.get_by_role("link", name="Entri susulan").click()
    expect(page.get_by_text("menunggu orang lain")).to_be_visible()
    desk.check()
    manager = at_desk(browser, gate, clinic, PHONE, "manager", "Dewi Lestari")
    manager.page.get_by_role("link", name="Entri susulan").click()
    manager.check()
    manager.picture("petugas-susulan")
    assert manager.page.evaluate(TOO_WIDE) == []
    manager.page.get_by_role("row").filter(has_text="listrik padam").get_by_role("button", name="Setujui").click()
    expect(manager.page.get_by_text("Disetujui", exact=True)).to_be_visible()
    (scan_id,) = scan_ids(page)
    assert scans_of(gate, scan_id)[scan_id].at == when.replace(second=0, microsecond=0)
    desk.close()
    manager.close()


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_of_the_desk_can_be_used_by_everybody_on_a_small_telephone(
    gate: Gate, browser: Browser, clinic: str, language: str
) -> None:
    phone = at_desk(browser, gate, clinic, PHONE)
    page = phone.page
    if language == "en":
        page.get_by_role("button", name="English").click()
    for tail in ("", "/susulan", "/ponsel"):
        page.goto(f"/faskes/{clinic}/meja{tail}")
        assert page.locator("html").get_attribute("lang") == language
        phone.check()
        assert page.evaluate(TOO_WIDE) == [], tail
        if language == "id":
            phone.picture(f"petugas-meja{tail.replace('/', '-')}")
    phone.close()
