"""Posters by themselves: what a token is worth, which version counts when, and that a printed sheet can be read."""

import base64
import random
import string
import zipfile
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfbase import pdfmetrics

from portal.posters.keys import PosterKeys, add_key
from portal.posters.sheet import WORDS, Sheet, can_be_printed
from portal.posters.sheets import FONTS, STEPS, draw, in_one_file
from portal.posters.tokens import Named, gate_code, read, signed
from portal.posters.versions import Versions, closed, doubt, issued, standing, stolen
from schemas.errors import Conflict
from schemas.events import Gate as Kind

MORNING = datetime(2026, 11, 24, 8, tzinfo=UTC)
MUTATED = 100_000
WRITABLE = string.ascii_letters + string.digits + "-_.~"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> PosterKeys:
    made = PosterKeys(tmp_path_factory.mktemp("portal"))
    made.newest()
    return made


def named(**changed: object) -> Named:
    values = {"kid": "k1", "facility_id": "F367100001", "kind": Kind.ENTRANCE, "gate_no": 1, "version": 1} | changed
    return Named(**values)  # type: ignore[arg-type]  # a test's own


def sheet(**changed: object) -> Sheet:
    values: dict[str, object] = {
        "facility": "RSUD Kabupaten Tangerang",
        "facility_id": "F367100001",
        "kind": Kind.ENTRANCE,
        "code": "e1",
        "name": "Pintu utama",
        "zone_kind": "",
        "version": 1,
        "made_on": date(2026, 11, 24),
        "link": "https://jejak.example.go.id/q/" + "A" * 110,
    }
    return Sheet(**values | changed)  # type: ignore[arg-type]  # a test's own


@settings(deadline=None)
@given(
    facility_id=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
    | st.just("RS-A")
    | st.just("~RS"),
    kind=st.sampled_from(Kind),
    gate_no=st.integers(1, 999_999),
    version=st.integers(1, 999_999),
)
def test_a_token_says_what_was_signed_and_can_stand_in_an_address(
    keys: PosterKeys, facility_id: str, kind: Kind, gate_no: int, version: int
) -> None:
    poster = named(facility_id=facility_id, kind=kind, gate_no=gate_no, version=version)
    token = signed(keys, poster)
    assert read(keys, token) == poster
    assert set(token) <= set(WRITABLE)
    parts = token.split(".")
    assert (parts[0], parts[1], parts[4], len(parts)) == ("v1", "k1", str(version), 6)


def test_of_a_hundred_thousand_changed_tokens_none_is_accepted(keys: PosterKeys) -> None:
    dice = random.Random(6)
    token, other = signed(keys, named()), signed(keys, named(version=2))
    accepted = [
        changed
        for changed in (_changed(dice, token, other) for _ in range(MUTATED))
        if changed not in {token, other} and read(keys, changed) is not None
    ]
    assert accepted == []
    assert read(keys, token) == named()


def _changed(dice: random.Random, token: str, other: str) -> str:
    """Return the token with one to three small changes, or with a part of another token."""
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(token))
        letter = dice.choice(WRITABLE)
        match dice.randrange(5):
            case 0:
                token = token[:at] + letter + token[at + 1 :]
            case 1:
                token = token[:at] + letter + token[at:]
            case 2:
                token = token[:at] + token[at + 1 :]
            case 3:
                token = token[:at] + token[at : at + 2][::-1] + token[at + 2 :]
            case _:
                mine, theirs = token.split("."), other.split(".")
                part = dice.randrange(min(len(mine), len(theirs)))
                token = ".".join([*mine[:part], theirs[part], *mine[part + 1 :]])
        token = token or "v1"
    return token


def test_every_other_spelling_of_a_signature_is_refused(keys: PosterKeys) -> None:
    token = signed(keys, named())
    head, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    spellings = {letter for letter in WRITABLE if _decoded(signature[:-1] + letter) == raw}
    assert len(spellings) == 16
    assert [letter for letter in spellings if read(keys, f"{head}.{signature[:-1]}{letter}")] == [signature[-1]]
    for text in (
        token + "=",
        token + "==",
        f" {token}",
        f"{token}\n",
        token.upper(),
        "",
        "v1",
        token.replace("v1.", "v2."),
    ):
        assert read(keys, text) is None


def _decoded(signature: str) -> bytes | None:
    return base64.urlsafe_b64decode(signature + "==") if not set(signature) & set(".~") else None


def test_a_signature_of_another_installation_is_none_of_ours(keys: PosterKeys, tmp_path: Path) -> None:
    theirs = PosterKeys(tmp_path)
    theirs.newest()
    assert read(theirs, signed(keys, named())) is None


