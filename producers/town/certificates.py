"""What a vaccination register has on record of the town's people: rows as `jejak registry import` takes them.

Invented, names too; about as many had two doses and a booster as in the autumn of 2022. The same town has the same.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from producers.town.people import BORN_UNTIL, WOMEN_DAY_OFFSET, Person, Town

COLUMNS: Final = (
    *("identifier_type", "identifier_value", "name", "birth_date", "phone"),
    *("dose_number", "vaccine_code", "occurrence_date", "location"),
)
NONE: Final = 0.08  # have no dose, and so no certificate
SHARES: Final = (0.12, 0.45, 0.43)  # of the others have one, two, three doses
CHILDREN_YEARS: Final = 6  # younger ones got none
FIRST_DAY: Final = date(2021, 7, 1)
GIVEN: Final = (
    *("Siti", "Agus", "Dewi", "Budi", "Rina", "Andi", "Putri", "Joko", "Lestari", "Eko", "Wulan", "Hendra"),
    *("Nur", "Bayu", "Ratna", "Dimas", "Ayu", "Rizky", "Fitri", "Yusuf"),
)
FAMILY: Final = (
    *("Wijaya", "Susanto", "Rahayu", "Saputra", "Hidayat", "Lestari", "Kusuma", "Setiawan", "Handayani"),
    *("Pratama", "Wulandari", "Nugroho", "Permata", "Santoso", "Utami", "Gunawan"),
)


def town_vaccinations(town: Town, people: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the first so many people who have a NIK."""
    known = [person for person in town.people if person.subject.type == "nik"][:people]
    for person in known:
        rng = Random(f"{town.seed}|certificate|{person.number}")  # noqa: S311 — a simulation
        yield from _doses(rng, person, town)


def _doses(rng: Random, person: Person, town: Town) -> Iterator[tuple[str, ...]]:
    if person.age < CHILDREN_YEARS or rng.random() < NONE:
        return
    number = rng.choices((1, 2, 3), SHARES)[0]
    name = f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}"
    place = rng.choice(town.places).name
    phone = f"08{rng.randrange(10**9, 10**10)}" if person.has_phone else ""
    day = FIRST_DAY + timedelta(days=rng.randrange(120))
    for dose in range(1, number + 1):
        vaccine = "CoronaVac" if dose < 3 else "Comirnaty"  # noqa: PLR2004 — the booster
        born = birth_date(person).isoformat()
        yield ("nik", person.subject.value, name, born, phone, str(dose), vaccine, day.isoformat(), place)
        day += timedelta(days=28 if dose == 1 else 180)


def birth_date(person: Person) -> date:
    """Return the birth date in a person's NIK, in the century that his age says."""
    digits = person.subject.value[6:12]
    day, month, year = int(digits[:2]) % WOMEN_DAY_OFFSET, int(digits[2:4]), int(digits[4:])
    born = BORN_UNTIL.year - person.age
    century = min((1900, 2000), key=lambda one: abs(one + year - born))
    return date(century + year, month, day)
