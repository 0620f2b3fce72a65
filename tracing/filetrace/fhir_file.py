"""fhir.json: a Bundle of the whole trace, written resource by resource, so that memory does not grow with it.

It holds the same as contacts.csv and sources.csv; single overlaps are in exposures.csv only.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec

from tracing.fhir import resources
from tracing.fhir.resources import Resource, name_of
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.graph_files import writable
from tracing.instants import text_of
from tracing.windows import Window

_RESTRICTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
_blanks = re.compile(r"[^\S \r\n]|^\s+|\s+\Z")
_encode = msgspec.json.Encoder().encode


class FhirFile:
    """The bundle being written."""

    def __init__(self, path: Path, asked_at: datetime, time_zone: str) -> None:
        self.resources = 0
        self._time_zone = time_zone
        self._asked_at = asked_at.isoformat()
        self._names: dict[tuple[str, str], str] = {}
        self._file = path.open("wb")
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

    def add_contact(self, row: Mapping[str, str], case_id: str, source: str, target: str, facility: str) -> None:
        """Add a candidate, or a possible source; ids as the files have them."""
        name = name_of("exposure", case_id, row.get("degree", ""), source, target)
        subject, focus = self._person(target), self._person(source)
        written = dict(row) | {"reason": said(row["reason"]), "rule": said(row["rule"])}
        self._add(resources.exposure(name, subject, focus, self._facility(facility), written))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.write(b"]}\n" if self.resources else b"}\n")
        self._file.close()

    def _person(self, person_id: str) -> str:
        name = self._names.get(("person", person_id))
        if name is None:
            name = self._names["person", person_id] = name_of("person", person_id)
            self._add(resources.patient(name, said(person_id)))
        return name

    def _facility(self, facility_id: str) -> str:
        name = self._names.get(("facility", facility_id))
        if name is None:
            name = self._names["facility", facility_id] = name_of("facility", facility_id)
            self._add(resources.location(name, said(facility_id)))
        return name

    def _add(self, resource: Resource) -> None:
        entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        self._file.write((b",\n" if self.resources else b',"entry":[\n') + _encode(entry))
        self.resources += 1


def said(text: str) -> str:
    r"""Return a text that FHIR can hold; control characters, odd blanks and blanks at either end are written `\xNN`."""
    if text.isprintable() and "\\" not in text and text[:1] != " " and text[-1:] != " ":  # nearly every text
        return text
    return _blanks.sub(lambda found: "".join(f"\\x{ord(one):02x}" for one in found[0]), writable(text))
