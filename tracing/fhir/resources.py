"""Resources of a trace in FHIR R4 as plain values. Pure.

A candidate is an Observation of exposure: its subject is who was exposed, its focus who may have infected him and
where, as in the exposure profile of the US Public Health Profiles Library. Its status is `preliminary`: a person
decides who is a close contact. A stay in a building is no Encounter, which is a meeting of patient and provider: visits
are not sent. Patients have a pseudonymous identifier and nothing else.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

Resource = dict[str, Any]

PERSON: Final = "urn:jejak:person"
CASE: Final = "urn:jejak:case"
FACILITY: Final = "urn:jejak:facility"
TERMS: Final = "urn:jejak:term"
_SNOMED: Final = "http://snomed.info/sct"
_STATUS: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_VERIFIED: Final = {
    "konfirmasi": "confirmed",
    "confirmed": "confirmed",
    "probable": "provisional",
    "suspek": "provisional",
    "suspected": "provisional",
    "discarded": "refuted",
}
COUNTED: Final = ("degree", "rank", "overlaps", "days_from_onset")
_COMPONENTS: Final = {
    name: {"coding": [{"system": TERMS, "code": name.replace("_", "-")}]}
    for name in (*COUNTED, "estimated", "probability", "plausible")
}
_odd_offset = re.compile(r"[+-]\d\d:\d\d:\d\d")


def name_of(kind: str, *parts: str) -> str:
    """Return the id of a resource, a UUID of version 8: the same for the same thing in every run."""
    text = sha256("\0".join((kind, *parts)).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def reference(name: str) -> Resource:
    """Return a reference to a resource of the same bundle."""
    return {"reference": f"urn:uuid:{name}"}


def patient(name: str, person_id: str) -> Resource:
    """Return a person."""
    return _resource("Patient", name, {"identifier": [{"system": PERSON, "value": person_id}]})


def location(name: str, facility_id: str) -> Resource:
    """Return a facility."""
    identifier = [{"system": FACILITY, "value": facility_id}]
    return _resource("Location", name, {"identifier": identifier, "name": facility_id, "mode": "instance"})


def condition(name: str, subject: str, case_id: str, onset: str, classification: str, note: str) -> Resource:
    """Return a case; the days that a Condition has no place for stand in the note."""
    code = {
        "coding": [_coding(_SNOMED, "840539006", "Disease caused by severe acute respiratory syndrome coronavirus 2")]
    }
    content: Resource = {
        "identifier": [{"system": CASE, "value": case_id}],
        "code": code | {"text": "COVID-19"},
        "subject": reference(subject),
        "note": [{"text": note}],
    }
    if onset:
        content["onsetDateTime"] = onset
    if verified := _VERIFIED.get(classification.strip().lower()):
        content["verificationStatus"] = {"coding": [_coding(_STATUS, verified, verified.capitalize())]}
    return _resource("Condition", name, content)


def specimen(name: str, subject: str, collected: str) -> Resource:
    """Return the specimen that a case was found by."""
    return _resource("Specimen", name, {"subject": reference(subject), "collection": {"collectedDateTime": collected}})


def infectious_period(name: str, subject: str, case: str, start: str, end: str) -> Resource:
    """Return when the case could infect by the rule."""
    content = {
        "status": "final",
        "code": {"coding": [_coding(TERMS, "infectious-period", "Infectious period")], "text": "Infectious period"},
        "subject": reference(subject),
        "focus": [reference(case)],
        "effectivePeriod": {"start": instant(start), "end": instant(end)},
    }
    return _resource("Observation", name, content)


def exposure(row: Mapping[str, Any]) -> Resource:
    """Return a row of contacts.csv, or of sources.csv.

    Args:
        row: names of this resource (`name`) and of others (`subject`, `source`, `place`); `start` and `end` as
            `instant` writes them, `minutes`, `rule`, `reason`, `estimated`; and of `COUNTED`, `probability` and
            `plausible` those that it has.
    """
    code = _COMPONENTS
    components: list[Resource] = [
        {"code": code[column], "valueInteger": row[column]} for column in COUNTED if column in row
    ]
    components.append({"code": code["estimated"], "valueBoolean": row["estimated"]})
    if "probability" in row:
        components.append({"code": code["probability"], "valueQuantity": {"value": row["probability"], "unit": "1"}})
    if "plausible" in row:
        components.append({"code": code["plausible"], "valueBoolean": row["plausible"]})
    return {
        "resourceType": "Observation",
        "id": row["name"],
        "status": "preliminary",
        "category": _SOCIAL_HISTORY,
        "code": _CO_PRESENCE,
        "subject": reference(row["subject"]),
        "focus": [reference(row["source"]), reference(row["place"])],
        "effectivePeriod": {"start": row["start"], "end": row["end"]},
        "valueQuantity": {
            "value": row["minutes"],
            "unit": "min",
            "system": "http://unitsofmeasure.org",
            "code": "min",
        },
        "method": {"text": row["rule"]},
        "note": [{"text": row["reason"]}],
        "component": components,
    }


def provenance(
    name: str, targets: list[str], recorded: str, agent: str, reason: str, inputs: Mapping[str, str]
) -> Resource:
    """Return who asked, when, why, and of which files, by their SHA-256."""
    content: Resource = {
        "target": [reference(target) for target in targets],
        "recorded": recorded,
        "agent": [{"who": {"display": agent or "not said"}}],
        "entity": [
            {"role": "source", "what": {"identifier": {"system": "urn:sha256", "value": sha}, "display": file}}
            for file, sha in inputs.items()
        ],
    }
    if reason:
        content["reason"] = [{"text": reason}]
    return _resource("Provenance", name, content)


def instant(said: str) -> str:
    """Return a time as FHIR writes it: local mean time, whose offset has seconds, in UTC."""
    if said[-6:-5] != ":" or not _odd_offset.search(said):
        return said
    return datetime.fromisoformat(said).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}


def _resource(kind: str, name: str, content: Resource) -> Resource:
    return {"resourceType": kind, "id": name} | content


# The same for every exposure, of which there are many.
_SOCIAL_HISTORY: Final = [{"coding": [_coding(_CATEGORY, "social-history", "Social History")]}]
_CO_PRESENCE: Final = {
    "coding": [_coding(_SNOMED, "840546002", "Exposure to severe acute respiratory syndrome coronavirus 2")],
    "text": "Candidate by co-presence in a facility",
}
