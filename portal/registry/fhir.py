"""Vaccinations as FHIR R4 Immunization resources of a bundle, each with its Patient: the fields of a row, and back.

A `not-done` one says that nothing was given, and is left out. `entered-in-error` withdraws.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from portal.fhir import Bundle, CodeableConcept, Entry, Identifier, Meta, Reference, read_resource
from schemas.errors import BadInput

KIND: Final = "Immunization"
NOT_DONE: Final = "not-done"
ELEMENTS: Final = {  # where a field comes from
    "identifier_type": "patient.identifier.system",
    "identifier_value": "patient.identifier.value",
    "name": "patient.name",
    "birth_date": "patient.birthDate",
    "phone": "patient.telecom",
    "dose_number": "protocolApplied.doseNumber",
    "vaccine_code": "vaccineCode",
    "occurrence_date": "occurrenceDateTime",
    "location": "location",
    "lot_number": "lotNumber",
    "record_id": "identifier",
    "last_updated": "meta.lastUpdated",
}

_bare_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Protocol(msgspec.Struct, frozen=True, rename="camel"):
    """Which dose it was."""

    dose_number_positive_int: int | None = None
    dose_number_string: str = ""

    @property
    def dose(self) -> str:
        """The number of the dose."""
        return str(self.dose_number_positive_int or "") or self.dose_number_string


class Immunization(msgspec.Struct, frozen=True, rename="camel"):
    """A vaccination."""

    status: str
    id: str = ""
    meta: Meta = Meta()
    contained: tuple[msgspec.Raw, ...] = ()
    identifier: tuple[Identifier, ...] = ()
    vaccine_code: CodeableConcept = CodeableConcept()
    patient: Reference | None = None
    occurrence_date_time: str = ""
    recorded: str = ""
    location: Reference = Reference()
    lot_number: str = ""
    protocol_applied: tuple[Protocol, ...] = ()

    @property
    def name(self) -> str:
        """What it is known by: the first identifier, else the resource's id."""
        return next((f"{one.system}|{one.value}" for one in self.identifier if one.value), self.id)


class Given(NamedTuple):
    """A vaccination of a bundle as the fields of a row; or why it cannot be one."""

    number: int
    fields: dict[str, str]
    fault: BadInput | None = None


def vaccinations_of(bundle: Bundle) -> Iterator[Given]:
    """Yield the vaccinations of a bundle in order, and every entry that cannot be read."""
    for entry in bundle.of_kind(KIND):
        try:
            fields = _fields(bundle, entry)
        except BadInput as error:
            yield Given(entry.number, {}, error)
        else:
            if fields is not None:
                yield Given(entry.number, fields)


def _fields(bundle: Bundle, entry: Entry) -> dict[str, str] | None:
    if entry.fault is not None:
        raise entry.fault
    given = read_resource(Immunization, entry.raw)
    if given.status == NOT_DONE:
        return None
    patient = bundle.patient(given.patient, given.contained, "patient")
    kind, number = patient.document
    if not kind:
        raise BadInput("has no identifier of a system we know", field="patient.identifier")
    return {
        "identifier_type": kind,
        "identifier_value": number,
        "name": patient.called,
        "birth_date": patient.birth_date,
        "phone": patient.phone,
        "dose_number": next((one.dose for one in given.protocol_applied), ""),
        "vaccine_code": given.vaccine_code.code,
        "occurrence_date": given.occurrence_date_time,
        "location": given.location.display,
        "lot_number": given.lot_number,
        "status": given.status,
        "record_id": given.name,
        "last_updated": given.meta.last_updated or _instant(given.recorded),
    }


def _instant(text: str) -> str:
    """Return a FHIR dateTime, which may be a day alone, as an instant or nothing."""
    return f"{text}T00:00:00+00:00" if _bare_day.fullmatch(text) else text
