"""What is left on a telephone after its owner was erased: nothing. And what one says that can keep nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.portal.conftest import Gate
from tests.portal.telephone import NOTIFIED, READY, Posters, Telephone, claimed, fill
from tests.portal.visiting import execute

NOTHING: dict[str, list[object]] = {"devices": [], "scans": [], "places": []}
LEFT = """async () => {
  const names = await caches.keys();
  const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  const posters = kept.flat().filter(({ url }) => url.includes("v1."));
  return [sessionStorage.length, localStorage.length, posters.length];
}"""


@pytest.fixture(scope="module")
def posters(gate: Gate) -> Posters:
    return Posters(gate)


@pytest.fixture
def phone(browser: Browser, gate: Gate) -> Iterator[Telephone]:
    telephone = Telephone(browser, gate, permissions=["notifications"])
    yield telephone
    telephone.close()


def check_in(page: Page, posters: Posters) -> None:
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Anda sudah masuk")).to_be_visible()


def erase(page: Page) -> None:
    page.get_by_role("link", name="Data saya").first.click()
    page.get_by_role("button", name="Hapus data saya").click()
    page.get_by_role("button", name="Ya, hapus").click()
    expect(page.get_by_role("heading", level=1, name="Data Anda sudah dihapus")).to_be_visible()


def test_nobody_is_reminded_of_a_visit_that_was_erased_and_no_place_is_left(posters: Posters, phone: Telephone) -> None:
    page = phone.page
    page.clock.install()
    claimed(phone)
    assert page.evaluate(READY) == "activated"
    check_in(page, posters)
    page.get_by_role("button", name="Selesai").click()
    expect(page.get_by_role("heading", name="Anda di RSUD Kenanga")).to_be_visible()
    erase(page)
    assert phone.kept() == NOTHING
    assert page.evaluate(LEFT) == [0, 0, 0]
    page.clock.fast_forward("05:00:00")
    page.wait_for_timeout(300)
    assert page.evaluate(NOTIFIED) == []
    phone.check()
    page.get_by_role("button", name="Selesai").click()
    expect(page.get_by_text("Data diri belum diisi.")).to_be_visible()
    assert page.evaluate("['Kenanga', 'Ani Wijaya'].filter((one) => document.body.textContent.includes(one))") == []


def test_what_is_on_its_way_when_somebody_is_erased_comes_back_to_nothing(
    gate: Gate, browser: Browser, posters: Posters
) -> None:
    phone = Telephone(browser, gate, service_workers="block")  # else what is sent cannot be held back here
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    expect(page.get_by_role("button", name="Masuk", exact=True)).to_be_visible()
    held: list[Route] = []
    page.route("**/visitor/scans", lambda route: held.append(route))  # noqa: PLW0108 — Playwright marks it, which no built-in lets it
    page.get_by_role("button", name="Masuk", exact=True).click()
    page.get_by_role("link", name="Data saya").click()
    page.get_by_role("button", name="Hapus data saya").click()
    with page.expect_response("**/visitor/erase"):
        page.get_by_role("button", name="Ya, hapus").click()
    (on_its_way,) = held
    with page.expect_response("**/visitor/scans"):
        on_its_way.continue_()
    expect(page.get_by_role("heading", level=1, name="Data Anda sudah dihapus")).to_be_visible()
    page.wait_for_timeout(300)
    assert phone.kept() == NOTHING
    phone.close()


def test_a_telephone_that_the_server_does_not_know_any_more_can_be_erased_or_filled_in_again(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    check_in(page, posters)
    for do in ("again", "erase"):
        (device,) = phone.kept()["devices"]
        execute(gate, "delete from visitor_device where device_id = %s", device["deviceId"])
        page.goto("/q")
        page.get_by_role("link", name="Data saya").first.click()
        expect(page.get_by_text("Server tidak mengenal ponsel ini lagi.")).to_be_visible()
        if do == "again":
            page.get_by_role("button", name="Isi data diri").click()
            fill(page)
            page.get_by_role("button", name="Simpan").click()
            expect(page.get_by_text("Atas nama Ani Wijaya, belum dibuktikan.")).to_be_visible()
    erase(page)
    assert phone.kept() == NOTHING


def test_scans_of_nobody_can_be_erased_too(posters: Posters, phone: Telephone) -> None:
    page = phone.page
    page.goto("/q")
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Isi data diri saat ada sinyal")).to_be_visible()
    erase(page)
    assert phone.kept() == NOTHING
    phone.find_signal()


@pytest.mark.parametrize(
    "missing",
    [
        "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })",
        "IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError'); }",
    ],
)
def test_a_browser_that_keeps_nothing_says_so_and_names_another_way(
    posters: Posters, phone: Telephone, missing: str
) -> None:
    phone.context.add_init_script(missing)
    page = phone.page
    for path in ("/q", posters.entrance):
        page.goto(path)
        expect(page.get_by_text("Peramban ini tidak dapat menyimpan identitas Anda")).to_be_visible()
        expect(page.locator("[data-view=plain]")).to_contain_text("Tidak bisa? Temui petugas di pintu")
        phone.check()


def test_a_key_that_cannot_be_kept_is_said_in_the_form_and_a_scan_that_cannot_above_the_page(
    posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    expect(page.get_by_role("button", name="Masuk", exact=True)).to_be_visible()
    page.evaluate("IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }; 0")
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Ada yang gagal di ponsel ini.")).to_be_visible()
    page.goto("/q#isi-data")
    page.reload()
    page.evaluate("IDBObjectStore.prototype.put = () => { throw new DOMException('no keys', 'DataCloneError'); }; 0")
    fill(page)
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("alert").filter(has_text="Peramban ini tidak dapat menyimpan")).to_be_visible()
    assert len(phone.kept()["devices"]) == 1
    phone.faults.clear()  # the browser's own words about the scan
