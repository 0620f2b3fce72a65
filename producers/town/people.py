"""The people of the town: households in a sub-district, ages, jobs in facilities, phones, and how they scan."""

from datetime import date, timedelta
from random import Random
from typing import Final

import msgspec

from producers.gate_scans import Subject
from producers.town.places import Place, build_places
from producers.town.regions import districts
from schemas.events import Kind

BORN_UNTIL: Final = date(
    2026, 1, 1
)  # ages are as of this day, so that the town does not depend on when it is asked for
AGE_MAX_YEARS: Final = 95
DAYS_A_YEAR: Final = 365.25
WOMEN_DAY_OFFSET: Final = 40
MOVED: Final = 0.2  # registered first somewhere else than where they live
SERIAL_MAX: Final = 9_999
STAFF_SHARE: Final = 0.12
STAFF_WEIGHTS: Final = {Kind.HOSPITAL: 20.0, Kind.PUSKESMAS: 6.0, Kind.CLINIC: 3.0, Kind.LABORATORY: 2.5}
COURIER_SHARE: Final = 0.004
CREW_SHARE: Final = 0.004
FOREIGN_SHARE: Final = 0.004
UNKNOWN_SHARE: Final = 0.002
WORKING_YEARS: Final = (20, 60)
GRANDPARENTS: Final = 0.12
HOUSEHOLD_SIZES: Final = (1, 2, 3, 4, 5, 6)
HOUSEHOLD_WEIGHTS: Final = (8, 14, 23, 28, 17, 10)


class Person(msgspec.Struct, frozen=True, gc=False):
    """One inhabitant. `person_id` names him in files; the gate is told his subject."""

    number: int
    person_id: str
    subject: Subject
    age: int
    district: str
    household: int
    place: int  # index of the facility he works in; -1: none
    job: str  # staff, courier, crew or empty
    has_phone: bool
    forgets: float  # how often he does not scan out
    offline: float  # how often his phone has no signal that day


class Town(msgspec.Struct, frozen=True):
    """Facilities, people, and who lives with whom."""

    seed: int
    places: tuple[Place, ...]
    people: tuple[Person, ...]
    households: tuple[tuple[int, ...], ...]  # numbers of people


def build_town(*, seed: int, people: int, facilities: int) -> Town:
    """Return the town of that seed: the same arguments give the same town."""
    rng = Random(f"{seed}|town")  # noqa: S311 — a simulation
    places = build_places(rng, facilities)
    registry = _Registry(rng)
    made: list[Person] = []
    households: list[tuple[int, ...]] = []
    jobs = _Jobs(rng, places)
    while len(made) < people:
        size = min(rng.choices(HOUSEHOLD_SIZES, HOUSEHOLD_WEIGHTS)[0], people - len(made))
        district = rng.choices(districts(), [area.population for area in districts()])[0]
        sub_district = rng.choice(district.sub_districts).code
        ages = _ages(rng, size)
        households.append(tuple(range(len(made), len(made) + size)))
        for age in ages:
            made.append(_person(rng, len(made), len(households) - 1, sub_district, age, registry, jobs))
    return Town(seed=seed, places=tuple(places), people=tuple(made), households=tuple(households))


class _Jobs:
    """Gives work in a facility, preferably in the own district."""

    def __init__(self, rng: Random, places: list[Place]) -> None:
        self._rng = rng
        self._by_district: dict[str, list[int]] = {}
        for index, place in enumerate(places):
            self._by_district.setdefault(place.district, []).append(index)
        self._weights = [STAFF_WEIGHTS[place.kind] * place.size for place in places]

    def job(self, age: int, district: str) -> tuple[str, int]:
        chance = self._rng.random()
        near = self._by_district.get(district)
        if not WORKING_YEARS[0] <= age < WORKING_YEARS[1] or not near:
            return "", -1
        # Only about 55 of 100 people are of working age: the shares are of all people.
        chance *= 0.55
        place = self._rng.choices(near, [self._weights[index] for index in near])[0]
        if chance < STAFF_SHARE:
            return "staff", place
        if chance < STAFF_SHARE + COURIER_SHARE:
            return "courier", -1
        return ("crew", -1) if chance < STAFF_SHARE + COURIER_SHARE + CREW_SHARE else ("", -1)


class _Registry:
    """Gives NIKs out as the ministry does: the serial counts per sub-district, birth date and sex."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._serials: dict[str, int] = {}
        self._everywhere = [each.code for area in districts() for each in area.sub_districts]

    def nik(self, sub_district: str, born: date, *, woman: bool) -> str:
        registered = self._rng.choice(self._everywhere) if self._rng.random() < MOVED else sub_district
        day = born.day + (WOMEN_DAY_OFFSET if woman else 0)
        stem = f"{registered.replace('.', '')}{day:02d}{born:%m%y}"
        serial = self._serials[stem] = self._serials.get(stem, 0) + 1
        assert serial <= SERIAL_MAX
        return f"{stem}{serial:04d}"


def _person(
    rng: Random, number: int, household: int, sub_district: str, age: int, registry: _Registry, jobs: _Jobs
) -> Person:
    born = BORN_UNTIL - timedelta(days=int(age * DAYS_A_YEAR) + rng.randrange(1, 365))
    district = sub_district[:5]
    nik = registry.nik(sub_district, born, woman=rng.random() < 0.5)  # noqa: PLR2004 — a half
    job, place = jobs.job(age, district)
    phone = 0.05 if age < 12 else 0.6 if age >= 65 else 0.94  # noqa: PLR2004 — ages
    return Person(
        number=number,
        person_id=f"W{number:07d}",
        subject=_subject(rng, number, nik, district, job),
        age=age,
        district=district,
        household=household,
        place=place,
        job=job,
        has_phone=rng.random() < phone or bool(job),
        forgets=rng.betavariate(1, 12) if job else rng.betavariate(1, 5),
        offline=rng.betavariate(1, 20),
    )


def _subject(rng: Random, number: int, nik: str, district: str, job: str) -> Subject:
    chance = rng.random()
    if not job and chance < FOREIGN_SHARE:
        return Subject(type=rng.choice(("passport", "kitas")), value=f"X{number:07d}", district=district)
    if not job and chance < FOREIGN_SHARE + UNKNOWN_SHARE:
        return Subject(type="temporary", value=f"TMP{number:07d}")
    return Subject(type="nik", value=nik, district=district)


def _ages(rng: Random, size: int) -> list[int]:
    """Return the ages of a household: one or two grown-ups, then children, now and then a grandparent."""
    first = rng.randrange(22, 70)
    ages = [first]
    if size > 1:
        ages.append(min(AGE_MAX_YEARS, max(20, first + rng.randrange(-8, 9))))
    while len(ages) < size:
        old = rng.random() < GRANDPARENTS
        ages.append(first + rng.randrange(22, 32) if old else max(0, first - rng.randrange(20, 40)))
    return [min(age, AGE_MAX_YEARS) for age in ages]
