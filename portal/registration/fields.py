"""What an application says, checked field by field: the same for the form and for a file of branches.

A wrong field is named by a key of the words (`why.…`), never by what was typed.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final
from unicodedata import normalize

import msgspec
from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # its stubs forget the error

from portal.accounts.accounts import checked_email
from portal.nik import holds_nik
from portal.posters.sheet import can_be_printed
from portal.regions import is_sub_district, time_zone_of
from portal.web.pages import FormError
from schemas.errors import BadInput
from schemas.events import Kind

KINDS: Final = tuple(kind.value for kind in Kind)
OWNERS: Final = ("government", "private")
CAPACITY_MAX: Final = 100_000
HOURS_ALWAYS: Final = "24/7"
DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
# Indonesia with its waters; a place beyond is a slip of the pen.
SOUTH, NORTH, WEST, EAST = -11.5, 6.5, 94.5, 141.5
_TEXTS: Final = {"name": 128, "licence": 64, "address": 300, "responsible": 128}
NAMES: Final = (
    "name",
    "kind",
    "owner",
    "licence",
    "address",
    "sub_district",
    "latitude",
    "longitude",
    "responsible",
    "email",
    "phone",
    "capacity",
    "opening_hours",
)

_phone = re.compile(r"\+?[0-9][0-9 ()-]{6,22}[0-9]")
_number = re.compile(r"-?[0-9]{1,3}(?:[.,][0-9]{1,12})?")


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """An application whose every field can be."""

    name: str
    kind: str
    owner: str
    licence: str
    address: str
    sub_district: str
    latitude: float
    longitude: float
    responsible: str
    email: str
    phone: str
    capacity: int
    opening_hours: str

    @property
    def licence_key(self) -> str:
        """The licence number as it is compared: letters and digits alone."""
        return licence_key(self.licence)

    @property
    def time_zone(self) -> str:
        """The clock of the place."""
        return time_zone_of(self.sub_district)


def check_fields(form: Mapping[str, str]) -> Applied:
    """Return what was applied for.

    Raises:
        FormError: every field that cannot be, each with the key of the words that say why.
    """
    errors: dict[str, str] = {}
    values: dict[str, object] = {}
    for name in NAMES:
        try:
            values[name] = _check(name, form.get(name, ""))
        except FormError as error:
            errors[name] = error.errors[""]
    if errors:
        raise FormError(errors)
    return msgspec.convert(values, Applied)


def licence_key(text: str) -> str:
    """Return a licence number without what people write differently."""
    return re.sub(r"[\W_]+", "", text).upper()


def opening_hours_of(form: Mapping[str, str]) -> str:
    """Return the hours that a form's fields (`always`, or `from_Mo`, `to_Mo`, …) say, as OpenStreetMap writes them.

    A day with neither is closed; a day with one only is left wrong, so that it is named. Midnight ends a day as 24:00.
    """
    if form.get("always"):
        return HOURS_ALWAYS
    parts: list[tuple[list[str], str]] = []
    for day in DAYS:
        begins, ends = form.get(f"from_{day}", ""), form.get(f"to_{day}", "")
        if not begins and not ends:
            continue
        if not begins or not ends:
            return "?"
        hours = f"{begins}-{'24:00' if ends == '00:00' else ends}"
        if parts and parts[-1][1] == hours and DAYS.index(parts[-1][0][-1]) + 1 == DAYS.index(day):
            parts[-1][0].append(day)
        else:
            parts.append(([day], hours))
    return "; ".join(f"{days[0]}-{days[-1]} {hours}" if days[1:] else f"{days[0]} {hours}" for days, hours in parts)


def hours_by_day(opening_hours: str) -> dict[str, str]:
    """Return the fields of a form for hours that `opening_hours_of` made, none for others."""
    if opening_hours == HOURS_ALWAYS:
        return {"always": "1"}
    form: dict[str, str] = {}
    for rule in opening_hours.split("; "):
        found = re.fullmatch(r"(\w\w)(?:-(\w\w))? (\d\d:\d\d)-(\d\d:\d\d)", rule)
        if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
            return {}
        for day in DAYS[DAYS.index(found[1]) : DAYS.index(found[2] or found[1]) + 1]:
            form |= {f"from_{day}": found[3], f"to_{day}": "00:00" if found[4] == "24:00" else found[4]}
    return form


def _check(name: str, typed: str) -> object:
    text = " ".join(normalize("NFC", typed).split())
    if not text:
        raise FormError({"": "form.empty"})
    if not text.isprintable():
        raise FormError({"": "why.control"})
    if holds_nik(text):
        raise FormError({"": "why.nik"})
    if name in _TEXTS:
        if len(text) > _TEXTS[name]:
            raise FormError({"": "form.too_long"})
        if name == "licence" and len(licence_key(text)) < 4:  # noqa: PLR2004 — shorter is no number of a licence
            raise FormError({"": "why.licence"})
        if name == "name" and not can_be_printed(text):
            raise FormError({"": "why.letters"})
        return text
    return _CHECKS[name](text)


def _one_of(allowed: tuple[str, ...], why: str, text: str) -> str:
    if text not in allowed:
        raise FormError({"": why})
    return text


def _region(text: str) -> str:
    if not is_sub_district(text):
        raise FormError({"": "why.sub_district"})
    return text


def _coordinate(low: float, high: float, text: str) -> float:
    if not _number.fullmatch(text) or not low <= (value := float(text.replace(",", "."))) <= high:
        raise FormError({"": "why.coordinate"})
    return value


def _mail(text: str) -> str:
    try:
        return checked_email(text)
    except BadInput:
        raise FormError({"": "why.email"}) from None


def _telephone(text: str) -> str:
    if not _phone.fullmatch(text):
        raise FormError({"": "why.phone"})
    return text


def _capacity(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= CAPACITY_MAX:  # noqa: PLR2004 — digits
        raise FormError({"": "why.capacity"})
    return int(text)


def _hours(text: str) -> str:
    try:
        hours = OpeningHours(text)
    except ParserError:
        raise FormError({"": "why.hours"}) from None
    if len(text) > 200 or not _ever_opens(hours):  # noqa: PLR2004 — characters
        raise FormError({"": "why.hours"})
    return text


def _ever_opens(hours: OpeningHours) -> bool:
    return hours.is_open(_ANY_MONDAY) or hours.next_change(_ANY_MONDAY) is not None


_ANY_MONDAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001 — hours are of the place's own clock
_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "kind": partial(_one_of, KINDS, "why.choose"),
    "owner": partial(_one_of, OWNERS, "why.choose"),
    "sub_district": _region,
    "latitude": partial(_coordinate, SOUTH, NORTH),
    "longitude": partial(_coordinate, WEST, EAST),
    "email": _mail,
    "phone": _telephone,
    "capacity": _capacity,
    "opening_hours": _hours,
}
