"""One record of a vaccination, checked field by field; a fault names the field, never its value. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from portal.cells import instant, matching, one_of, subject, words
from portal.identity import Subject
from portal.names import spelled
from portal.registry.holder import Holder
from schemas.errors import BadInput

REQUIRED: Final = (
    *("identifier_type", "identifier_value", "name", "birth_date"),
    *("dose_number", "vaccine_code", "occurrence_date"),
)
OPTIONAL: Final = ("phone", "location", "lot_number", "status", "record_id", "last_updated")
TYPES: Final = ("nik", "passport", "kitas", "test")
FIRST_DAY: Final = date(2020, 1, 1)
BORN_FIRST: Final = date(1900, 1, 1)
EASTWARD: Final = timedelta(hours=14)  # where on earth a day begins first
NAME_MAX: Final = 512  # of a record: systems name theirs by whole addresses
WITHDRAWN: Final = "entered-in-error"

_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_dose = re.compile(r"[1-9]|1[0-9]|20")
_phone = re.compile(r"(?:\+|00)?[0-9]{8,15}")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A vaccination as its sender has it on record."""

    subject: Subject
    holder: Holder
    record: str  # what it is known by, among those of its person
    dose: int
    vaccine: str
    given_on: date
    place: str
    lot: str
    withdrawn: bool  # entered in error
    as_of: datetime  # of two versions the later stands


def record_of(fields: Mapping[str, str], now: datetime, *, demo: bool) -> Record:
    """Return the record of a row.

    Args:
        fields: by the names of `REQUIRED` and `OPTIONAL`; empty where there is none.
        now: nothing of a record is later; its version where it does not say.
        demo: people of type `test` are known.

    Raises:
        BadInput: names the field.
    """
    today = (now + EASTWARD).date()
    born = _date(fields["birth_date"], "birth_date", BORN_FIRST, today)
    given_on = _date(_day_of(fields["occurrence_date"]), "occurrence_date", max(FIRST_DAY, born), today)
    dose = int(matching(_dose, fields["dose_number"], "dose_number", "is not a number from 1 to 20"))
    record_id = words(fields["record_id"], "record_id", needed=False, most=NAME_MAX)
    return Record(
        subject=subject(fields, TYPES, demo=demo),
        holder=Holder(name=_name(fields["name"]), birth_date=born, phone=_telephone(fields["phone"])),
        record=f"id {record_id}" if record_id else f"dose {dose} {given_on}",
        dose=dose,
        vaccine=words(fields["vaccine_code"], "vaccine_code"),
        given_on=given_on,
        place=words(fields["location"], "location", needed=False),
        lot=words(fields["lot_number"], "lot_number", needed=False),
        withdrawn=_status(fields["status"]),
        as_of=instant(fields["last_updated"], "last_updated", now) if fields["last_updated"] else now,
    )


def _name(text: str) -> str:
    name = words(text, "name")
    if not spelled(name):
        raise BadInput("has no letters", field="name")
    return name


def _telephone(text: str) -> str:
    """Return a number as +62…; one that begins with 0 is Indonesian."""
    if not text:
        return ""
    digits = matching(_phone, re.sub(r"[ ().-]", "", text), "phone", "is no telephone number")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.startswith("0"):
        digits = f"62{digits[1:]}"
    return digits if digits.startswith("+") else f"+{digits}"


def _status(text: str) -> bool:
    return one_of(("", "completed", WITHDRAWN), text, "status") == WITHDRAWN


def _day_of(text: str) -> str:
    """Return the day of an instant as it is written; anything else as it is."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return text
    return text[:10]


def _date(text: str, field: str, first: date, last: date) -> date:
    matching(_day, text, field, "is not an ISO 8601 day")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput("is no day of the calendar", field=field) from None
    if not first <= day <= last:
        raise BadInput("is in the future" if day > last else "is too early", field=field)
    return day
