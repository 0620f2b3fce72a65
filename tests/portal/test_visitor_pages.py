"""The visitor's page in a real browser on a small telephone: with signal, without, by a camera that sees a poster."""

import random
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import segno
from playwright.sync_api import Browser, expect

from ops.store import transaction
from portal.nik import check_nik, known_regions
from portal.visitor import store as visitor_store
from schemas.errors import BadInput
from schemas.events import Gate as Kind
from tests.portal.browser import running_browser
from tests.portal.conftest import Gate
from tests.portal.telephone import NOTIFIED, PATIENCE_S, READY, Posters, Telephone, claimed, fill, sent
from tests.portal.test_scans import scans_on_topic
from tracing.instants import MINUTE_US, us_of
from tracing.records import SeenScan
from tracing.visits import visits_of

WIDTH, HEIGHT = 640, 480  # of what the made camera sees


@pytest.fixture(scope="module")
def posters(gate: Gate) -> Posters:
    return Posters(gate)


@pytest.fixture(scope="module")
def browser(gate: Gate, posters: Posters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera sees the poster at the entrance."""
    film = seen_by_camera(tmp_path_factory.mktemp("film"), gate.url + posters.entrance)
    with running_browser(f"--use-file-for-fake-video-capture={film}") as running:
        yield running


@pytest.fixture
def phone(browser: Browser, gate: Gate) -> Iterator[Telephone]:
    telephone = Telephone(browser, gate)
    yield telephone
    telephone.close()


def test_the_first_use_claims_then_checks_in_and_out_by_the_posters(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    page.goto(posters.entrance)
    expect(page.get_by_role("heading", level=1, name="Siapa Anda?")).to_be_visible()
    phone.check()
    phone.picture("kunjungan-data-diri")
    fill(page)
    page.get_by_label("Nomor telepon", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1, name="RSUD Kenanga")).to_be_focused()
    expect(page.get_by_text("<5 orang di dalam")).to_be_visible()
    expect(page.get_by_text("Longgar", exact=True)).to_be_visible()
    expect(page.locator("#gate-colour")).to_have_text("Belum dibuktikan")
    phone.check()
    phone.picture("kunjungan-masuk")
    page.get_by_role("button", name="Masuk", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1, name="Anda sudah masuk")).to_be_visible()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    phone.check()
    phone.picture("kunjungan-sudah-masuk")
    page.goto(posters.exit)
    page.get_by_role("button", name="Keluar", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Anda sudah keluar")).to_be_visible()
    arrived = sent(phone, gate, 2)
    kept = phone.kept()
    assert [(arrived[scan["id"]].gate, arrived[scan["id"]].device_seq) for scan in kept["scans"]] == [
        ("entrance", 1),
        ("exit", 2),
    ]
    assert {(scan.facility_id, scan.channel, scan.assurance) for scan in arrived.values()} == {
        (posters.facility_id, "app", "self")
    }
    assert kept["devices"] == [{"deviceId": kept["devices"][0]["deviceId"], "seq": 2, "leaves": False}]
    page.get_by_role("link", name="Riwayat").click()
    expect(page.get_by_text(re.compile(r": masuk \d\d.\d\d, keluar \d\d.\d\d"))).to_be_visible()
    phone.check()
    phone.picture("kunjungan-riwayat")


def test_without_signal_two_posters_wait_and_arrive_with_their_own_times(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    for path, button, title in (
        (posters.entrance, "Masuk", "Anda sudah masuk"),
        (posters.exit, "Keluar", "Anda sudah keluar"),
    ):
        page.goto(path)
        expect(page.get_by_text("Tidak ada sinyal.")).to_be_visible()
        if button == "Masuk":
            phone.picture("kunjungan-tanpa-sinyal")
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.get_by_text("Tersimpan di ponsel. Dikirim saat ada sinyal.")).to_be_visible()
    page.goto("/q")
    expect(page.locator("#home-waiting")).to_have_text("2 pindaian menunggu sinyal untuk dikirim.")
    before = {scan["id"]: scan for scan in phone.kept()["scans"]}
    assert {scan["state"] for scan in before.values()} == {"waiting"}
    found_again = datetime.now(UTC)
    phone.find_signal()
    arrived = sent(phone, gate, 2)
    assert {scan_id: scan.at for scan_id, scan in arrived.items()} == {
        scan_id: datetime.fromisoformat(scan["at"]) for scan_id, scan in before.items()
    }
    assert all(scan.at < found_again for scan in arrived.values())
    expect(page.locator("#home-waiting")).to_be_hidden()
    phone.check()


def test_the_background_sends_what_waits_while_no_page_is_open(gate: Gate, posters: Posters, phone: Telephone) -> None:
    page = phone.page
    claimed(phone)
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Tersimpan di ponsel. Dikirim saat ada sinyal.")).to_be_visible()
    (waiting,) = phone.kept()["scans"]
    workers: list[str] = []
    browser_side = phone.context.new_cdp_session(page)
    browser_side.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: workers.extend(one["registrationId"] for one in told["registrations"]),
    )
    browser_side.send("ServiceWorker.enable")
    page.goto("about:blank")
    phone.find_signal()
    browser_side.send(
        "ServiceWorker.dispatchSyncEvent",
        {"origin": gate.url, "registrationId": workers[-1], "tag": "scans", "lastChance": False},
    )
    ((_, scan),) = scans_on_topic(gate, {waiting["id"]})
    assert scan.at == datetime.fromisoformat(waiting["at"])
    page.goto("/q#riwayat")
    expect(page.get_by_text(re.compile(r"masuk \d\d.\d\d, belum keluar"))).to_be_visible()
    assert [one["state"] for one in phone.kept()["scans"]] == ["accepted"]


def test_what_was_scanned_before_one_said_who_one_is_is_sent_afterwards(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    page.goto("/q")
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Isi data diri saat ada sinyal")).to_be_visible()
    read_at = phone.kept()["scans"][0]["at"]
    phone.find_signal()
    page.get_by_role("link", name="Isi data diri").click()
    fill(page)
    page.get_by_role("button", name="Simpan").click()
    (scan,) = sent(phone, gate, 1).values()
    assert (scan.at, scan.device_seq) == (datetime.fromisoformat(read_at), 1)
    phone.check()


def test_a_forgotten_check_out_is_reminded_of_and_done_by_the_button(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    page.get_by_role("button", name="Selesai").click()
    expect(page.get_by_role("heading", name="Anda di RSUD Kenanga")).to_be_visible()
    expect(page.get_by_text("Sudah pulang? Tekan Keluar.")).to_be_hidden()
    phone.check()
    phone.picture("kunjungan")
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=5))
    page.reload()
    expect(page.get_by_text("Sudah pulang? Tekan Keluar.")).to_be_visible()
    phone.check()
    phone.picture("kunjungan-pengingat")
    page.clock.set_fixed_time(datetime.now(UTC))
    page.get_by_role("button", name="Keluar", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Anda sudah keluar")).to_be_visible()
    arrived = sent(phone, gate, 2)
    assert [arrived[scan["id"]].gate for scan in phone.kept()["scans"]] == ["entrance", "exit"]


def test_a_notification_reminds_while_the_page_is_open(gate: Gate, browser: Browser, posters: Posters) -> None:
    telephone = Telephone(browser, gate, permissions=["notifications"])
    page = telephone.page
    page.clock.install()
    claimed(telephone)
    assert page.evaluate(READY) == "activated"
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    page.get_by_role("button", name="Ingatkan saya untuk keluar").click()
    expect(page.get_by_text("Anda diingatkan selama halaman ini terbuka")).to_be_visible()
    page.get_by_role("button", name="Selesai").click()
    page.clock.fast_forward("03:59:00")
    expect(page.locator("#home-remind")).to_be_hidden()
    assert page.evaluate(NOTIFIED) == []
    page.clock.fast_forward("00:02:00")
    expect(page.locator("#home-remind")).to_be_visible()
    deadline = time.monotonic() + PATIENCE_S
    while not page.evaluate(NOTIFIED):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    assert page.evaluate(NOTIFIED) == [
        ["Sudah pulang?", "Anda tercatat masih di RSUD Kenanga. Sudah pulang? Tekan Keluar."]
    ]
    telephone.close()


def test_a_replaced_poster_says_so_and_a_cut_off_link_is_none(posters: Posters, phone: Telephone) -> None:
    page = phone.page
    old = posters.add(Kind.ENTRANCE, "Samping")
    number = int(old.split(".")[3][1:])
    posters.reissue(number)
    claimed(phone)
    page.goto(old)
    expect(page.locator("#gate-note")).to_contain_text("Poster ini sudah diganti.")
    expect(page.locator("#gate-place")).to_have_text("RSUD Kenanga")
    expect(page.get_by_role("button", name="Masuk", exact=True)).to_be_hidden()
    phone.check()
    phone.picture("kunjungan-poster-lama")
    page.goto(posters.path(Kind.ENTRANCE, number, 2))
    expect(page.get_by_role("button", name="Masuk", exact=True)).to_be_visible()
    for cut in (posters.entrance[:-1], posters.entrance[:20]):
        page.goto(cut)
        expect(page.get_by_role("heading", level=1, name="Bukan poster yang berlaku")).to_be_visible()
        expect(page.locator("#gate-confirm")).to_be_hidden()
    phone.check()


def test_a_page_that_was_left_open_does_not_say_that_somebody_is_there_now(posters: Posters, phone: Telephone) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    button = page.get_by_role("button", name="Masuk", exact=True)
    expect(button).to_be_visible()
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=16))
    page.reload()
    button.click()
    expect(page.get_by_text("Pindai lagi di pintu.")).to_be_visible()
    assert phone.kept()["scans"] == []


def test_a_proven_device_sees_its_colour_and_no_other_does(gate: Gate, posters: Posters, phone: Telephone) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    expect(page.locator("#gate-colour")).to_have_text("Belum dibuktikan")
    page.get_by_role("link", name="Cara membuktikan").click()
    page.get_by_role("button", name="Kirim kode").click()
    expect(page.get_by_text("Bila ada nomor yang tercatat")).to_be_visible()
    page.get_by_label("Kode enam angka").fill("12345")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kode terdiri atas enam angka.")).to_be_visible()
    page.get_by_label("Kode enam angka").fill("123456")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kode salah atau sudah tidak berlaku.")).to_be_visible()
    page.get_by_role("button", name="Tampilkan kode").click()
    expect(page.locator("#officer-code")).to_have_text(re.compile(r"[A-HJ-NP-Z2-9]{4} [A-HJ-NP-Z2-9]{4}"))
    page.get_by_role("button", name="Petugas sudah memeriksa").click()
    expect(page.get_by_text("Belum tercatat.")).to_be_visible()
    phone.check()
    phone.picture("kunjungan-buktikan")
    device_id = phone.kept()["devices"][0]["deviceId"]
    with transaction(gate.settings, "jejak_gate") as conn:
        device = visitor_store.find_device(conn, device_id)
        assert device is not None
        visitor_store.bind(conn, device, "officer_saw_id", "test", datetime.now(UTC))
    page.get_by_role("button", name="Petugas sudah memeriksa").click()
    expect(page.get_by_text("Terbukti", exact=True)).to_be_visible()
    phone.check()
    page.goto(posters.entrance)
    expect(page.locator("#gate-colour")).to_have_text(re.compile("Hijau|Kuning|Merah|Hitam"))
    phone.check()
    phone.picture("kunjungan-status")


def test_erasing_leaves_nothing_on_the_telephone_and_no_device_on_the_server(
    gate: Gate, posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    claimed(phone)
    page.goto(posters.entrance)
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    device_id = phone.kept()["devices"][0]["deviceId"]
    page.get_by_role("link", name="Data saya").click()
    page.get_by_role("button", name="Hapus data saya").click()
    page.get_by_role("button", name="Batal").click()
    page.get_by_role("button", name="Hapus data saya").click()
    phone.check()
    page.get_by_role("button", name="Ya, hapus").click()
    expect(page.get_by_role("heading", level=1, name="Data Anda sudah dihapus")).to_be_visible()
    phone.check()
    assert phone.kept() == {"devices": [], "scans": [], "places": []}
    with transaction(gate.settings, "jejak_gate") as conn:
        assert visitor_store.find_device(conn, device_id) is None


def test_what_is_wrong_with_a_form_is_said_beside_its_field_and_never_repeated(
    posters: Posters, phone: Telephone
) -> None:
    page = phone.page
    page.goto(posters.entrance)
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_label("Nomor dokumen")).to_be_focused()
    expect(page.get_by_text("Harus diisi.")).to_have_count(6)
    for nik, why in (
        ("367101550890000", "NIK terdiri atas 16 angka."),
        ("3671017208900001", "bukan tanggal lahir"),
        ("3671015508900000", "mulai dari 0001"),
        ("9901015508900001", "tidak pernah ada"),
    ):
        fill(page, **{"Nomor dokumen": nik})
        page.get_by_role("button", name="Simpan").click()
        expect(page.locator("#number-wrong")).to_contain_text(why)
        assert nik not in page.locator("main").inner_text()
        assert page.get_by_label("Nomor dokumen").get_attribute("aria-invalid") == "true"
    page.get_by_label("Tanggal lahir").fill(f"{datetime.now(UTC) - timedelta(days=365 * 9):%Y-%m-%d}")
    page.get_by_label("Tanggal lahir").blur()
    expect(page.get_by_role("group", name="Wali")).to_be_visible()
    fill(page, **{"Tanggal lahir": f"{datetime.now(UTC) - timedelta(days=365 * 9):%Y-%m-%d}"})
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_label("Nama wali")).to_be_focused()
    phone.check()
    page.get_by_label("Nama wali").fill("Budi Wijaya")
    page.get_by_label("Nomor telepon wali").fill("0812 3456 7891")
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("heading", level=1, name="RSUD Kenanga")).to_be_visible()


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_view_can_be_used_by_everybody_on_a_small_telephone(
    posters: Posters, phone: Telephone, language: str
) -> None:
    page = phone.page
    page.goto("/q")
    if language == "en":
        page.get_by_role("button", name="English").click()
    for view in ("", "#pindai", "#riwayat", "#data-saya", "#isi-data"):
        page.goto(f"/q{view}")
        page.reload()
        expect(page.locator("[data-view=plain]")).to_be_hidden()
        assert page.locator("html").get_attribute("lang") == language
        phone.check()
    assert page.evaluate(READY) == "activated"
    phone.lose_signal()
    page.goto(posters.exit)
    expect(page.locator("#gate-confirm")).to_have_text({"id": "Keluar", "en": "Check out"}[language])
    phone.find_signal()


def test_a_browser_without_scripts_is_told_where_it_is_and_what_to_do(
    gate: Gate, browser: Browser, posters: Posters
) -> None:
    context = browser.new_context(base_url=gate.url, java_script_enabled=False)
    page = context.new_page()
    for path, told in (
        (posters.exit, ["KELUAR", "RSUD Kenanga", "Temui petugas di pintu"]),
        (posters.exit[:-1], ["Bukan poster yang berlaku", "Temui petugas di pintu"]),
        ("/q", ["Kunjungan saya", "JavaScript"]),
    ):
        page.goto(path)
        shown = page.locator("main").inner_text()
        assert all(words in shown for words in told), shown
        assert "Siapa Anda?" not in shown
    context.close()


def test_the_worker_may_keep_the_posters_links_and_no_other_page(gate: Gate) -> None:
    with gate.client() as client:
        for path in ("/visitor/background.js", "/visitor/sw.js"):
            answer = client.get(path)
            assert answer.headers["service-worker-allowed"] == "/q"
            assert answer.headers["content-type"].startswith("text/javascript")
        files = re.findall(r'"(/[^"]+)"', client.get("/visitor/sw.js").text.partition("\n")[2].partition("\n")[0])
        assert len(files) > 15
        assert {file: client.get(file).status_code for file in files} == dict.fromkeys(files, 200)
        manifest = client.get("/visitor/manifest.webmanifest").json()
        assert (manifest["start_url"], manifest["scope"]) == ("/q", "/q")
        policy = client.get("/q").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "blob:" not in policy


def test_a_nik_is_judged_on_the_telephone_as_on_the_server(phone: Telephone) -> None:
    dice = random.Random(6)
    niks = ["3671015508900001", "3671012902000001", "3671016902010001", "3671010002990001", "3671013104990001"]
    for _ in range(400):
        digits = list(dice.choice(niks[:3]))
        digits[dice.randrange(6, 16)] = str(dice.randrange(10))
        niks.append("".join(digits))
    phone.page.goto("/q")
    found = phone.page.evaluate(
        "async (niks) => niks.map((await import('/static/visitor/nik.js')).faultOfNik)",
        niks,
    )
    assert dict(zip(niks, found, strict=True)) == {nik: fault_of(nik) for nik in niks}


def fault_of(nik: str) -> str:
    try:
        check_nik(nik, known_regions())
    except BadInput as error:
        return "visit.nik_date" if "birth" in error.reason else "visit.nik_serial"
    return ""


def test_a_phone_tells_the_same_visits_as_the_server(phone: Telephone) -> None:
    dice = random.Random(6)
    days = [some_day(dice) for _ in range(300)]
    phone.page.goto("/q")
    told = phone.page.evaluate(
        "async (days) => { const { visitsOf } = await import('/static/visitor/visits.js');"
        " return days.map((day) => visitsOf(day).reverse()"
        ".map(({ facility, from, until, end }) => [facility, from, until ?? end])); }",
        [[as_phone(scan) for scan in day] for day in days],
    )
    assert told == [
        [
            [visit.facility, None if visit.check_in_estimated else visit.check_in // 1000, visit.check_out // 1000]
            for visit in visits_of(day)
        ]
        for day in days
    ]


def some_day(dice: random.Random) -> list[SeenScan]:
    """Return a day of one person between two hospitals, every few minutes something."""
    at, scans = us_of(datetime(2026, 11, 24, tzinfo=UTC)), []
    for number in range(dice.randrange(1, 9)):
        at += dice.choice((3, 8, 11, 45, 200, 400)) * MINUTE_US
        gate, place = dice.choice(("entrance", "exit", "zone")), dice.choice("AB")
        zone = "IGD" if gate == "zone" else ""
        scans.append(SeenScan(f"{number}", "p", place, "hospital", "Asia/Jakarta", gate, zone, at))
    return scans


def as_phone(scan: SeenScan) -> dict[str, object]:
    """Return a scan as the phone keeps it."""
    at = datetime.fromtimestamp(scan.at / 1e6, UTC).isoformat(timespec="milliseconds")
    return {"at": at, "kind": scan.gate, "facility": scan.facility, "zone": scan.zone, "stay": 240, "state": "accepted"}


def seen_by_camera(folder: Path, link: str) -> Path:
    """Return a film of a wall with a poster's code on it."""
    code = segno.make(link, error="q")
    size = int(code.symbol_size(border=4)[0])
    scale = (HEIGHT - 40) // size
    wall = bytearray(b"\xb0" * WIDTH * HEIGHT)
    left, top = (WIDTH - size * scale) // 2, (HEIGHT - size * scale) // 2
    for row, line in enumerate(code.matrix_iter(scale=scale, border=4)):
        at = (top + row) * WIDTH + left
        wall[at : at + size * scale] = bytes(20 if dark else 235 for dark in line)
    frame = b"FRAME\n" + bytes(wall) + b"\x80" * (WIDTH * HEIGHT // 2)
    film = folder / "poster.y4m"
    film.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 10)
    return film


def test_the_camera_reads_a_poster_and_opens_its_gate(gate: Gate, browser: Browser, posters: Posters) -> None:
    telephone = Telephone(browser, gate, permissions=["camera"])
    claimed(telephone)
    page = telephone.page
    page.get_by_role("link", name="Pindai poster").click()
    expect(page.get_by_role("heading", level=1, name="RSUD Kenanga")).to_be_visible(timeout=15_000)
    assert page.url == gate.url + posters.entrance
    telephone.check()
    page.get_by_role("button", name="Masuk", exact=True).click()
    expect(page.get_by_text("Sudah diterima.")).to_be_visible()
    telephone.close()


def test_a_photograph_of_a_poster_does_where_there_is_no_camera(
    gate: Gate, posters: Posters, phone: Telephone, tmp_path: Path
) -> None:
    poster, other = tmp_path / "poster.png", tmp_path / "other.png"
    segno.make(gate.url + posters.exit, error="q").save(str(poster), scale=5, border=6)
    segno.make("https://contoh.example/q/apa-saja").save(str(other), scale=5, border=6)
    claimed(phone)
    page = phone.page
    page.goto("/q#pindai")
    page.get_by_label("Ambil foto poster").set_input_files(other)
    expect(page.get_by_text("Kode ini bukan poster Jejak.")).to_be_visible()
    page.get_by_label("Ambil foto poster").set_input_files(poster)
    expect(page.get_by_role("button", name="Keluar", exact=True)).to_be_visible()
    phone.check()


def test_an_app_of_an_older_version_takes_the_servers_newer_files(gate: Gate) -> None:
    with httpx.Client(base_url=gate.url) as client:
        worker = client.get("/visitor/sw.js").text
        version = re.match(r'const VERSION = "([0-9a-f]{12})"', worker)
        assert version is not None
        assert client.get("/q").headers["jejak-visitor"] == version[1]
