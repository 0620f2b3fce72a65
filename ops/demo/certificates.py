"""The demonstration's vaccination register: rows of the synthetic town, and somebody of each colour to look up."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final, NamedTuple

from ops.store import transaction
from portal.identity import open_vault
from portal.registry.colours import Colour, Facts, colour_of, editions
from portal.registry.importing import batches, good, judge
from portal.registry.records import Record
from portal.registry.taking import take
from portal.store import ROLE
from producers.town.certificates import COLUMNS, town_vaccinations
from producers.town.people import Town
from schemas.settings import Settings

PEOPLE: Final = 400
WHO: Final = "demo-registry"


class Shown(NamedTuple):
    """Somebody whom an officer may look up in the demonstration."""

    colour: Colour
    nik: str
    name: str


def seed_certificates(settings: Settings, town: Town) -> tuple[int, list[Shown]]:
    """Import what the register has on record; return how many doses, and one person of each colour."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(town_vaccinations(town, PEOPLE))
    now = datetime.now(UTC)
    records: list[Record] = []
    with transaction(settings, ROLE) as conn:
        vault = open_vault(conn, settings)
        for group in batches(judge("csv", text.getvalue().encode(), now, demo=settings.demo)):
            take(conn, vault, good(group), WHO, "csv")
            records += good(group)
    return len(records), _one_of_each(records, now)


def _one_of_each(records: Sequence[Record], now: datetime) -> list[Shown]:
    doses: dict[str, list[Record]] = {}
    for record in records:
        doses.setdefault(record.subject.value, []).append(record)
    found: dict[Colour, Shown] = {}
    for nik, given in doses.items():
        facts = Facts(birth_date=given[0].holder.birth_date, doses=tuple((one.dose, one.given_on) for one in given))
        colour = colour_of(facts, now, editions())
        found.setdefault(colour, Shown(colour, nik, given[0].holder.name))
    return [found[colour] for colour in Colour if colour in found]
