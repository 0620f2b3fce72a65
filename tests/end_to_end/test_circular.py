"""The ministry's circular from its first line to its last, as people do it, in browsers, on the whole installation.

With PICTURES=1 it draws `docs/guides/circular.md`: docs/images/portal/alur-….png.
"""

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyotp
import pypdfium2
import pytest
import zxingcpp
from playwright.sync_api import Browser, Page, expect

from ops.services import gate_url
from ops.store import OPERATOR, transaction
from portal.accounts.accounts import CODE_STEP_S, invite
from tests.end_to_end.house import ZONE, House
from tests.portal.browser import DESK, PHONE, SCREENSHOTS, TOO_WIDE, Watched, running_browser, set_password
from tests.portal.telephone import fill
from tests.portal.test_accounts import GOOD
from tests.portal.test_officer import new_nik
from tests.portal.test_officer_pages import Keys, ready
from tests.portal.test_registration import form as application

NAME = "RSUD Melati"
MANAGER, OFFICER, VERIFIER = "pengelola@contoh.go.id", "petugas@contoh.go.id", "verifikator@contoh.go.id"
TANGERANG = {"province": "36", "district": "36.71", "sub_district": "36.71.01"}
JAYAPURA = {"province": "91", "district": "91.71", "sub_district": "91.71.02"}
JAYAPURA |= {"latitude": "-2.5567", "longitude": "140.7037"}
LONGEST = timedelta(minutes=30)  # that the walk takes
TYPED = ("licence", "address", "latitude", "longitude", "responsible", "email", "phone", "capacity")


class Town:
    """The installation, and everybody's browser."""

    def __init__(self, house: House, browser: Browser) -> None:
        self.house = house
        self.url = gate_url(house.settings)
        self._browser = browser
        self.watched: list[Watched] = []

    def at_desk(self) -> Watched:
        """Return somebody's browser at a desk."""
        return self._opened(Watched(self._browser, self.url, DESK, timezone_id=ZONE))

    def with_phone(self) -> Watched:
        """Return a visitor's telephone."""
        return self._opened(Watched(self._browser, self.url, PHONE, timezone_id=ZONE, is_mobile=True, has_touch=True))

    def _opened(self, watched: Watched) -> Watched:
        self.watched.append(watched)
        return watched


@pytest.fixture
def town(house: House) -> Iterator[Town]:
    with running_browser() as browser:
        town = Town(house, browser)
        yield town
        for one in town.watched:
            one.close()


def test_the_ministrys_circular_is_walked_from_the_application_to_the_counts(town: Town) -> None:
    applicant = town.at_desk()
    standing = a_facility_applies(applicant)
    verifier, secret = a_verifier_is_given_an_account(town)
    the_verifier_signs_in_with_a_code(verifier, secret)
    facility_id = the_verifier_approves(verifier, applicant, standing)

    manager = town.at_desk()
    the_link_in_the_letter_is_opened(manager, MANAGER, picture="alur-04-surat-aktivasi")
    the_manager_keeps_the_details(manager)
    entrance, exit_ = the_manager_makes_gates_and_prints_posters(manager)
    assert entrance.startswith(f"{town.url}/q/")
    assert exit_.startswith(f"{town.url}/q/")

    phone = town.with_phone()
    a_visitor_says_who_he_is_and_checks_in(phone, entrance)

    the_manager_invites_an_officer(manager)
    officer = town.at_desk()
    the_link_in_the_letter_is_opened(officer, OFFICER)
    the_officer_lets_in_and_out_who_has_no_phone(officer)

    the_visitor_checks_out(phone, exit_)
    both_visits_have_both_ends(town.house, facility_id)
    the_manager_sees_the_counts_and_what_was_entered_by_hand(manager)
    assert [one.faults for one in town.watched] == [[]] * 5


def a_facility_applies(applicant: Watched) -> str:
    """Fill in the public form; return where the application stands."""
    page = applicant.page
    given = application(
        name=NAME,
        kind="hospital",
        owner="government",
        licence="SIK/0417/2026",
        email=MANAGER,
        capacity="60",
        **where_today_lasts(datetime.now(UTC)),
    )
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Daftarkan fasyankes").click()
    page.get_by_label("Nama fasyankes").fill(given["name"])
    page.get_by_label("Jenis").select_option(given["kind"])
    page.get_by_label("Kepemilikan").select_option(given["owner"])
    for field in TYPED:
        page.locator(f"#{field}").fill(given[field])
    for region, inside in (("province", "district"), ("district", "sub_district")):
        page.locator(f"#{region}").select_option(given[region])
        page.locator(f"#{inside} option[value='{given[inside]}']").wait_for(state="attached")
    page.locator("#sub_district").select_option(given["sub_district"])
    page.get_by_label("Buka 24 jam").check()
    applicant.picture("alur-01-pendaftaran")
    page.get_by_role("button", name="Kirim").click()
    expect(page.get_by_text("Menunggu verifikasi")).to_be_visible()
    return page.url


