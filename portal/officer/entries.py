"""From an officer's entry to a scan: what can be entered, and from when on a second person has to agree. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from portal.bodies import ScanBody, read_body
from portal.nik import holds_nik
from portal.officer.bodies import EntryBody
from portal.web.words import say
from schemas.errors import InvalidEvent
from schemas.events import Assurance, Channel, Gate

ALONE_MAX: Final = timedelta(hours=24)  # what is older, one officer does not enter alone
AMBULANCE: Final = "ambulance"


def scan_body_of(entry: EntryBody, facility_id: str, zones: Mapping[str, str]) -> ScanBody:
    """Return the scan that an entry is.

    Args:
        entry: of one person.
        facility_id: where the officer works.
        zones: the facility's, each with its kind.

    Raises:
        InvalidEvent: names the field, never its value.
    """
    _check_place(entry, zones)
    _check_reason(entry)
    body = ScanBody(
        scan_id=entry.scan_id,
        subject=entry.subject,
        facility_id=facility_id,
        zone=entry.zone,
        group_id=entry.group_id or "",
        gate=entry.gate,
        at=entry.at,
        admitted=entry.admitted,
        refused_reason=reason_of(entry),
        role=entry.role,
        channel=Channel.OFFICER,
        assurance=Assurance.OFFICER_SAW_ID if entry.saw_id else Assurance.SELF,
    )
    return read_body(ScanBody, msgspec.json.encode(body))


def needs_second(entry: EntryBody, now: datetime) -> bool:
    """Say whether an entry has to wait until a second person agrees.

    Raises:
        InvalidEvent: it has to, and nobody says why it comes so late.
    """
    if now - entry.at <= ALONE_MAX:
        return False
    if not entry.why_late.strip():
        raise InvalidEvent("is needed for what is more than 24 hours ago", field="why_late")
    if holds_nik(entry.why_late):
        raise InvalidEvent("holds an identity number: only subject may", field="why_late")
    return True


def reason_of(entry: EntryBody) -> str:
    """Return why somebody was sent to triage, in the words that the facility's list shows; empty if he was not."""
    if entry.reason is None:
        return ""
    words = " ".join(entry.words.split())
    named = say("id", f"officer.reason_{entry.reason}")
    return f"{named}: {words}" if words else named


def _check_place(entry: EntryBody, zones: Mapping[str, str]) -> None:
    if (entry.gate is Gate.ZONE) != bool(entry.zone):
        raise InvalidEvent("a zone's entry has one, and no other has", field="zone")
    if entry.zone and entry.zone not in zones:
        raise InvalidEvent("is not known", field="zone")
    is_ride = entry.gate is Gate.ENTRANCE or zones.get(entry.zone) == AMBULANCE
    if entry.group_id is not None and not is_ride:
        raise InvalidEvent("who rode together comes in at an entrance or an ambulance", field="group_id")


def _check_reason(entry: EntryBody) -> None:
    if entry.admitted:
        if entry.reason is not None or entry.words:
            raise InvalidEvent("is for those who are sent to triage", field="reason")
        return
    if entry.gate is Gate.EXIT:
        raise InvalidEvent("nobody is kept from leaving", field="admitted")
    if entry.reason is None:
        raise InvalidEvent("is missing", field="reason")
    if entry.reason == "other" and not entry.words.strip():
        raise InvalidEvent("is needed for another reason", field="words")
