"""Indonesia's regions of today: names, what lies in what, and the clock of each province."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

_WITA: Final = frozenset(("51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"))
_WIT: Final = frozenset(("81", "82", "91", "92", "93", "94", "95", "96"))


class Region(msgspec.Struct, frozen=True):
    """A province, district or sub-district."""

    code: str
    name: str


@cache
def regions_in(code: str = "") -> tuple[Region, ...]:
    """Return the provinces, or the regions one level below `code`, by name; those of the latest edition only."""
    return _children().get(code, ())


@cache
def name_of(code: str) -> str:
    """Return a region's name, also of one that is gone; empty for what never was a code."""
    return _names().get(code, "")


def full_name(code: str) -> str:
    """Return a region's name with those it lies in, the smallest first."""
    return ", ".join(filter(None, (name_of(code[:length]) for length in (8, 5, 2) if length <= len(code))))


def choices_in(form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    """Return a form with province and district as its sub-district has them, and what can be chosen at each level."""
    code = form.get("sub_district", "")
    province, district = form.get("province") or code[:2], form.get("district") or code[:5]
    if not district.startswith(province):
        district = ""
    levels = {
        "provinces": regions_in(),
        "districts": regions_in(province) if province else (),
        "sub_districts": regions_in(district) if district else (),
    }
    choices = {name: [(one.code, one.name) for one in some] for name, some in levels.items()}
    return {**form, "province": province, "district": district}, choices


def time_zone_of(code: str) -> str:
    """Return the time zone of a region's province."""
    if code[:2] in _WITA:
        return "Asia/Makassar"
    return "Asia/Jayapura" if code[:2] in _WIT else "Asia/Jakarta"


def is_sub_district(code: str) -> bool:
    """Say whether it is the code of a sub-district of today."""
    return any(region.code == code for region in regions_in(code[:5])) and code.count(".") == 2  # noqa: PLR2004 — province, district, sub-district


@cache
def _rows() -> tuple[tuple[str, str, str], ...]:
    with (files("portal") / "data/regions/kode_wilayah_history.csv").open(encoding="utf-8") as file:
        return tuple((row["kode"], row["nama_terakhir"], row["edisi_terakhir"]) for row in csv.DictReader(file))


@cache
def _names() -> dict[str, str]:
    return {code: name for code, name, _ in _rows()}


@cache
def _children() -> dict[str, tuple[Region, ...]]:
    latest = max(edition for _, _, edition in _rows())
    found: dict[str, list[Region]] = {}
    for code, name, edition in _rows():
        if edition == latest:
            found.setdefault(code.rpartition(".")[0], []).append(Region(code, name))
    return {code: tuple(sorted(some, key=lambda region: region.name)) for code, some in found.items()}
