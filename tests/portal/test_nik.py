"""What passes for a NIK: laws against a naive version, and the examples people trip over."""

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.nik import Regions, check_nik, holds_nik, known_regions
from schemas.errors import BadInput

REGIONS = known_regions()
SUB_DISTRICTS = sorted(REGIONS.sub_districts)


@st.composite
def niks(draw: st.DrawFn) -> str:
    """Numbers made by the rule, of men and women born in either century."""
    place = draw(st.sampled_from(SUB_DISTRICTS)).replace(".", "")
    born = draw(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
    day = born.day + draw(st.sampled_from((0, 40)))
    return f"{place}{day:02}{born:%m%y}{draw(st.integers(1, 9999)):04}"


def naive(nik: str) -> bool:
    """Say the rule again, word by word."""
    if len(nik) != 16 or any(letter not in "0123456789" for letter in nik):
        return False
    if f"{nik[:2]}.{nik[2:4]}.{nik[4:6]}" not in SUB_DISTRICTS or nik[12:] == "0000":
        return False
    for offset, century in product((0, 40), ("19", "20")):
        try:
            date(int(century + nik[10:12]), int(nik[8:10]), int(nik[6:8]) - offset)
        except ValueError:
            continue
        return True
    return False


def passes(nik: str, regions: Regions = REGIONS) -> bool:
    try:
        check_nik(nik, regions)
    except BadInput:
        return False
    return True


@given(niks())
def test_every_number_made_by_the_rule_passes(nik: str) -> None:
    assert check_nik(f" {nik} ", REGIONS) == nik


@given(niks(), st.integers(0, 15), st.sampled_from("0123456789x"))
def test_with_one_character_changed_it_passes_exactly_when_the_rule_says_so(nik: str, place: int, other: str) -> None:
    changed = nik[:place] + other + nik[place + 1 :]
    assert passes(changed) == naive(changed)


@given(niks(), st.sampled_from(("{}", "met {} there", "id:{}.")), st.sampled_from(("", " ", "-", ".")))
def test_a_nik_in_a_text_is_seen_also_in_groups(nik: str, text: str, between: str) -> None:
    assert holds_nik(text.format(between.join((nik[:6], nik[6:12], nik[12:]))))
    assert not holds_nik(text.format(f"1{nik}"))


@given(st.text(max_size=20) | st.text("0123456789", min_size=15, max_size=17))
def test_no_text_breaks_it_and_no_message_holds_a_part_of_it(text: str) -> None:
    message = ""
    try:
        check_nik(text, REGIONS)
    except BadInput as error:
        message = str(error)
    assert bool(message) != naive(text.strip())
    assert text.strip() not in message or len(text.strip()) < 6


@pytest.mark.parametrize(
    ("nik", "reason"),
    [
        ("9971015508900001", r"region code is not known \(province\)"),
        ("3699015508900001", r"region code is not known \(district\)"),
        ("3671995508900001", r"region code is not known \(sub-district\)"),
        ("3671010013900001", "birth date"),
        ("3671013202900001", "birth date"),
        ("3671014002900001", "birth date"),
        ("3671017202900001", "birth date"),
        ("3671012902010001", "birth date"),
        ("3671015508900000", "serial"),
        ("٣٦٧١٠١٥٥٠٨٩٠٠٠٠١", "16 digits"),
        ("36710155089000011", "16 digits"),
    ],
)
def test_the_reason_says_which_part(nik: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        check_nik(nik, REGIONS)
    assert caught.value.field == "subject.value"


@pytest.mark.parametrize("day", ["29", "69"])
def test_29_february_00_was_a_day_in_one_of_the_two_centuries(day: str) -> None:
    assert passes(f"367101{day}02000001")


def test_codes_that_are_gone_today_still_pass() -> None:
    assert len(REGIONS.provinces) == 38
    assert len(REGIONS.districts) == 540
    assert len(REGIONS.sub_districts) == 7_879