def where_today_lasts(now: datetime) -> dict[str, str]:
    """Return a region whose day does not end on the way: its pages tell of today, in its own time zone."""
    here = now.astimezone(ZoneInfo("Asia/Jakarta"))
    return TANGERANG if (here + LONGEST).date() == here.date() else JAYAPURA


def a_verifier_is_given_an_account(town: Town) -> tuple[Watched, str]:
    """The operator invites a verifier, who sets password and second factor; return browser and secret."""
    verifier = town.at_desk()
    with transaction(town.house.settings, OPERATOR) as conn:
        invite(conn, email=VERIFIER, name="Ratna Dewi", role="ministry", url=town.url)
    the_link_in_the_letter_is_opened(verifier, VERIFIER)
    secret = verifier.page.locator("#letters").inner_text().replace(" ", "")
    verifier.page.get_by_label("Kode enam angka").fill(pyotp.TOTP(secret).now())
    verifier.page.keyboard.press("Enter")
    expect(verifier.page.get_by_role("heading", name="Verifikasi fasyankes")).to_be_visible()
    verifier.page.get_by_role("button", name="Keluar", exact=True).click()
    expect(verifier.page).to_have_url(re.compile(r"/masuk$"))
    return verifier, secret


def the_verifier_signs_in_with_a_code(verifier: Watched, secret: str) -> None:
    page = verifier.page
    page.get_by_label("Alamat email").fill(VERIFIER)
    page.get_by_label("Kata sandi").fill(GOOD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Kode verifikasi")).to_be_visible()
    verifier.picture("alur-02-kode")
    page.get_by_label("Kode enam angka").fill(pyotp.TOTP(secret).at(int(time.time()) + CODE_STEP_S))  # none twice
    page.keyboard.press("Enter")


def the_verifier_approves(verifier: Watched, applicant: Watched, standing: str) -> str:
    """Approve, as the applicant sees; return the facility's id."""
    page = verifier.page
    page.get_by_role("link", name=NAME).click()
    expect(page.get_by_text("Tidak ditemukan fasyankes yang mirip.")).to_be_visible()
    verifier.picture("alur-03-verifikasi")
    page.get_by_role("button", name="Setujui").click()
    expect(page.get_by_text("Terverifikasi")).to_be_visible()
    applicant.page.goto(standing)
    expect(applicant.page.get_by_text("Terverifikasi")).to_be_visible()
    return applicant.page.get_by_text(re.compile(r"^F(3671|9171)\d{5}$")).inner_text()


def the_link_in_the_letter_is_opened(somebody: Watched, address: str, picture: str = "") -> None:
    """Open the activation link of an address in the outbox, and set a password."""
    page = somebody.page
    page.goto("/kotak-keluar")
    letters = page.get_by_role("article").filter(has_text=address)
    letter = letters.filter(has=page.get_by_role("heading", name="Aktifkan akun Jejak Anda"))
    if picture:
        somebody.picture(picture)
    letter.get_by_role("link").click()
    set_password(page, GOOD)
    expect(page.get_by_role("button", name="Simpan dan masuk")).to_be_hidden()


def the_manager_keeps_the_details(manager: Watched) -> None:
    page = manager.page
    expect(page.get_by_role("heading", level=1, name=NAME)).to_be_visible()
    page.get_by_role("link", name="Data faskes", exact=True).click()
    page.get_by_label("Kapasitas").fill("80")
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("status")).to_have_text("Data sudah disimpan.")
    manager.picture("alur-05-data-faskes")


def the_manager_makes_gates_and_prints_posters(manager: Watched) -> tuple[str, str]:
    """Return the links that a phone reads from the entrance's and the exit's sheet."""
    page = manager.page
    page.get_by_role("link", name="Pintu & poster").click()
    page.get_by_role("button", name="Buat pintu masuk dan keluar utama").click()
    expect(page.get_by_role("link", name="Pintu utama", exact=True)).to_have_count(2)
    manager.picture("alur-06-pintu")
    return printed(page, "Masuk", "alur-07-poster-masuk"), printed(page, "Keluar", "alur-08-poster-keluar")


