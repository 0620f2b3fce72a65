"""The rows of contacts.csv, exposures.csv and sources.csv. Every cell that came from outside is made safe."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from tracing.cases.candidates import Meetings, sentence, signed
from tracing.exports import safe_cell
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.columns import EXPOSURE_COLUMNS
from tracing.filetrace.contacts import Contacts, contacts_of
from tracing.filetrace.decision import Found
from tracing.filetrace.instant_columns import texts_of
from tracing.filetrace.visit_file import Detail, VisitFile
from tracing.instants import text_of
from tracing.pair import person_minutes
from tracing.ranking.infection import risks_of
from tracing.ranking.model import SCALE, millionths_of, shipped_model
from tracing.ranking.shapes import Shapes
from tracing.ranking.words import Counted, words_of
from tracing.windows import local_day, midnight

UNKNOWN: Final = "unknown"
_ESTIMATED: Final = {False: (), True: ("check-out estimated",)}


class Batch:
    """Some cases' exposures and contacts, with the texts of the visits that are in them."""

    def __init__(self, file: VisitFile, found: Found, time_zone: str) -> None:
        visits = file.columns.visits
        rows = np.unique(np.concatenate([found.from_row, found.to_row]))
        details = file.details(rows)
        ids = np.array([detail.visit_id for detail in details], dtype=object)
        rank = np.empty(rows.size, dtype=np.int64)
        rank[np.argsort(ids)] = np.arange(rows.size)
        ranks = rank[np.searchsorted(rows, found.from_row)], rank[np.searchsorted(rows, found.to_row)]
        self.found, contacts = contacts_of(found, visits.person, visits.recorded, ranks)
        self.shapes: Shapes | None = None
        if contacts.begins.size:
            self.shapes = file.surroundings.shapes(self.found, contacts.begins, time_zone)
            contacts = contacts._replace(millionths=millionths_of(shipped_model(), self.shapes))
        self.contacts = contacts
        self._details = details
        self._places = [np.searchsorted(rows, side).tolist() for side in (self.found.from_row, self.found.to_row)]
        self.starts, self.ends = (texts_of(at, time_zone) for at in (self.found.start, self.found.end))

    def visits_of(self, exposure: int) -> tuple[Detail, Detail]:
        """Return what the file says of both visits of an exposure."""
        one, other = self._places
        return self._details[one[exposure]], self._details[other[exposure]]

    def counted(self, contacts: Contacts) -> list[Counted]:
        """Return what counted for each of these contacts."""
        if self.shapes is None:
            return []
        rows = np.searchsorted(self.contacts.begins, contacts.begins)
        columns = [getattr(self.shapes, name)[rows].tolist() for name in Counted._fields]
        return [Counted(*values) for values in zip(*columns, strict=True)]


class Contact(NamedTuple):
    """A contact as plain values."""

    case_no: int
    case: FileCase
    degree: int
    source: str
    target: str
    exposures: range
    first_start: int
    last_end: int
    facility: str
    minutes: str
    ids: tuple[str, str, str]  # as cells: of both persons, and of the case
    cells: tuple[str, ...]  # those of `MEETING_COLUMNS`
    estimated: str
    reason: str
    risk: str
    counted: Counted


