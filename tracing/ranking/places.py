"""Places where it was measured who was truly close: visits and face-to-face seconds, as rows to learn from.

A check-in of these data is a person's first contact, so arriving together is true by construction: nothing may be
learnt or measured from them before every check-in and check-out has been moved by a random delay of its own.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from tracing.exposure import Flags, Ints, Visits
from tracing.files import instant_us, read_rows
from tracing.instants import DAY_US, HOUR_US, MINUTE_US
from tracing.overlaps import Spans, overlapping
from tracing.ranking.crowds import Floats, Hours, Meetings
from tracing.ranking.shapes import Shapes, Stays, shapes_of

ZONE: Final = "Asia/Jakarta"  # of the shipped data
CLOSE_S: Final = 15 * 60  # face to face, in all, within the days looked at
DELAY_MINUTES: Final = 15.0
MEETING_US: Final = 15 * MINUTE_US  # the rules' shortest: what a trace would list
_EPOCH: Final = date(1970, 1, 1)
_EAST_OF_UTC_US: Final = 7 * HOUR_US


class Place(NamedTuple):
    """A place, as measured."""

    name: str
    visits: Visits
    zone: Ints  # 0: none known
    day: Ints  # local day of the check-in, days since 1970
    contacts: "FaceToFace"


class FaceToFace(NamedTuple):
    """Who was truly close, for how long: one entry per day and pair, the smaller number first."""

    day: Ints
    one: Ints
    other: Ints
    seconds: Ints


class Sample(NamedTuple):
    """The pairs of a place that a trace would list, after delays."""

    shapes: Shapes
    close: Flags
    minutes: Floats  # together in the facility
    weighted_minutes: Floats  # each divided by the crowd of its meeting (after Adamic and Adar)

    @property
    def pairs(self) -> int:
        """How many."""
        return self.close.size

    def without_zones(self) -> "Sample":
        """Return the same where nobody knows a zone."""
        none = np.zeros(self.pairs)
        return self._replace(shapes=self.shapes._replace(same_zone=none, other_zone=none))


def read_places(visits_path: Path, contacts_path: Path) -> list[Place]:
    """Return the places by name.

    Raises:
        BadInput: names line and field of the first row that cannot be used.
    """
    columns = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
    rows = [(line, row) for line, row in read_rows(visits_path, option="--visits", required=columns)]
    wanted = ("facility_id", "day", "person_a", "person_b", "seconds")
    contacts = [row for _, row in read_rows(contacts_path, option="--contacts", required=wanted)]
    places = []
    for name in sorted({row["facility_id"] for _, row in rows}):
        own = [(line, row) for line, row in rows if row["facility_id"] == name]
        places.append(_place(name, own, [row for row in contacts if row["facility_id"] == name]))
    return places


def sample(place: Place, rng: np.random.Generator, *, days: int | None = None) -> Sample:
    """Return the pairs that a trace would list, every check-in and check-out delayed anew.

    Args:
        place: as measured.
        rng: of the delays and of which days.
        days: look at so many days in a row only; default: all.
    """
    delays = (rng.exponential(DELAY_MINUTES * MINUTE_US, (2, place.day.size))).astype(np.int64)
    first, last = int(place.day.min()), int(place.day.max())
    if days is not None:
        first = int(rng.integers(first, max(last - days + 1, first), endpoint=True))
        last = first + days - 1
    kept = np.flatnonzero((place.day >= first) & (place.day <= last))
    visits = _delayed(place.visits, delays, kept)
    spans = Spans(visits.facility, visits.check_in, visits.check_out)
    one, other = overlapping(spans, spans)
    met = _meetings(visits, one, other)
    person_one, person_other = visits.person[met.one], visits.person[met.other]
    begins = np.flatnonzero((np.diff(person_one, prepend=-1) != 0) | (np.diff(person_other, prepend=-1) != 0))
    around = Hours(visits).around(met)
    stays = Stays(visits, place.zone[kept], 0, np.ones(kept.size, dtype=np.bool_))
    minutes = (met.end - met.start) / MINUTE_US
    seconds = _seconds(place.contacts, (first, last), person_one[begins], person_other[begins])
    return Sample(
        shapes_of(stays, met, around, begins, ZONE),
        seconds >= CLOSE_S,
        np.add.reduceat(minutes, begins),
        np.add.reduceat(minutes / around.crowd, begins),
    )


def _place(name: str, rows: Sequence[tuple[int, dict[str, str]]], contacts: Sequence[dict[str, str]]) -> Place:
    persons: dict[str, int] = {}
    zones = {"": 0}
    values = []
    for line, row in rows:
        check_in = instant_us(row["check_in"], field="check_in", line=line)
        check_out = instant_us(row["check_out"], field="check_out", line=line)
        person = persons.setdefault(row["person_id"], len(persons))
        values.append((person, zones.setdefault(row["zone"], len(zones)), check_in, check_out))
    person_of, zone, came, left = (np.array(column, dtype=np.int64) for column in zip(*values, strict=True))
    close = [
        (
            (date.fromisoformat(row["day"]) - _EPOCH) // timedelta(days=1),
            *sorted((persons[row["person_a"]], persons[row["person_b"]])),
            int(row["seconds"]),
        )
        for row in contacts
    ]
    facility = np.zeros(person_of.size, dtype=np.int64)
    visits = Visits(person_of, facility, came, left, np.ones(person_of.size, dtype=np.bool_))
    columns = np.array(close, dtype=np.int64).reshape(-1, 4).T
    return Place(name, visits, zone, (came + _EAST_OF_UTC_US) // DAY_US, FaceToFace(*columns))


def _delayed(visits: Visits, delays: Ints, rows: Ints) -> Visits:
    check_in = (visits.check_in + delays[0])[rows]
    check_out = np.maximum((visits.check_out + delays[1])[rows], check_in)
    return Visits(visits.person[rows], visits.facility[rows], check_in, check_out, visits.recorded[rows])


def _meetings(visits: Visits, one: Ints, other: Ints) -> Meetings:
    """Return each pair's meetings once, by pair, then by time."""
    start = np.maximum(visits.check_in[one], visits.check_in[other])
    end = np.minimum(visits.check_out[one], visits.check_out[other])
    kept = np.flatnonzero((visits.person[one] < visits.person[other]) & (end - start >= MEETING_US))
    order = kept[np.lexsort((start[kept], visits.person[other[kept]], visits.person[one[kept]]))]
    return Meetings(one[order], other[order], start[order], end[order])


def _seconds(contacts: FaceToFace, days: tuple[int, int], one: Ints, other: Ints) -> Ints:
    """Return how long each pair was face to face on these days; pairs are in the order of both persons."""
    persons = int(max(one.max(initial=0), other.max(initial=0), contacts.other.max(initial=0))) + 1
    of_days = (contacts.day >= days[0]) & (contacts.day <= days[1])
    pair = one * persons + other
    wanted = contacts.one[of_days] * persons + contacts.other[of_days]
    place = np.minimum(np.searchsorted(pair, wanted), pair.size - 1)
    listed = pair[place] == wanted
    return np.bincount(place[listed], contacts.seconds[of_days][listed], minlength=pair.size).astype(np.int64)
