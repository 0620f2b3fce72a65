"""fhir.json of a stored trace: the case, who asked, every candidate and possible source, as a FHIR R4 Bundle. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from tracing.fhir import resources
from tracing.fhir.resources import COUNTED, Resource, name_of
from tracing.filetrace.fhir_file import said
from tracing.handover.dossier import Dossier
from tracing.handover.tables import Tables
from tracing.instants import text_of

_RESTRICTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


def bundle_of(dossier: Dossier, tables: Tables, by: str, reason: str, asked_at: datetime) -> Resource:
    """Return the bundle; a candidate without a probability, as of who only rode along, has none here either."""
    found = {one["id"]: one for one in _resources(dossier, tables, by, reason, asked_at.isoformat())}
    return {
        "resourceType": "Bundle",
        "meta": {"security": [_RESTRICTED]},
        "type": "collection",
        "timestamp": asked_at.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{name}", "resource": resource} for name, resource in found.items()],
    }


def _resources(dossier: Dossier, tables: Tables, by: str, reason: str, asked_at: str) -> Iterator[Resource]:
    view = dossier.view
    case, subject = name_of("case", view.case_id), name_of("person", view.case_ref)
    yield resources.patient(subject, view.case_ref)
    onset = dossier.date_onset.isoformat() if dossier.date_onset else ""
    note = f"Day 0 is {view.day0}, the day of {view.day0_is}."
    if view.date_isolation:
        note += f" Isolated on {view.date_isolation}."
    yield resources.condition(case, subject, view.case_id, onset, view.classification, note)
    if dossier.date_specimen:
        collected = dossier.date_specimen.isoformat()
        yield resources.specimen(name_of("specimen", view.case_id), subject, collected)
    if dossier.window.start < dossier.window.end:
        period = [text_of(at, dossier.time_zone) for at in dossier.window]
        yield resources.infectious_period(name_of("period", view.case_id), subject, case, *period)
    yield resources.provenance(name_of("trace", asked_at), [case], asked_at, said(by), said(reason), {})
    for line in dossier.lines:
        yield from _exposure(view.case_id, tables.contact(line), line.view.facility_id)
    for source in dossier.sources:
        if source.exposures:
            yield from _exposure(view.case_id, tables.source(source), source.view.facility_id)


def _exposure(case_id: str, row: Mapping[str, str], facility_id: str) -> Iterator[Resource]:
    """Return a row of contacts.csv or sources.csv with those it names; names of the row are random letters."""
    source, target = (name_of("person", row[end]) for end in ("from", "to"))
    yield resources.patient(source, row["from"])
    yield resources.patient(target, row["to"])
    place = name_of("facility", facility_id)
    yield resources.location(place, said(facility_id))
    told: dict[str, Any] = {
        "name": name_of("exposure", case_id, row.get("degree", ""), row["from"], row["to"]),
        "subject": target,
        "source": source,
        "place": place,
        "start": row["first_overlap_start"],
        "end": row["last_overlap_end"],
        "minutes": float(row["overlap_minutes"]),
        "rule": said(row["rule"]),
        "reason": said(row["reason"]),
        "estimated": row["estimated"] == "true",
    }
    told |= {name: int(row[name]) for name in COUNTED if row.get(name)}
    if row["probability"]:
        told["probability"] = float(row["probability"])
    if "plausible" in row:
        told["plausible"] = row["plausible"] == "true"
    yield resources.exposure(told)
