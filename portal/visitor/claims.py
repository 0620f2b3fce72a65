"""What somebody says of himself when he first uses the page, checked field by field. Pure but for the shipped regions.

No message here holds a value of the claim.
"""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from portal.identity import Subject, normalise
from portal.regions import is_sub_district, time_zone_of
from portal.vault.sealing import open_beside, seal_beside
from portal.visitor.shapes import ClaimBody, Guardian
from portal.visitor.signing import read_key
from schemas.errors import BadInput

ADULT: Final = 18  # years: below, somebody answers for a child (UU 35/2014 on child protection, article 1)
BORN_FIRST: Final = 1900


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept sealed of a claim; the number of the document lies in the vault alone."""

    name: str
    birth_date: str
    sub_district: str
    village: str
    phone: str
    guardian: Guardian | None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that can be."""

    subject: Subject
    public_key: bytes
    told: Told


def check(body: ClaimBody, now: datetime) -> Claim:
    """Return the claim.

    Raises:
        BadInput: names the field and why, never the value.
    """
    if not is_sub_district(body.sub_district):
        raise BadInput("is not the code of a sub-district of today", field="sub_district")
    try:
        subject = normalise(body.document.type, body.document.number, body.sub_district[:5], demo=False)
    except BadInput as error:
        raise BadInput(error.reason, field="document.number") from None
    today = now.astimezone(ZoneInfo(time_zone_of(body.sub_district))).date()
    born = _birth_date(body.birth_date, today)
    if body.guardian is None and age_of(born, today) < ADULT:
        raise BadInput(f"is needed under {ADULT} years of age", field="guardian")
    told = Told(
        name=_text(body.name, "name"),
        birth_date=body.birth_date,
        sub_district=body.sub_district,
        village=_text(body.village, "village"),
        phone=body.phone,
        guardian=body.guardian and Guardian(name=_text(body.guardian.name, "guardian.name"), phone=body.guardian.phone),
    )
    return Claim(subject=subject, public_key=read_key(body.public_key), told=told)


def seal(own_key: bytes, device_id: str, person: str, told: Told) -> bytes:
    """Return what was told, under the person's own key, for this device alone."""
    return seal_beside(own_key, _table(device_id), person, msgspec.json.encode(told))


def unseal(own_key: bytes, device_id: str, person: str, sealed: bytes) -> Told:
    """Return what was told.

    Raises:
        InvalidTag: it was sealed for another device, or with another key.
    """
    return msgspec.json.decode(open_beside(own_key, _table(device_id), person, sealed), type=Told)


def age_of(born: date, today: date) -> int:
    """Return somebody's age in whole years; who was born on 29 February has his birthday on 1 March too."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _birth_date(text: str, today: date) -> date:
    try:
        born = date.fromisoformat(text)
    except ValueError:
        raise BadInput("is no date", field="birth_date") from None
    if born.year < BORN_FIRST or born > today:
        raise BadInput("is no date at which somebody alive was born", field="birth_date")
    return born


def _text(text: str, field: str) -> str:
    spelled = " ".join(text.split())
    if not spelled:
        raise BadInput("is empty", field=field)
    return spelled


def _table(device_id: str) -> str:
    return f"visitor_device {device_id}"
