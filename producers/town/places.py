"""The facilities of the town: kinds in plausible proportions, spread over the districts by population."""

from random import Random
from typing import Final

import msgspec

from producers.town.regions import District, SubDistrict, districts
from schemas.events import Kind

TIME_ZONE: Final = "Asia/Jakarta"
OFFSET_HOURS: Final = 7  # Asia/Jakarta has had no other offset since 1964
# Of 100 facilities; about as the ministry's registers show them around Jakarta, private practices left out.
SHARES: Final = {Kind.HOSPITAL: 12, Kind.PUSKESMAS: 32, Kind.CLINIC: 43, Kind.LABORATORY: 13}
PREFIXES: Final = {Kind.HOSPITAL: "RS", Kind.PUSKESMAS: "PKM", Kind.CLINIC: "KLN", Kind.LABORATORY: "LAB"}
GOVERNMENT_HOSPITALS: Final = 0.2
ZONES: Final = {
    Kind.HOSPITAL: ("waiting", "polyclinic", "laboratory", "pharmacy"),
    Kind.PUSKESMAS: ("waiting", "consulting", "mother and child", "pharmacy"),
    Kind.CLINIC: ("waiting", "consulting"),
    Kind.LABORATORY: ("waiting", "laboratory"),
}
WARDS: Final = tuple(f"ward {letter}" for letter in "ABCDEF")
_NAMES: Final = ("Sehat Sentosa", "Kasih Bunda", "Medika Utama", "Harapan Keluarga", "Citra Husada", "Bakti Mulia")
_PARTS: Final = ("", " Indah", " Baru", " Permai", " Jaya", " Makmur", " Lestari")


class Place(msgspec.Struct, frozen=True):
    """A facility, as `jejak facilities import` takes it, and where in the town it stands."""

    facility_id: str
    name: str
    kind: Kind
    owner: str
    district: str
    sub_district: str
    size: float  # how many come, against others of its kind


def build_places(rng: Random, number: int) -> list[Place]:
    """Return `number` facilities; every district and every kind has some as soon as there are enough."""
    areas = districts()
    taken: dict[str, int] = {}
    places: list[Place] = []
    for kind in _kinds(number):
        district = _next_district(areas, [place for place in places if place.kind is kind])
        serial = taken[f"{kind}{district.code}"] = taken.get(f"{kind}{district.code}", 0) + 1
        sub_district = district.sub_districts[(serial - 1) % len(district.sub_districts)]
        owner = _owner(kind, rng)
        places.append(
            Place(
                facility_id=f"{PREFIXES[kind]}-{district.code.replace('.', '')}-{serial:03d}",
                name=_name(kind, owner, district, sub_district, serial),
                kind=kind,
                owner=owner,
                district=district.code,
                sub_district=sub_district.code,
                size=rng.lognormvariate(0, 0.6),
            )
        )
    return places


def _kinds(number: int) -> list[Kind]:
    """Return the kinds of `number` facilities, each kind as near to its share as whole facilities go."""
    made = dict.fromkeys(SHARES, 0)
    kinds: list[Kind] = []
    for count in range(1, number + 1):
        kind = max(SHARES, key=lambda each: SHARES[each] * count / 100 - made[each])
        made[kind] += 1
        kinds.append(kind)
    return kinds


def _next_district(areas: tuple[District, ...], places: list[Place]) -> District:
    """Return the district that has the fewest of these for its people."""
    have = {area.code: sum(place.district == area.code for place in places) for area in areas}
    return min(areas, key=lambda area: (have[area.code] + 1) / area.population)


def _owner(kind: Kind, rng: Random) -> str:
    if kind is Kind.PUSKESMAS or (kind is Kind.HOSPITAL and rng.random() < GOVERNMENT_HOSPITALS):
        return "government"
    return "private"


def _name(kind: Kind, owner: str, district: District, sub_district: SubDistrict, serial: int) -> str:
    turn = (serial - 1) // len(district.sub_districts)
    part = _PARTS[turn % len(_PARTS)] + (f" {turn // len(_PARTS) + 1}" if turn >= len(_PARTS) else "")
    where = sub_district.name + part
    brand = _NAMES[(serial * 5 + len(sub_district.name)) % len(_NAMES)]
    if kind is Kind.PUSKESMAS:
        return f"Puskesmas {where}"
    if kind is Kind.HOSPITAL:
        return f"RSUD {where}" if owner == "government" else f"RS {brand} {where}"
    return f"{'Klinik' if kind is Kind.CLINIC else 'Laboratorium'} {brand} {where}"
