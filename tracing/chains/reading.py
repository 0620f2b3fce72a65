"""The two files, read strictly: the first row that cannot be used ends it, named by line and field."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from schemas.errors import BadInput
from tracing.chains.tables import EPOCH, NO_DAY, NOWHERE, Tables
from tracing.files import YEAR_MAX, YEAR_MIN, read_rows

PROGRESS_ROWS: Final = 100_000
# Words for a person who has the disease, as line lists use them; any other word, and none, is a contact.
POSITIVE: Final = frozenset({"konfirmasi", "probable", "confirmed", "case", "kasus", "positive", "positif"})

_iso_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_tables(linelist: Path, contacts: Path, progress: Callable[[int], None]) -> Tables:
    """Return both tables.

    Args:
        linelist: `id`, `date_onset` (may be empty), one row for each id; `classification` if there.
        contacts: `from`, `to`, any number of rows; `facility_id` if there (may be empty).
        progress: told the number of rows of contacts read, now and then.

    Raises:
        BadInput: names line and field, or the option.
    """
    persons = _read_linelist(linelist)
    links = _Links(persons)
    rows = read_rows(contacts, option="--contacts", required=("from", "to"), optional=("facility_id",))
    for number, (line, row) in enumerate(rows, start=1):
        links.add(line, row)
        if number % PROGRESS_ROWS == 0:
            progress(number)
    return links.tables(persons)


def _read_linelist(path: Path) -> dict[str, tuple[int, bool]]:
    """Return day of onset, and whether it is a case, by id."""
    persons: dict[str, tuple[int, bool]] = {}
    days = {"": NO_DAY}
    rows = read_rows(path, option="--linelist", required=("id", "date_onset"), optional=("classification",))
    for line, row in rows:
        person, onset = row["id"], row["date_onset"]
        if not person:
            raise BadInput("is empty", field="id", line=line)
        if person in persons:
            raise BadInput("is there twice", field="id", line=line)
        if onset not in days:
            days[onset] = _day(onset, line)
        classification = row.get("classification")
        persons[person] = days[onset], classification is None or classification.strip().casefold() in POSITIVE
    return persons


def _day(text: str, line: int) -> int:
    try:
        day = date.fromisoformat(text) if _iso_date.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise BadInput("is not an ISO 8601 date", field="date_onset", line=line)
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise BadInput(f"is outside the years {YEAR_MIN}–{YEAR_MAX}", field="date_onset", line=line)
    return (day - EPOCH).days


class _Links:
    """The rows of contacts, each id a number in the order they came."""

    def __init__(self, persons: dict[str, tuple[int, bool]]) -> None:
        self._numbers = {person: number for number, person in enumerate(persons)}
        self._facilities = {"": NOWHERE}
        self._has_facility = False
        self._source: list[int] = []
        self._target: list[int] = []
        self._facility: list[int] = []

    def add(self, line: int, row: dict[str, str]) -> None:
        source, target = row["from"], row["to"]
        if not source or not target:
            raise BadInput("is empty", field="to" if source else "from", line=line)
        numbers = self._numbers
        self._source.append(numbers.setdefault(source, len(numbers)))
        self._target.append(numbers.setdefault(target, len(numbers)))
        facility = row.get("facility_id")
        if facility is not None:
            self._has_facility = True
            self._facility.append(self._facilities.setdefault(facility, len(self._facilities) - 1))

    def tables(self, persons: dict[str, tuple[int, bool]]) -> Tables:
        ids = sorted(self._numbers)
        known = [persons.get(person) for person in ids]
        place = np.empty(len(ids), np.int64)  # of each id among all, by the number it had while reading
        place[[self._numbers[person] for person in ids]] = np.arange(len(ids))
        source = place[np.array(self._source, np.int64)]
        target = place[np.array(self._target, np.int64)]
        in_contacts = np.zeros(len(ids), np.bool_)
        in_contacts[source] = in_contacts[target] = True
        return Tables(
            ids=ids,
            in_linelist=np.array([one is not None for one in known], np.bool_),
            in_contacts=in_contacts,
            onset_day=np.array([NO_DAY if one is None else one[0] for one in known], np.int64),
            positive=np.array([one is not None and one[1] for one in known], np.bool_),
            linelist_rows=len(persons),
            source=source,
            target=target,
            facility=np.array(self._facility, np.int64) if self._has_facility else None,
            facilities=list(self._facilities)[1:],
        )
