"""The feed as rows: one event of one stay each. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from portal.admissions.stays import Unit, of_event
from portal.cells import instant, one_of, subject, words
from schemas.events import Role

REQUIRED: Final = ("encounter_id", "event", "at", "identifier_type", "identifier_value")
OPTIONAL: Final = ("ward", "role", "facility_id", "event_id", "status", "last_updated")
EVENTS: Final = ("admit", "transfer", "discharge", "death")
TYPES: Final = ("nik", "passport", "kitas", "temporary", "test")
ROLES: Final = {"": Role.INPATIENT, "inpatient": Role.INPATIENT, "companion": Role.COMPANION}
WITHDRAWN: Final = "entered-in-error"


def unit_of(fields: Mapping[str, str], own_facility: str, now: datetime, *, demo: bool) -> Unit:
    """Return the event of a row.

    A stay has one admission and one end, so that another row of either is a correction. A transfer is known by its
    `event_id`, or else by its instant.

    Args:
        fields: by the names of `REQUIRED` and `OPTIONAL`; empty where there is none.
        own_facility: where the row names none; empty: it must.
        now: nothing happened later.
        demo: people of type `test` are known.

    Raises:
        BadInput: names the field.
    """
    event = one_of(EVENTS, fields["event"], "event")
    at = instant(fields["at"], "at", now)
    withdrawn = one_of(("", "final", WITHDRAWN), fields["status"], "status") == WITHDRAWN
    role = ROLES[one_of(tuple(ROLES), fields["role"], "role")]
    ward = words(fields["ward"], "ward", needed=event == "transfer")
    stay = words(fields["encounter_id"], "encounter_id")
    which = words(fields["event_id"], "event_id", needed=False) or (at.isoformat() if event == "transfer" else "")
    facility_id = words(fields["facility_id"] or own_facility, "facility_id")
    return Unit(
        facility_id=facility_id,
        name="|".join((stay, "end" if event in {"discharge", "death"} else event, which)),
        subject=subject(fields, TYPES, demo=demo),
        passages=() if withdrawn else of_event(event, at, ward, role),
        as_of=instant(fields["last_updated"], "last_updated", now) if fields["last_updated"] else None,
    )
