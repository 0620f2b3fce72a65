"""Cells of rows that other systems send, checked one by one; a fault names the field, never its value. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from portal.bodies import AHEAD_MAX
from portal.identity import Subject, normalise
from portal.nik import holds_nik
from schemas.codec import YEAR_MIN
from schemas.errors import BadInput

TEXT_MAX: Final = 128

_control = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def matching(form: "re.Pattern[str]", text: str, field: str, reason: str) -> str:
    """Return a text that has its form, or raise BadInput."""
    if not form.fullmatch(text):
        raise BadInput(reason if text else "is empty", field=field)
    return text


def one_of(allowed: tuple[str, ...], text: str, field: str) -> str:
    """Return one of the allowed texts, or raise BadInput."""
    if text not in allowed:
        raise BadInput("is not one of the allowed values" if text else "is empty", field=field)
    return text


def words(text: str, field: str, *, needed: bool = True, most: int = TEXT_MAX) -> str:
    """Return a text that may be stored in clear, or raise BadInput."""
    if needed and not text:
        raise BadInput("is empty", field=field)
    if len(text) > most:
        raise BadInput(f"is longer than {most} characters", field=field)
    if _control.search(text):
        raise BadInput("holds a control character", field=field)
    if holds_nik(text):
        raise BadInput("holds an identity number: only identifier_value may", field=field)
    return text


def instant(text: str, field: str, now: datetime) -> datetime:
    """Return an instant with an offset that is not ahead of us, in UTC, or raise BadInput."""
    if not text:
        raise BadInput("is empty", field=field)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("is not an ISO 8601 instant", field=field) from None
    if at.tzinfo is None:
        raise BadInput("has no offset", field=field)
    if at.year < YEAR_MIN:
        raise BadInput(f"is before {YEAR_MIN}", field=field)
    if at > now + AHEAD_MAX:
        raise BadInput("is in the future", field=field)
    return at.astimezone(UTC)


def subject(fields: Mapping[str, str], kinds: tuple[str, ...], *, demo: bool) -> Subject:
    """Return whom `identifier_type` and `identifier_value` name, or raise BadInput."""
    kind = one_of(kinds, fields["identifier_type"], "identifier_type")
    try:
        return normalise(kind, fields["identifier_value"], "", demo=demo)
    except BadInput as error:
        field = "identifier_type" if error.field == "subject.type" else "identifier_value"
        raise BadInput(error.reason, field=field) from None
