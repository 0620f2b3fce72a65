"""Is this facility known already? The same licence is; a like name or the same spot nearby is for people to judge."""

import math
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

import msgspec

NEAR_M: Final = 150.0
LIKE: Final = 0.82  # of 1: how alike two names are
EARTH_M: Final = 6_371_000.0
_FILLERS: Final = frozenset(
    (
        *("rs", "rsu", "rsud", "rsia", "rumah", "sakit", "umum", "daerah", "ibu", "anak", "klinik", "pratama", "utama"),
        *("puskesmas", "laboratorium", "kesehatan", "lab", "pt"),
    )
)

Why: TypeAlias = Literal["licence", "name", "place"]


class Known(msgspec.Struct, frozen=True):
    """A facility, or an application that is not rejected."""

    ref: str  # facility id, or the application's reference
    name: str
    licence_key: str
    sub_district: str
    latitude: float
    longitude: float
    is_facility: bool


class Alike(msgspec.Struct, frozen=True):
    """One that may be the same, and why."""

    known: Known
    why: tuple[Why, ...]
    metres: int


def alike(one: Known, others: Iterable[Known]) -> list[Alike]:
    """Return the others that may be the same facility: those of the same licence first, then the nearest."""
    found = []
    for other in others:
        if other.ref == one.ref and other.is_facility == one.is_facility:
            continue
        metres = distance_m(one.latitude, one.longitude, other.latitude, other.longitude)
        why: list[Why] = []
        if one.licence_key == other.licence_key:
            why.append("licence")
        if other.sub_district == one.sub_district and likeness(one.name, other.name) >= LIKE:
            why.append("name")
        if metres <= NEAR_M:
            why.append("place")
        if why:
            found.append(Alike(other, tuple(why), round(metres)))
    return sorted(found, key=lambda two: ("licence" not in two.why, two.metres, two.known.ref))


def likeness(one: str, other: str) -> float:
    """Return how alike two names are, 0 to 1, apart from words that every facility has."""
    first, second = _telling(one), _telling(other)
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance of two places over the ground, in metres (haversine)."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def _telling(name: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in name.casefold()).split()
    telling = [word for word in words if word not in _FILLERS]
    return " ".join(sorted(telling or words))
