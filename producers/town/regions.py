"""The districts of the town and their sub-districts, with Kemendagri codes; see the data's README."""

import csv
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parent / "data"


class SubDistrict(msgspec.Struct, frozen=True):
    """A kecamatan; `code` as 36.71.05."""

    code: str
    name: str


class District(msgspec.Struct, frozen=True):
    """A district or city; `code` as 36.71."""

    code: str
    name: str
    population: int
    sub_districts: tuple[SubDistrict, ...]


@cache
def districts() -> tuple[District, ...]:
    """Return the districts in the order of the file."""
    inside: dict[str, list[SubDistrict]] = {}
    for row in _rows("sub_districts.csv"):
        inside.setdefault(row["district"], []).append(SubDistrict(row["code"], row["name"]))
    return tuple(
        District(row["code"], row["name"], int(row["population"]), tuple(inside[row["code"]]))
        for row in _rows("districts.csv")
    )


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
