"""What a trace of files hands over: who met whom, who may have been the source, and the graph of it.

Answers are written as they come, some cases at a time; only the line list waits for the last.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from tracing.cases.onset import StayAtOnset
from tracing.exports import CsvFile, write_csv
from tracing.filetrace import line_list
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.columns import CONTACT_COLUMNS, SOURCE_COLUMNS
from tracing.filetrace.contacts import ranked
from tracing.filetrace.decision import Asked, Engine, Town, Trace
from tracing.filetrace.detail import Selection
from tracing.filetrace.fhir_file import FhirFile
from tracing.filetrace.graph_files import GraphFiles, Meeting, Person
from tracing.filetrace.inpatients import hospital_onsets
from tracing.filetrace.line_list import Line, LineList
from tracing.filetrace.report_facts import Facts
from tracing.filetrace.sources import NOT_YET, Standing, standings
from tracing.filetrace.tables import Batch, Contact, Writer, exposure_columns
from tracing.filetrace.visit_file import VisitFile
from tracing.instants import text_of
from tracing.report.words import Tongue
from tracing.rulesets import Rule

Tell = Callable[[str, int], None]
Cells = tuple[str, ...]


class SourceRow(NamedTuple):
    """A row of sources.csv with the rows of its exposures."""

    source: Contact | None  # none: somebody whom no visit shows
    rank: int
    plausible: bool
    cells: Cells
    exposures: Iterator[Cells]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the files, and by whom."""

    rule: Rule
    degrees: Literal[1, 2] = 1
    direction: Literal["forward", "backward", "both"] = "forward"
    time_zone: str = "Asia/Jakarta"
    asked_by: str = ""
    asked_at: datetime
    reason: str = ""
    language: Tongue = "id"  # of report.html
    report_cases: int = 25  # that it tells in detail, those with most candidates


