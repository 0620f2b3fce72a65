"""Several people on one telephone: a mother brings her children; each has a key, a chain and visits of his own."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from schemas.events import Gate as Kind
from tests.portal import visiting
from tests.portal.conftest import Gate
from tests.portal.telephone import READY, Posters, Telephone, claimed, fill, new_nik, sent

MOTHER, SON, DAUGHTER = "Ani Wijaya", "Budi Wijaya", "Citra Wijaya"
SIX = f"{datetime.now(UTC) - timedelta(days=365 * 6):%Y-%m-%d}"


@pytest.fixture(scope="module")
def posters(gate: Gate) -> Posters:
    return Posters(gate)


@pytest.fixture
def phone(browser: Browser, gate: Gate) -> Iterator[Telephone]:
    telephone = Telephone(browser, gate)
    yield telephone
    telephone.close()


def bring(phone: Telephone, name: str, nik: str) -> None:
    """Add a child to the telephone of his mother, who stands in front of a gate."""
    page = phone.page
    page.get_by_role("link", name="Tambah orang").click()
    expect(page.get_by_role("heading", level=1, name="Siapa yang ikut?")).to_be_focused()
    fill(page, **{"Nomor dokumen": nik, "Nama lengkap": name, "Tanggal lahir": SIX})
    page.get_by_label("Tanggal lahir").blur()
    expect(page.get_by_label("Nama wali")).to_have_value(MOTHER)
    phone.check()
    page.get_by_label("Nomor telepon wali").fill("0812 3456 7890")
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("group", name="Siapa yang di sini?")).to_be_visible()


def test_a_mother_checks_in_with_two_children_and_leaves_with_one(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page, niks = phone.page, {SON: new_nik(), DAUGHTER: new_nik()}
    claimed(phone)
    page.goto(posters.entrance)
    expect(page.locator("#gate-who")).to_be_hidden()
    for name, nik in niks.items():
        bring(phone, name, nik)
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    assert [box.is_checked() for box in boxes.all()] == [True, False, False]
    expect(page.locator("#gate-people").get_by_text("Belum dibuktikan")).to_have_count(3)
    page.get_by_label(MOTHER).uncheck()
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Pilih siapa yang di sini.")).to_be_visible()
    assert phone.kept()["scans"] == []
    for name in (MOTHER, *niks):
        page.get_by_label(name).check()
    phone.check()
    phone.picture("kunjungan-keluarga")
    page.get_by_role("button", name="Masuk", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1, name="Anda sudah masuk")).to_be_visible()
    expect(page.get_by_text(", ".join((MOTHER, *niks)))).to_be_visible()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    phone.check()
    arrived = sent(phone, gate, 3)
    flagged = visiting.sent(gate, [{"scan_id": scan_id} for scan_id in arrived])
    assert [(scan.gate, scan.device_seq, flags) for scan, flags in flagged] == [(Kind.ENTRANCE, 1, [])] * 3
    different = [{getattr(scan, of) for scan in arrived.values()} for of in ("person_id", "device_id", "at")]
    assert [len(some) for some in different] == [3, 3, 1]
    children = {visiting.person_of(gate, nik) for nik in niks.values()}
    assert children < {scan.person_id for scan in arrived.values()}

    page.goto(posters.exit)
    for name in (MOTHER, *niks):
        expect(page.get_by_label(name)).to_be_checked()
    page.get_by_label(DAUGHTER).uncheck()
    page.get_by_role("button", name="Keluar", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Anda sudah keluar")).to_be_visible()
    sent(phone, gate, 5)
    page.get_by_role("button", name="Selesai").click()
    expect(page.get_by_role("heading", name="Anda di RSUD Kenanga")).to_have_count(1)
    expect(page.get_by_text(re.compile(f"{DAUGHTER} · Sejak"))).to_be_visible()
    phone.check()
    page.get_by_role("link", name="Riwayat").click()
    expect(page.get_by_text(re.compile("belum keluar"))).to_have_count(1)
    expect(page.get_by_text(re.compile(r"masuk \d\d.\d\d, keluar \d\d.\d\d"))).to_have_count(2)
    page.get_by_role("link", name="Kunjungan", exact=True).click()
    page.get_by_role("button", name=f"Keluar: {DAUGHTER}").click()
    expect(page.get_by_role("heading", level=1, name="Anda sudah keluar")).to_be_visible()
    last = sent(phone, gate, 6)
    assert (
        sorted((scan.gate, scan.device_seq) for scan in last.values())
        == [(Kind.ENTRANCE, 1)] * 3 + [(Kind.EXIT, 2)] * 3
    )


def test_without_signal_everybody_s_scans_wait_and_arrive_in_his_own_chain(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    bring(phone, SON, new_nik())
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    for path, button in ((posters.entrance, "Masuk"), (posters.exit, "Keluar")):
        page.goto(path)
        page.get_by_label(SON).check()
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_text("Tersimpan di ponsel.")).to_be_visible()
    phone.find_signal()
    arrived = sent(phone, gate, 4)
    flagged = visiting.sent(gate, [{"scan_id": scan_id} for scan_id in arrived])
    assert [flags for _, flags in flagged] == [[]] * 4
    chains: dict[str, list[int | None]] = {}
    for scan in sorted(arrived.values(), key=lambda one: one.at):
        chains.setdefault(scan.device_id, []).append(scan.device_seq)
    assert list(chains.values()) == [[1, 2], [1, 2]]


def test_who_is_erased_leaves_the_others_what_is_theirs(gate: Gate, posters: Posters, phone: Telephone) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    bring(phone, SON, new_nik())
    page.get_by_label(SON).check()
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    page.get_by_role("link", name="Data saya").click()
    page.get_by_label("Data milik").select_option(label=SON)
    expect(page.locator("#me-name")).to_have_text(SON)
    phone.check()
    page.get_by_role("button", name="Hapus data saya").click()
    page.get_by_role("button", name="Ya, hapus").click()
    expect(page.get_by_text("Data orang lain di ponsel ini tetap ada.")).to_be_visible()
    kept = phone.kept()
    assert [len(kept[shelf]) for shelf in ("devices", "scans", "places")] == [1, 1, 0]
    page.get_by_role("button", name="Selesai").click()
    expect(page.get_by_text("Atas nama Ani Wijaya, belum dibuktikan.")).to_be_visible()
    expect(page.get_by_role("heading", name="Anda di RSUD Kenanga")).to_be_visible()
    assert SON not in str(page.evaluate("document.body.textContent"))
    page.goto(posters.exit)
    page.get_by_role("button", name="Keluar", exact=True).click()
    sent(phone, gate, 2)
    page.get_by_role("link", name="Data saya").click()
    page.get_by_role("button", name="Hapus data saya").click()
    page.get_by_role("button", name="Ya, hapus").click()
    expect(page.get_by_role("heading", level=1, name="Data Anda sudah dihapus")).to_be_visible()
    assert phone.kept() == {"devices": [], "scans": [], "places": []}