def printed(page: Page, way: str, picture: str) -> str:
    """Download a gate's sheet; return what its QR code holds."""
    with page.expect_download() as loading:
        page.get_by_role("link", name=f"Cetak A4: {way} Pintu utama").click()
    sheet = pypdfium2.PdfDocument(loading.value.path())[0]
    if os.environ.get("PICTURES"):
        sheet.render(scale=0.9).to_pil().save(SCREENSHOTS / f"{picture}.png", optimize=True)
    (code,) = zxingcpp.read_barcodes(sheet.render(scale=2).to_pil())
    return str(code.text)


def a_visitor_says_who_he_is_and_checks_in(phone: Watched, entrance: str) -> None:
    page = phone.page
    page.goto(entrance)
    expect(page.get_by_role("heading", level=1, name="Siapa Anda?")).to_be_visible()
    fill(page)
    phone.picture("alur-09-ponsel-data-diri")
    page.get_by_role("button", name="Simpan").tap()
    expect(page.get_by_role("heading", level=1, name=NAME)).to_be_visible()
    phone.picture("alur-10-ponsel-di-pintu")
    page.get_by_role("button", name="Masuk", exact=True).tap()
    expect(page.get_by_role("heading", level=1, name="Anda sudah masuk")).to_be_visible()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    phone.picture("alur-11-ponsel-sudah-masuk")
    assert page.evaluate(TOO_WIDE) == []


def the_manager_invites_an_officer(manager: Watched) -> None:
    page = manager.page
    page.get_by_role("link", name="Petugas", exact=True).click()
    page.get_by_label("Nama", exact=True).fill("Joko Susilo")
    page.get_by_label("Alamat email").fill(OFFICER)
    page.get_by_label("Peran").select_option("officer")
    page.get_by_role("button", name="Kirim undangan").click()
    expect(page.get_by_role("row").filter(has_text=OFFICER)).to_contain_text("Diundang")
    manager.picture("alur-12-petugas-diundang")


def the_officer_lets_in_and_out_who_has_no_phone(officer: Watched) -> None:
    """By keyboard alone."""
    page, keys, nik = officer.page, Keys(officer.page), new_nik()
    ready(page)
    keys.type(nik)
    keys.press("Enter")
    keys.type("Slamet Riyadi")
    keys.press("Enter")
    expect(page.locator("#action strong")).to_have_text("Periksa")
    keys.press("Alt+l")
    officer.picture("alur-13-petugas-memeriksa")
    keys.press("Alt+a")
    expect(page.locator("#rows .state.good")).to_have_count(1)
    keys.press("Alt+k")
    keys.type(nik)
    keys.press("Enter")
    expect(page.locator("#rows .state.good")).to_have_count(2)
    officer.picture("alur-14-petugas-keluar")


def the_visitor_checks_out(phone: Watched, exit_: str) -> None:
    page = phone.page
    page.goto(exit_)
    page.get_by_role("button", name="Keluar", exact=True).tap()
    expect(page.get_by_role("heading", level=1, name="Anda sudah keluar")).to_be_visible()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    phone.picture("alur-15-ponsel-sudah-keluar")


def both_visits_have_both_ends(house: House, facility_id: str) -> None:
    """Wait for the fold: two persons, each seen coming and going."""
    ended = (
        "select person, check_in < check_out, check_in_estimated, check_out_estimated"
        " from every_visit join facility on facility_no = key >> 3 where facility_id = %s"
    )
    house.wait_until(lambda: [row[1:] for row in house.ask(ended, facility_id)] == [(True, False, False)] * 2)
    assert len({row[0] for row in house.ask(ended, facility_id)}) == 2
    assert house.ask(
        "select sum(arrivals)::int, sum(departures)::int, sum(manual)::int, sum(flagged)::int"
        " from facility_hour join facility using (facility_no) where facility_id = %s",
        facility_id,
    ) == [(2, 2, 2, 0)]


def the_manager_sees_the_counts_and_what_was_entered_by_hand(manager: Watched) -> None:
    page = manager.page
    page.get_by_role("link", name="Ringkasan").click()
    for name, number in (("inside", "0"), ("arrivals", "2"), ("departures", "2"), ("manual", "2"), ("flagged", "0")):
        expect(page.locator(f"[data-live={name}]")).to_have_text(number)
    expect(page.get_by_text("dari kapasitas 80 orang")).to_be_visible()
    expect(page.locator(".chart canvas")).to_have_count(2)
    manager.picture("alur-16-ringkasan")
    page.get_by_role("link", name="Entri manual").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="KTP dilihat petugas")).to_have_count(1)
    expect(rows.locator(".state")).to_have_text(["Keluar", "Masuk"])  # the latest first
    expect(page.get_by_text("Slamet")).to_have_count(0)
    manager.picture("alur-17-entri-manual")