class Package:
    """The answers to one question."""

    def __init__(
        self,
        question: Question,
        visits: VisitFile,
        cases: Sequence[FileCase],
        tell: Tell,
        engine: Engine = Trace,
    ) -> None:
        self._question, self._visits, self._cases, self._tell = question, visits, cases, tell
        rule, zone = question.rule, question.time_zone
        wanted = {case.person_id for case in cases}
        number = {text: place for place, text in enumerate(visits.columns.persons) if text in wanted}
        persons = [number.get(case.person_id, -1) for case in cases]
        self._cases_of: dict[int, list[int]] = {}
        for place, person in enumerate(persons):
            self._cases_of.setdefault(person, []).append(place)
        asked = [Asked(person, case.day_zero, case.date_isolation) for person, case in zip(persons, cases, strict=True)]
        self._trace = engine(Town(visits.columns.visits), rule, zone, asked)
        self._lines = LineList(cases, self._trace.windows, rule, zone)
        self._writer = Writer(visits, cases, rule.id, zone)
        self._contacts: Counter[tuple[str, int]] = Counter()  # by case id and degree
        self._persons = persons
        self._onsets = hospital_onsets(visits, cases, persons, self._trace.windows, zone)
        own_cases = {case.person_id: case.case_id for case in reversed(cases)}
        self._selection = Selection(len(cases), question.report_cases, own_cases)
        self.rows: dict[str, int] = {}

    def write(self, folder: Path, extra_case_columns: Sequence[str], inputs: Mapping[str, str]) -> None:
        """Write every table and graph, and remember how many rows each has; `inputs` are the SHA-256 of the files."""
        question = self._question
        with FhirFile(folder / "fhir.json", question.asked_at, question.time_zone, question.rule.id) as fhir:
            who = {"by": question.asked_by, "reason": question.reason}
            fhir.add_cases(self._cases, self._trace.windows, extra_case_columns, who, inputs)
            self._write_contacts(folder, fhir)
            self._write_sources(folder, fhir)
        lines = self._lines.rows(len(extra_case_columns))
        self.rows["linelist.csv"] = write_csv(folder / "linelist.csv", line_list.columns(extra_case_columns), lines)
        self.rows["fhir.json"] = fhir.resources

    def _write_contacts(self, folder: Path, fhir: FhirFile) -> None:
        extra = self._visits.extra_columns
        with (
            CsvFile(folder / "contacts.csv", CONTACT_COLUMNS) as contacts,
            CsvFile(folder / "exposures.csv", exposure_columns(extra)) as exposures,
            GraphFiles(folder) as graph,
        ):
            if self._question.direction != "backward":
                for contact, rank, row, rows in self._forward():
                    contacts.write(row)
                    exposures.write_all(rows)
                    graph.add(_meeting(contact))
                    fhir.add_contact(contact, rank)
            nodes = graph.finish(Person(*one) for one in self._lines.persons())
        self._selection.fill()
        self.rows |= {contacts.name: contacts.rows, exposures.name: exposures.rows}
        self.rows |= {"nodes": nodes, "edges": graph.edges}

    def _write_sources(self, folder: Path, fhir: FhirFile) -> None:
        extra = self._visits.extra_columns
        with (
            CsvFile(folder / "sources.csv", SOURCE_COLUMNS) as sources,
            CsvFile(folder / "source_exposures.csv", exposure_columns(extra)) as exposures,
        ):
            if self._question.direction != "forward":
                for source, rank, plausible, row, rows in self._backward():
                    sources.write(row)
                    exposures.write_all(rows)
                    if source is not None:
                        fhir.add_contact(source, rank, plausible=plausible)
        self.rows |= {sources.name: sources.rows, exposures.name: exposures.rows}

    def case_headers(self) -> list[dict[str, Any]]:
        """Return day zero, window and contacts of each case."""
        zone = self._question.time_zone
        return [
            {
                "case_id": case.case_id,
                "day_zero": case.day_zero.isoformat(),
                "day_zero_is": case.day_word,
                "window": [text_of(at, zone) for at in window],
                "contacts": {str(degree): self._contacts[case.case_id, degree] for degree in (1, 2)},
                **_stay(self._onsets.get(number)),
            }
            for number, (case, window) in enumerate(zip(self._cases, self._trace.windows, strict=True))
        ]

    def facts(self) -> Facts:
        """Return what the report says; only after everything is written."""
        return Facts(
            self._visits,
            self._cases,
            self._persons,
            self._trace.windows,
            self._onsets,
            self._selection,
            self._question.time_zone,
        )

    def _forward(self) -> Iterator[tuple[Contact, int, Cells, Iterator[Cells]]]:
        question = self._question
        for cases, found in self._trace.forward(question.degrees):
            batch = Batch(self._visits, found, self._question.time_zone)
            contacts, ranks = ranked(batch.contacts, self._visits.columns.persons)
            self._selection.begin(contacts)
            for contact, rank in zip(self._writer.contacts(batch, contacts), ranks.tolist(), strict=True):
                self._remember(contact)
                row = self._writer.contact_row(contact, rank)
                self._selection.add(batch, contact, rank, row)
                yield contact, rank, row, self._writer.exposure_rows(batch, contact)
            self._tell("cases traced", cases.stop)

    def _remember(self, contact: Contact) -> None:
        met = (contact.first_start, contact.last_end) if contact.degree == 1 else None
        self._lines.add(contact.target, Line(contact.degree, contact.case_no, met))
        self._contacts[contact.case.case_id, contact.degree] += 1

    def _backward(self) -> Iterator[SourceRow]:
        for cases, found in self._trace.backward():
            batch = Batch(self._visits, found, self._question.time_zone)
            known = standings(batch.found, batch.contacts, self._cases_of, self._trace.windows)
            order = np.array([one.order for one in known], dtype=np.int64)
            by_begin = dict(zip(batch.contacts.begins.tolist(), known, strict=True))
            contacts, _ = ranked(batch.contacts, self._visits.columns.persons, order)
            of_case = {
                case: list(some)
                for case, some in groupby(self._writer.contacts(batch, contacts), key=lambda one: one.case_no)
            }
            for case in cases:
                for row in self._sources(batch, case, of_case.get(case, []), by_begin):
                    self._selection.add_source(case, dict(zip(SOURCE_COLUMNS, row.cells, strict=True)))
                    yield row
            self._tell("cases traced back", cases.stop)

    def _sources(
        self, batch: Batch, case: int, sources: Sequence[Contact], known: dict[int, Standing]
    ) -> Iterator[SourceRow]:
        """Yield the rows of a case; somebody unknown comes before those who could not yet pass it on."""
        standing = [known[source.exposures.start] for source in sources]
        likely = sum(one.order != NOT_YET for one in standing)
        unknown = SourceRow(None, likely + 1, True, self._writer.unknown_row(self._cases[case], likely + 1), iter(()))
        for place, (source, one) in enumerate(zip(sources, standing, strict=True)):
            if place == likely:
                yield unknown
            rank, plausible = place + 1 + (place >= likely), one.order != NOT_YET
            source_case = self._cases[one.case].case_id if one.case >= 0 else ""
            row = self._writer.source_row(source, rank, source_case, plausible=plausible)
            yield SourceRow(source, rank, plausible, row, self._writer.exposure_rows(batch, source))
        if likely == len(sources):
            yield unknown


def _meeting(contact: Contact) -> Meeting:
    return Meeting(
        contact.source, contact.target, contact.case.case_id, contact.degree, contact.minutes, contact.facility
    )


def _stay(onset: StayAtOnset | None) -> dict[str, Any]:
    """Return an inpatient's day of stay at onset."""
    if onset is None:
        return {}
    return {"day_of_stay": onset.day_of_stay, "admitted": onset.admitted.isoformat(), "origin": onset.onset}
