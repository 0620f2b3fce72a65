"""A visitor's telephone: a browser on a small screen, a clinic's posters, and what is done with both every time."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from ops.store import OPERATOR, transaction
from portal.places.store import put_details, read_place
from portal.posters import gates
from portal.posters.check import PATH
from portal.posters.keys import PosterKeys
from portal.posters.tokens import Named, signed
from portal.registration.fields import check_fields
from portal.store import put_facility
from portal.web.secret_box import portal_secrets
from schemas.events import Gate as Kind
from schemas.events import Scan
from tests.portal.browser import PHONE, TOO_WIDE, Watched
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.test_registration import applied as application
from tests.portal.test_scans import scans_on_topic

KEPT = """() => new Promise((done, fail) => {
  const asked = indexedDB.open("jejak");
  asked.onerror = () => fail(asked.error);
  asked.onsuccess = () => {
    const database = asked.result, deed = database.transaction(["device", "scans", "places"]);
    const all = ["device", "scans", "places"].map((shelf) => deed.objectStore(shelf).getAll());
    deed.oncomplete = () => {
      database.close();
      const [devices, scans, places] = all.map((one) => one.result);
      scans.sort((one, other) => one.seq - other.seq);
      done({ devices: devices.map(({ deviceId, keys, seq }) =>
        ({ deviceId, seq, leaves: keys.privateKey.extractable })), scans, places });
    };
  };
})"""
READY = """async () => {
  const { active } = await navigator.serviceWorker.ready;
  while (active.state !== "activated") await new Promise((done) => setTimeout(done, 20));
  return active.state;
}"""
NOTIFIED = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
.map(({ title, body }) => [title, body])"""
PATIENCE_S = 15


class Posters:
    """A clinic's posters, as links."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.facility_id = f"F3671{secrets.randbelow(90_000) + 10_000}"
        self.made = datetime.now(UTC) - timedelta(days=3)
        self.keys = PosterKeys(portal_secrets(gate.settings))
        with transaction(gate.settings, OPERATOR) as conn:
            put_facility(conn, replace(FACILITIES[0], facility_id=self.facility_id, name="RSUD Kenanga"))
        with transaction(gate.settings, "jejak_gate") as conn:
            place = read_place(conn, self.facility_id)
            put_details(conn, place, check_fields(application(name=place.name, capacity="200")))
        self.entrance = self.add(Kind.ENTRANCE, "Pintu utama")
        self.exit = self.add(Kind.EXIT, "Pintu utama")

    def add(self, kind: Kind, name: str) -> str:
        """Return the path of a new gate's poster."""
        with transaction(self.gate.settings, "jejak_gate") as conn:
            number = gates.add(
                conn,
                self.keys,
                facility_id=self.facility_id,
                kind=kind,
                name=name,
                zone="",
                by="test",
                now=self.made,
            )
        return self.path(kind, number, 1)

    def path(self, kind: Kind, number: int, version: int) -> str:
        """Return the path of a version of a poster."""
        named = Named(kid=self.keys.newest(), facility_id=self.facility_id, kind=kind, gate_no=number, version=version)
        return PATH + signed(self.keys, named)

    def reissue(self, number: int) -> None:
        """Replace a gate's poster now."""
        with transaction(self.gate.settings, "jejak_gate") as conn:
            gates.reissue(conn, self.keys, gates.find(conn, self.facility_id, number), "test", datetime.now(UTC))


class Telephone(Watched):
    """A visitor's telephone; also what its worker asks for in the background is noted."""

    def __init__(self, browser: Browser, gate: Gate, **more: Any) -> None:
        super().__init__(browser, gate.url, PHONE, **more)
        self.asked: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.url = gate.url

    def kept(self) -> Any:
        """Return what the browser holds, once it holds it in order."""
        return self.page.evaluate(KEPT)

    def lose_signal(self) -> None:
        """Lose the signal."""
        self.context.set_offline(offline=True)

    def find_signal(self) -> None:
        """Find it again; what failed meanwhile failed for that reason."""
        self.context.set_offline(offline=False)
        self.faults[:] = [fault for fault in self.faults if "ERR_INTERNET_DISCONNECTED" not in fault]

    def check(self) -> None:
        """Assert also that it fits, and that nobody else was asked anything."""
        super().check()
        assert self.page.evaluate(TOO_WIDE) == []
        assert {url for url in self.asked if not url.startswith((self.url + "/", "data:"))} == set()


def new_nik() -> str:
    """Return a NIK that can be, and that no other test has."""
    return f"36710155089{secrets.randbelow(90_000) + 10_000}"[:12] + f"{secrets.randbelow(9_998) + 1:04}"


def fill(page: Page, **changed: str) -> None:
    """Fill in the form of the first use."""
    form = {
        "Nomor dokumen": new_nik(),
        "Nama lengkap": "Ani Wijaya",
        "Tanggal lahir": "1990-08-15",
        "Desa/kelurahan": "Sukasari",
        "Nomor telepon": "0812 3456 7890",
    } | changed
    for label, value in form.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Provinsi").select_option("36")
    page.locator("#district option[value='36.71']").wait_for(state="attached")
    page.get_by_label("Kabupaten/kota").select_option("36.71")
    page.locator("#sub_district option[value='36.71.01']").wait_for(state="attached")
    page.get_by_label("Kecamatan").select_option("36.71.01")


def claimed(phone: Telephone) -> None:
    """Say who the telephone's owner is."""
    phone.page.goto("/q#data-saya")
    expect(phone.page.get_by_role("heading", level=1, name="Siapa Anda?")).to_be_visible()
    fill(phone.page)
    phone.page.get_by_role("button", name="Simpan").click()
    expect(phone.page.get_by_text("Atas nama Ani Wijaya, belum dibuktikan.")).to_be_visible()


def sent(phone: Telephone, gate: Gate, number: int) -> dict[str, Scan]:
    """Return what arrived of the telephone's scans, once all have been sent."""
    deadline = time.monotonic() + PATIENCE_S
    while [scan["state"] for scan in phone.kept()["scans"]] != ["accepted"] * number:
        assert time.monotonic() < deadline, phone.kept()["scans"]
        phone.page.wait_for_timeout(50)
    ids = {scan["id"] for scan in phone.kept()["scans"]}
    return {event.scan_id: event for _, event in scans_on_topic(gate, ids)}