class Writer:
    """Makes rows of a batch; holds what is the same for all batches."""

    def __init__(self, file: VisitFile, cases: Sequence[FileCase], rule_id: str, time_zone: str) -> None:
        self._file, self._cases, self._rule, self._time_zone = file, cases, rule_id, time_zone
        self._safe_case = [safe_cell(case.case_id) for case in cases]
        self._safe_facility = list(map(safe_cell, file.columns.facilities))
        self._safe_zone = list(map(safe_cell, file.columns.zones))
        self._day_zero = np.array([midnight(case.day_zero, time_zone) for case in cases], dtype=np.int64)

    def contacts(self, batch: Batch, contacts: Contacts) -> Iterator[Contact]:
        """Yield the contacts in the order given."""
        columns = self._file.columns
        rows = batch.found.from_row[contacts.longest]
        facility, zone = columns.visits.facility[rows].tolist(), columns.zone[rows].tolist()
        start, end = batch.found.start[contacts.longest].tolist(), batch.found.end[contacts.longest].tolist()
        counted, risks = batch.counted(contacts), self._risks(batch, contacts)
        for place, values in enumerate(zip(*(column.tolist() for column in contacts), strict=True)):
            case = self._cases[values[0]]
            here, zone_here = facility[place], zone[place]
            where = columns.facilities[here], columns.zones[zone_here]
            source, target = columns.persons[values[2]], columns.persons[values[3]]
            day = local_day(start[place], self._time_zone)
            number, minutes = values[5] - values[4], person_minutes(values[8])
            days = (day - case.day_zero).days
            met = Meetings(number, values[8], end[place] - start[place])
            since = f"day {signed(days)} of {case.day_word}"
            yield Contact(
                values[0],
                case,
                values[1],
                source,
                target,
                range(values[4], values[5]),
                values[6],
                values[7],
                where[0],
                minutes,
                (safe_cell(source), safe_cell(target), self._safe_case[values[0]]),
                (
                    self._safe_facility[here],
                    self._safe_zone[zone_here],
                    batch.starts[values[4]],
                    batch.ends[values[4]] if number == 1 else text_of(values[7], self._time_zone),
                    minutes,
                    str(number),
                    str(days),
                    _probability(values[10]),
                ),
                "true" if values[11] else "false",
                safe_cell(
                    "; ".join(
                        [sentence(met, *where, day, since, []), *words_of(counted[place]), *_ESTIMATED[values[11]]]
                    )
                ),
                risks[place],
                counted[place],
            )

    def _risks(self, batch: Batch, contacts: Contacts) -> list[str]:
        """Return the infection risk of contacts of first degree; whether somebody else infects at all is not known."""
        if not contacts.begins.size:
            return []
        since = self._day_zero[batch.found.case]
        exposures = batch.found.start - since, batch.found.end - since
        risks = risks_of(exposures, batch.contacts.begins)[np.searchsorted(batch.contacts.begins, contacts.begins)]
        return [
            f"{risk:.6f}" if degree == 1 else ""
            for risk, degree in zip(risks.tolist(), contacts.degree.tolist(), strict=True)
        ]

    def contact_row(self, contact: Contact, rank: int) -> tuple[str, ...]:
        """Return a row of contacts.csv."""
        counted = (*contact.cells, str(rank), contact.estimated, self._rule, contact.reason, contact.risk)
        return (*contact.ids, str(contact.degree), *counted)

    def source_row(self, contact: Contact, rank: int, source_case_id: str, *, plausible: bool) -> tuple[str, ...]:
        """Return a row of sources.csv for somebody who was there."""
        source, target, case_id = contact.ids
        known = "true" if plausible else "false", str(rank), safe_cell(source_case_id)
        return (case_id, source, target, *known, *contact.cells, contact.estimated, self._rule, contact.reason)

    def unknown_row(self, case: FileCase, rank: int) -> tuple[str, ...]:
        """Return the row of sources.csv for somebody whom no visit shows."""
        ids = safe_cell(case.case_id), UNKNOWN, safe_cell(case.person_id)
        reason = "somebody whom no visit of the file shows"
        return (*ids, "true", str(rank), "", "", "", "", "", "0.000", "0", "", "", "false", self._rule, reason)

    def exposure_rows(self, batch: Batch, contact: Contact) -> Iterator[tuple[str, ...]]:
        """Yield the rows of exposures.csv of a contact, in the order of time; extra columns of both visits last."""
        *persons, case_id = contact.ids
        degree = str(contact.degree)
        for exposure in contact.exposures:
            one, other = batch.visits_of(exposure)
            yield (
                case_id,
                safe_cell(one.visit_id),
                safe_cell(other.visit_id),
                *persons,
                degree,
                batch.starts[exposure],
                batch.ends[exposure],
                *map(safe_cell, one.extra),
                *map(safe_cell, other.extra),
            )


def _probability(millionths: int) -> str:
    return f"{millionths / SCALE:.6f}"


def exposure_columns(extra: Sequence[str]) -> tuple[str, ...]:
    """Return the header of exposures.csv: extra columns of the visits come once for each side."""
    return (
        *EXPOSURE_COLUMNS,
        *(safe_cell(f"from_{name}") for name in extra),
        *(safe_cell(f"to_{name}") for name in extra),
    )