def test_the_newest_key_signs_older_ones_verify_until_they_are_taken_away(tmp_path: Path) -> None:
    keys = PosterKeys(tmp_path)
    assert keys.newest() == "k1"
    old = signed(keys, named(kid="k1"))
    assert [add_key(tmp_path) for _ in range(9)][-1] == "k10"
    assert keys.newest() == "k10"
    new = signed(keys, named(kid="k10"))
    elsewhere = PosterKeys(tmp_path)
    assert (read(elsewhere, old), read(elsewhere, new)) == (named(kid="k1"), named(kid="k10"))
    (tmp_path / "poster-k1").unlink()
    later = PosterKeys(tmp_path)
    assert (read(later, old), read(later, new)) == (None, named(kid="k10"))
    with pytest.raises(Conflict):
        signed(later, named(kid="k1"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


acts = st.lists(
    st.tuples(
        st.sampled_from(["issue", "stolen", "close"]), st.integers(-30, 90), st.integers(0, 9), st.integers(-90, 40)
    ),
    max_size=14,
)


@settings(deadline=None)
@given(acts)
def test_whatever_is_done_to_a_gate_one_version_counts_at_a_time_and_none_comes_back(
    done: list[tuple[str, int, int, int]],
) -> None:
    versions: Versions = ()
    now = MORNING
    ever = [MORNING + timedelta(minutes=minute) for minute in range(-400, 1600, 7)]
    for act, minutes, number, ago in done:
        now += timedelta(minutes=minutes)
        before = versions
        try:
            if act == "issue":
                versions = issued(versions, now)
            elif act == "stolen":
                since = now + timedelta(minutes=ago)
                versions = stolen(versions, number, since, now)
                assert not any(versions[number - 1].counts_at(at) for at in ever if at >= since)
            else:
                versions = closed(versions, now)
        except Conflict:
            assert versions == before
            continue
        _hold(before, versions, ever)


def _hold(before: Versions, after: Versions, ever: list[datetime]) -> None:
    assert [one.number for one in after] == list(range(1, len(after) + 1))
    assert all((one.revoked_at is None) == (one.reason == "") for one in after)
    for was, now in zip(before, after, strict=False):
        assert was.made_at == now.made_at
        assert was.revoked_at is None or (now.revoked_at is not None and now.revoked_at <= was.revoked_at)
    for earlier, later in pairwise(after):
        assert earlier.revoked_at is not None
        assert earlier.revoked_at <= later.made_at
    for at in ever:
        assert sum(one.counts_at(at) for one in after) <= 1
        assert sum(doubt(after, one.number, at) == "" for one in after) <= 1
    assert standing(after) in {None, after[-1]}
    assert not any(one.reason == "closed" for one in after[:-1])


def test_a_new_version_revokes_the_old_one_at_once() -> None:
    noon = MORNING + timedelta(hours=4)
    versions = issued(issued((), MORNING), noon)
    assert [doubt(versions, 1, at) for at in (MORNING, noon - timedelta(microseconds=1), noon)] == ["", "", "revoked"]
    assert [doubt(versions, 2, at) for at in (MORNING, noon)] == ["not_yet", ""]
    assert doubt(versions, 3, noon) == "unknown"


def test_a_theft_counts_from_the_stated_time_and_never_later_than_what_was_revoked() -> None:
    noon, theft = MORNING + timedelta(hours=4), MORNING + timedelta(hours=2)
    versions = issued(issued((), MORNING), noon)
    late = stolen(versions, 1, theft, noon)
    assert [doubt(late, 1, theft - timedelta(seconds=1)), doubt(late, 1, theft)] == ["", "revoked"]
    assert stolen(late, 1, noon, noon) == late
    assert doubt(stolen(versions, 1, MORNING - timedelta(days=1), noon), 1, MORNING) == "revoked"
    with pytest.raises(Conflict):
        stolen(versions, 2, noon + timedelta(seconds=1), noon)
    with pytest.raises(Conflict):
        stolen(versions, 3, noon, noon)


def test_a_closed_gate_has_no_new_poster() -> None:
    shut = closed(issued((), MORNING), MORNING)
    assert standing(shut) is None
    for again in (issued, closed):
        with pytest.raises(Conflict):
            again(shut, MORNING)
    with pytest.raises(Conflict):
        issued(stolen(shut, 1, MORNING - timedelta(hours=1), MORNING), MORNING)


def codes_of(page: pypdfium2.PdfPage, dpi: int) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(page.render(scale=dpi / 72).to_pil())]


@pytest.mark.parametrize("size", ["a4", "a5"])
def test_the_code_of_every_printed_sheet_is_read_back(keys: PosterKeys, size: str) -> None:
    sheets = [
        sheet(
            kind=kind,
            code=gate_code(kind, 12),
            link=f"https://jejak.go.id/q/{signed(keys, named(kind=kind))}",
        )
        for kind in Kind
    ]
    pdf = pypdfium2.PdfDocument(draw(sheets, size))
    assert len(pdf) == 3
    width, height = pdf[0].get_size()
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == {"a4": (210, 297), "a5": (148, 210)}[size]
    for page, one in zip(pdf, sheets, strict=True):
        assert codes_of(page, 100) == [one.link]


def test_a_sheet_with_a_blot_on_its_code_is_still_read() -> None:
    page = pypdfium2.PdfDocument(draw([sheet()], "a4"))[0].render(scale=150 / 72).to_pil()
    wide, high = page.size
    page.paste((255, 255, 255), (int(wide * 0.47), int(high * 0.53), int(wide * 0.56), int(high * 0.59)))
    assert [code.text for code in zxingcpp.read_barcodes(page)] == [sheet().link]


def test_a_sheet_says_the_way_the_place_the_version_and_the_day() -> None:
    for kind in Kind:
        page = pypdfium2.PdfDocument(draw([sheet(kind=kind, version=7)], "a4"))[0]
        text = page.get_textpage().get_text_range()
        for words in (*WORDS[kind], "RSUD Kabupaten Tangerang", "Pintu utama", "Versi 7", "24 November 2026"):
            assert words in text
        assert all(words in text for step in STEPS[kind] for words in step)


def test_entrance_and_exit_differ_in_grey_too() -> None:
    banners = []
    for kind in (Kind.ENTRANCE, Kind.EXIT):
        page = pypdfium2.PdfDocument(draw([sheet(kind=kind)], "a4"))[0].render(scale=1).to_pil().convert("L")
        banner = page.crop((50, 95, 545, 235))
        banners.append(sum(banner.tobytes()) / (banner.width * banner.height))
    assert banners[1] - banners[0] > 60


def test_a_long_name_stays_on_the_page_and_letters_of_the_region_are_all_there() -> None:
    name = "Rumah Sakit Umum Daerah Kabupaten Kepulauan Siau Tagulandang Biaro " * 2
    page = pypdfium2.PdfDocument(draw([sheet(facility=name[:128], name="W" * 64)], "a5"))[0]
    text = page.get_textpage()
    boxes = [text.get_charbox(number) for number in range(text.count_chars())]
    width, _ = page.get_size()
    assert min(box[0] for box in boxes) > 10
    assert max(box[2] for box in boxes) < width - 10


def test_what_may_stand_in_a_name_is_in_every_font() -> None:
    draw([sheet()], "a4")
    allowed = [chr(code) for code in range(0x20, 0x2100) if can_be_printed(chr(code))]
    assert set(string.printable.strip() + "éÉèêëçñáíóúüöäğşŁ–’“”·") <= set(allowed)
    for font in FONTS:
        known = pdfmetrics.getFont(font).face.charToGlyph
        assert [letter for letter in allowed if ord(letter) not in known] == []


def test_a_name_of_other_letters_than_a_font_has_is_printed_without_them_and_never_as_boxes() -> None:
    register = (
        ("RS 😀 Harapan مستشفى", "RS Harapan"),
        ("مستشفى", "F367100001"),
        ("医院 <Sehat> & 'O\"N'", "<Sehat> & 'O\"N'"),
    )
    for name, shown in register:
        page = pypdfium2.PdfDocument(draw([sheet(facility=name, name="😀")], "a5"))[0]
        lines = page.get_textpage().get_text_range().splitlines()
        assert shown in lines
        assert "E1" in lines


def test_a_long_name_is_broken_in_two_lines_that_can_be_read() -> None:
    name = "Rumah Sakit Umum Daerah Kabupaten Kepulauan Siau Tagulandang Biaro dan Pusat Kesehatan Ibu serta Anak"
    page = pypdfium2.PdfDocument(draw([sheet(facility=name)], "a4"))[0].get_textpage()
    text = page.get_text_range()
    first = text.index("Rumah Sakit")
    assert " ".join(text[first : first + len(name) + 1].split()) == name
    _, bottom, _, top = page.get_charbox(first)  # of its capital R
    assert top - bottom > 11, "points; in one line it would be less than 7"


def test_all_gates_come_in_one_file_in_both_sizes_and_always_the_same() -> None:
    sheets = [sheet(), sheet(kind=Kind.EXIT, code="x2", link="https://jejak.example.go.id/q/B")]
    data = in_one_file(sheets)
    assert data == in_one_file(sheets)
    with zipfile.ZipFile(BytesIO(data)) as packed:
        assert sorted(packed.namelist()) == [
            f"{size}/{name}-v1.pdf" for size in ("A4", "A5") for name in ("keluar-x2", "masuk-e1")
        ]
        page = pypdfium2.PdfDocument(packed.read("A5/keluar-x2-v1.pdf"))[0]
        assert codes_of(page, 150) == ["https://jejak.example.go.id/q/B"]
