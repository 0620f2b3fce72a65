"""fhir.json: a Bundle of the whole trace, written resource by resource, so that memory does not grow with it.

It holds the same as contacts.csv and sources.csv; single overlaps are in exposures.csv only.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec

from tracing.exports import BUFFER_BYTES
from tracing.fhir import resources
from tracing.fhir.forms import Filling, exposure_form, inside, number
from tracing.fhir.resources import Resource, instant, name_of
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.graph_files import writable
from tracing.filetrace.tables import Contact
from tracing.instants import text_of
from tracing.windows import Window

_RESTRICTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
_blanks = re.compile(r"[^\S \r\n]|^\s+|\s+\Z")
_encode = msgspec.json.Encoder().encode


class FhirFile:
    """The bundle being written."""

    def __init__(self, path: Path, asked_at: datetime, time_zone: str, rule_id: str) -> None:
        self.resources = 0
        self._rule = inside(said(rule_id))
        self._time_zone = time_zone
        self._asked_at = asked_at.isoformat()
        self._persons: dict[str, str] = {}
        self._facilities: dict[str, str] = {}
        self._file = path.open("wb", BUFFER_BYTES)
        head = {"resourceType": "Bundle", "meta": {"security": [_RESTRICTED]}, "type": "collection"}
        self._file.write(_encode(head | {"timestamp": self._asked_at})[:-1])

    def add_cases(
        self,
        cases: Sequence[FileCase],
        windows: Sequence[Window],
        extra: Sequence[str],
        who: Mapping[str, str],
        inputs: Mapping[str, str],
    ) -> None:
        """Add what is known of the cases, and who asked: `by` and `reason`."""
        place = extra.index("classification") if "classification" in extra else None
        targets = []
        for case, window in zip(cases, windows, strict=True):
            subject = self._person(case.person_id)
            targets.append(name := name_of("case", case.case_id))
            note = f"Day 0 is {case.day_zero}, the day of {case.day_word}."
            if case.date_isolation:
                note += f" Isolated on {case.date_isolation}."
            onset = case.date_onset.isoformat() if case.date_onset else ""
            classification = "" if place is None else case.extra[place]
            self._add(resources.condition(name, subject, said(case.case_id), onset, classification, note))
            if case.date_specimen:
                collected = case.date_specimen.isoformat()
                self._add(resources.specimen(name_of("specimen", case.case_id), subject, collected))
            if window.start < window.end:
                period = [text_of(at, self._time_zone) for at in window]
                self._add(resources.infectious_period(name_of("period", case.case_id), subject, name, *period))
        if targets:
            name = name_of("trace", self._asked_at)
            by, reason = (said(who[key]) if who[key] else "" for key in ("by", "reason"))
            self._add(resources.provenance(name, targets, self._asked_at, by, reason, inputs))

    def add_contact(self, contact: Contact, rank: int, *, plausible: bool | None = None) -> None:
        """Add a candidate, or a possible source, of whom it is said whether he could pass it on."""
        _, _, start, end, minutes, overlaps, days, probability = contact.cells
        degree = str(contact.degree) if plausible is None else ""
        filling = Filling(
            name_of("exposure", contact.case.case_id, degree, contact.source, contact.target),
            self._person(contact.target),
            self._person(contact.source),
            self._facility(contact.facility),
            instant(start),
            instant(end),
            self._rule,
            inside(said(contact.reason)),
            number(float(minutes)),
            degree,
            str(rank),
            overlaps,
            days,
            number(float(probability)),
        )
        self._write(exposure_form(contact.estimated == "true", plausible).filled(filling).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.write(b"]}\n" if self.resources else b"}\n")
        self._file.close()

    def _person(self, person_id: str) -> str:
        name = self._persons.get(person_id)
        if name is None:
            name = self._persons[person_id] = name_of("person", person_id)
            self._add(resources.patient(name, said(person_id)))
        return name

    def _facility(self, facility_id: str) -> str:
        name = self._facilities.get(facility_id)
        if name is None:
            name = self._facilities[facility_id] = name_of("facility", facility_id)
            self._add(resources.location(name, said(facility_id)))
        return name

    def _add(self, resource: Resource) -> None:
        self._write(_encode({"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}))

    def _write(self, entry: bytes) -> None:
        self._file.write(b",\n" if self.resources else b',"entry":[\n')
        self._file.write(entry)
        self.resources += 1


def said(text: str) -> str:
    r"""Return a text that FHIR can hold; control characters, odd blanks and blanks at either end are written `\xNN`."""
    if text.isprintable() and "\\" not in text and text[:1] != " " and text[-1:] != " ":  # nearly every text
        return text
    return _blanks.sub(lambda found: "".join(f"\\x{ord(one):02x}" for one in found[0]), writable(text))
