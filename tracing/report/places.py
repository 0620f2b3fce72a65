"""The map of facilities by district: Indonesia's coast with a disc for each, and how facilities lie to one another.

Borders of districts are not shipped, so none is drawn. A district stands where its facilities are, else at the capital
of its province.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from tracing.look import MAIN
from tracing.report.facts import Facility
from tracing.report.svg import circle, line, picture, rect, text
from tracing.report.words import Language

WIDTH: Final = 930
HEIGHT: Final = 356
_UNIT: Final = 20  # of the coast, a degree
_WEST: Final = 95.0
_NORTH: Final = 6.5
_NEAR: Final = 700.0
_KM: Final = 111.2  # a degree of latitude
_SCALES: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class District(NamedTuple):
    """Facilities of one district, the busiest first; `exact` says that they have coordinates."""

    code: str
    name: str
    province: str
    facilities: tuple[Facility, ...]
    candidates: int
    point: tuple[float, float] | None  # longitude and latitude
    exact: bool


def districts_of(facilities: Sequence[Facility], met: Mapping[str, int]) -> list[District]:
    """Return the districts of the facilities that have one, or coordinates; the busiest first."""
    inside: dict[tuple[str, str], list[Facility]] = {}
    for facility in facilities:
        if facility.district or facility.latitude is not None:
            inside.setdefault(region_of(facility.district), []).append(facility)
    found = [_district(code, name, some, met) for (code, name), some in inside.items()]
    return sorted(found, key=lambda one: (-one.candidates, one.name))


def region_of(written: str) -> tuple[str, str]:
    """Return code and name of a district written as `3671`, `36.71` or by its name; no code where it is not known."""
    digits = written.replace(".", "").strip()
    code = f"{digits[:2]}.{digits[2:]}" if digits[2:] and digits.isascii() and digits.isdigit() else digits
    if code in _names():
        return code, _names()[code]
    return _codes().get(written.strip().casefold(), ""), written.strip()


def national(districts: Sequence[District], language: Language) -> str:
    """Return Indonesia with a disc for each district, as large as the candidates met there are many."""
    parts = [f'<path class="coast" d="{_coast()}"/>']
    most = max((district.candidates for district in districts), default=1) or 1
    labels: list[tuple[float, float]] = []
    for district in districts:
        if district.point is None:
            continue
        x, y = (district.point[0] - _WEST) * _UNIT, (_NORTH - district.point[1]) * _UNIT
        if not (0 <= x <= WIDTH and 0 <= y <= HEIGHT):
            continue
        radius = 4 + 11 * math.sqrt(district.candidates / most)
        told = f"{district.name}: {language.say('n_candidates', n=district.candidates)}"
        parts.append(f'<g class="disc">{circle(x, y, radius, fill=MAIN, stroke=MAIN, title=told)}</g>')
        if len(labels) < 8 and all(abs(x - a) > 120 or abs(y - b) > 14 for a, b in labels):  # noqa: PLR2004 — more would hide the islands
            labels.append((x, y))
            right = x < _NEAR
            parts.append(
                text(
                    x + (radius + 5) * (1 if right else -1),
                    y + 4,
                    district.name,
                    anchor="start" if right else "end",
                    kind="place",
                    most=34,
                )
            )
    return picture(WIDTH, HEIGHT, language["map_title"], language.say("map_desc", n=len(districts)), "".join(parts))


def local(facilities: Sequence[Facility], met: Mapping[str, int], language: Language) -> str:
    """Return the facilities as they lie to one another, with a scale; nothing for fewer than two places."""
    placed = [
        (one, one.longitude, one.latitude)
        for one in facilities
        if one.longitude is not None and one.latitude is not None
    ]
    if len({(x, y) for _, x, y in placed}) < 2:  # noqa: PLR2004 — one point has no neighbour
        return ""
    middle = sum(y for _, _, y in placed) / len(placed)
    flat = [(one, x * math.cos(math.radians(middle)) * _KM, -y * _KM) for one, x, y in placed]
    west, north = min(x for _, x, _ in flat), min(y for _, _, y in flat)
    wide, high = max(x for _, x, _ in flat) - west, max(y for _, _, y in flat) - north
    unit = min(620 / wide if wide else math.inf, 150 / high if high else math.inf)
    if not math.isfinite(unit):
        return ""
    left, top = (WIDTH - 200 - wide * unit) / 2, 30
    most = max(max(met.values(), default=1), 1)
    parts = [rect(0.5, 0.5, WIDTH - 1, high * unit + 80, kind="frame")]
    for one, x, y in sorted(flat, key=lambda some: -met.get(some[0].facility_id, 0)):
        number = met.get(one.facility_id, 0)
        px, py, radius = left + (x - west) * unit, top + (y - north) * unit, 6 + 12 * math.sqrt(number / most)
        told = f"{one.title}: {language.say('n_candidates', n=number)}"
        parts.append(
            circle(px, py, radius, fill=one.colour, title=told)
            + text(px, py + 4, one.letter, anchor="middle", kind="inside")
        )
        parts.append(text(px + radius + 5, py + 4, f"{one.title} ({language.number(number)})", kind="place", most=38))
    scale = max((km for km in _SCALES if km * unit <= 180), default=_SCALES[0])  # noqa: PLR2004 — a fifth of the width
    y = high * unit + 66
    parts.append(
        line(14, y, 14 + scale * unit, y, "scale")
        + text(14, y - 6, f"{language.number(scale, 1 if scale < 1 else 0)} km")
    )
    return picture(WIDTH, high * unit + 82, language["local_title"], language["local_desc"], "".join(parts))


def _district(code: str, name: str, some: Sequence[Facility], met: Mapping[str, int]) -> District:
    ordered = tuple(sorted(some, key=lambda one: (-met.get(one.facility_id, 0), one.facility_id)))
    points = [(one.longitude, one.latitude) for one in some if one.longitude is not None and one.latitude is not None]
    capital = _capitals().get(code[:2])
    point = (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)) if points else capital
    total = sum(met.get(one.facility_id, 0) for one in some)
    return District(code, name, _names().get(code[:2], ""), ordered, total, point, bool(points))


@cache
def _names() -> Mapping[str, str]:
    return {row["code"]: row["name"] for row in _rows("regions.csv")}


@cache
def _codes() -> Mapping[str, str]:
    """Return the code of each name that only one district has."""
    codes: dict[str, str] = {}
    for code, name in _names().items():
        codes[name.casefold()] = "" if name.casefold() in codes else code
    return codes


@cache
def _capitals() -> Mapping[str, tuple[float, float]]:
    return {row["province"]: (float(row["longitude"]), float(row["latitude"])) for row in _rows("capitals.csv")}


@cache
def _coast() -> str:
    return files("tracing.report").joinpath("data", "coast.txt").read_text(encoding="ascii").strip()


def _rows(name: str) -> list[dict[str, str]]:
    content = files("tracing.report").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(content.splitlines()))
