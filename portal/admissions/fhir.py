"""The feed as FHIR R4 Encounter resources: a whole stay each, as it stands; sent again when it has gone on. Pure.

Wards are the encounter's locations, by when somebody came into them. Only stays count (class IMP, ACUTE, NONAC,
OBSENC): an outpatient passes the doors himself; what became one is taken back. A stay that was planned or cancelled
stands for no scan; one that ended in death (`hospitalization.dischargeDisposition` exp) ends as any other.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from portal.admissions.rows import TYPES
from portal.admissions.stays import Passage, Unit, of_stay
from portal.cells import instant, one_of, subject, words
from portal.fhir import Bundle, Coding, Entry, Identifier, Meta, Reference, read_resource
from portal.identity import Subject
from schemas.errors import BadInput

KIND: Final = "Encounter"
FACILITY: Final = "urn:jejak:facility"
STAYS: Final = ("IMP", "ACUTE", "NONAC", "OBSENC")
BEGUN: Final = ("arrived", "triaged", "in-progress", "onleave", "finished", "unknown")
NOT_BEGUN: Final = ("planned", "cancelled", "entered-in-error")


class Period(msgspec.Struct, frozen=True):
    """From when until when."""

    start: str = ""
    end: str = ""


class Location(msgspec.Struct, frozen=True):
    """Where somebody was."""

    location: Reference = Reference()
    status: str = ""
    period: Period = Period()


class Encounter(msgspec.Struct, frozen=True, rename={"kind": "class", "service_provider": "serviceProvider"}):
    """A stay."""

    status: str
    kind: Coding = Coding()
    id: str = ""
    meta: Meta = Meta()
    contained: tuple[msgspec.Raw, ...] = ()
    identifier: tuple[Identifier, ...] = ()
    subject: Reference | None = None
    period: Period = Period()
    location: tuple[Location, ...] = ()
    service_provider: Reference = Reference()

    @property
    def name(self) -> str:
        """What it is known by: the first identifier, else the resource's id."""
        return next((f"{one.system}|{one.value}" for one in self.identifier if one.value), self.id)


class Stay(NamedTuple):
    """A stay of a bundle; or why it cannot be one; neither: it is none that we take."""

    number: int
    unit: Unit | None
    fault: BadInput | None = None


def stays_of(bundle: Bundle, own_facility: str, now: datetime, *, demo: bool) -> Iterator[Stay]:
    """Yield the encounters of a bundle in order, and every entry that cannot be read.

    Args:
        bundle: what was sent.
        own_facility: where an encounter names none (as `serviceProvider`, an identifier of system urn:jejak:facility).
        now: nothing happened later.
        demo: people of type `test` are known.
    """
    for entry in bundle.of_kind(KIND):
        try:
            yield Stay(entry.number, _unit(bundle, entry, own_facility, now, demo=demo))
        except BadInput as error:
            yield Stay(entry.number, None, error)


def _unit(bundle: Bundle, entry: Entry, own_facility: str, now: datetime, *, demo: bool) -> Unit | None:
    if entry.fault is not None:
        raise entry.fault
    stay = read_resource(Encounter, entry.raw)
    provider = stay.service_provider.identifier
    facility_id = (provider.value if provider is not None and provider.system == FACILITY else "") or own_facility
    as_of = instant(stay.meta.last_updated, "meta.lastUpdated", now) if stay.meta.last_updated else None
    if stay.kind.code not in STAYS:
        if not (facility_id and stay.name):
            return None
        return Unit(facility_id=facility_id, name=stay.name, subject=None, passages=(), as_of=as_of)
    return Unit(
        facility_id=words(facility_id, "serviceProvider"),
        name=words(stay.name, "identifier", most=512),
        subject=_subject(bundle, stay, demo=demo),
        passages=_passages(bundle, stay, now) if stay.status in BEGUN else (),
        as_of=as_of,
    )


def _subject(bundle: Bundle, stay: Encounter, *, demo: bool) -> Subject:
    one_of((*BEGUN, *NOT_BEGUN), stay.status, "status")
    kind, number = bundle.patient(stay.subject, stay.contained, "subject").document
    try:
        return subject({"identifier_type": kind, "identifier_value": number}, TYPES, demo=demo)
    except BadInput as error:
        raise BadInput(error.reason, field="subject.identifier") from None


def _passages(bundle: Bundle, stay: Encounter, now: datetime) -> tuple[Passage, ...]:
    start = instant(stay.period.start, "period.start", now)
    is_over = bool(stay.period.end) or stay.status == "finished"  # one without its end would last for weeks
    end = instant(stay.period.end, "period.end", now) if is_over else None
    if end is not None and end < start:
        raise BadInput("is before period.start", field="period.end")
    wards = []
    for one in stay.location:
        if one.status in {"planned", "reserved"}:
            continue
        ward = words(bundle.place(one.location, stay.contained), "location.location.display")
        since = instant(one.period.start, "location.period.start", now) if one.period.start else start
        if end is None or since <= end:
            wards.append((since, ward))
    return of_stay(start, sorted(wards), end)
