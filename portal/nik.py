"""What a NIK says of itself: is this a number that could have been given? Pure; reads the shipped codes once.

16 digits: province 2, district or city 2, sub-district 2, day-month-year of birth 6 (women: day + 40), serial 4.
There is no check digit. The codes are those of the place of first registration, so every code of 2016–2025 is valid,
also those that are gone since. No message here holds the number or a part of it.
"""

import csv
import re
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from schemas.errors import BadInput

WOMEN_DAY_OFFSET: Final = 40
CENTURIES: Final = (1900, 2000)
FIELD: Final = "subject.value"

_sixteen_digits = re.compile(r"[0-9]{16}")
_could_be_one = re.compile(r"(?<![0-9])[0-9](?:[ .-]?[0-9]){15}(?![0-9])")
_separators = re.compile(r"[ .-]")


class Regions(msgspec.Struct, frozen=True):
    """Every code that ever was, as Kemendagri writes it: `36`, `36.71`, `36.71.01`."""

    provinces: frozenset[str]
    districts: frozenset[str]
    sub_districts: frozenset[str]


@cache
def known_regions() -> Regions:
    """Return the codes of all editions 2016–2025."""
    levels: dict[str, set[str]] = {"1": set(), "2": set(), "3": set()}
    with (files("portal") / "data/regions/kode_wilayah_history.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            levels[row["level"]].add(row["kode"])
    return Regions(*(frozenset(levels[level]) for level in ("1", "2", "3")))


def check_nik(text: str, regions: Regions) -> str:
    """Return the NIK without blanks around it.

    Raises:
        BadInput: says which part cannot be, never the number.
    """
    nik = text.strip()
    if not _sixteen_digits.fullmatch(nik):
        raise BadInput("a NIK has 16 digits", field=FIELD)
    province, district, sub_district = nik[:2], f"{nik[:2]}.{nik[2:4]}", f"{nik[:2]}.{nik[2:4]}.{nik[4:6]}"
    if sub_district not in regions.sub_districts:
        raise BadInput(f"region code is not known ({_unknown_level(province, district, regions)})", field=FIELD)
    if not _is_birth_date(int(nik[6:8]), int(nik[8:10]), int(nik[10:12])):
        raise BadInput("birth date is no date", field=FIELD)
    if nik[12:] == "0000":
        raise BadInput("serial number begins at 0001", field=FIELD)
    return nik


def holds_nik(text: str) -> bool:
    """Say whether a text holds what could be a NIK, also in groups: it must not go anywhere in clear."""
    regions = known_regions()
    for found in _could_be_one.finditer(text):
        try:
            check_nik(_separators.sub("", found[0]), regions)
        except BadInput:
            continue
        return True
    return False


def _unknown_level(province: str, district: str, regions: Regions) -> str:
    if province not in regions.provinces:
        return "province"
    return "sub-district" if district in regions.districts else "district"


def _is_birth_date(day: int, month: int, year: int) -> bool:
    """Two digits say no century: a date of either is one (29 February 00 was one in 2000 only)."""
    if day > WOMEN_DAY_OFFSET:
        day -= WOMEN_DAY_OFFSET
    return any(_is_date(century + year, month, day) for century in CENTURIES)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
