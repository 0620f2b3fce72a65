"""A resource that comes many thousand times: its shape is encoded once, with gaps that are filled with texts. Pure.

What fills a gap is JSON already: `inside` makes a text so, numbers are as they are written.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from tracing.fhir.resources import Resource, exposure

_encode = msgspec.json.Encoder().encode
_gap = re.compile("<<([a-z_]+)>>")


class Filling(NamedTuple):
    """What fills the gaps of an exposure; a possible source has no degree."""

    name: str
    subject: str
    source: str
    place: str
    start: str
    end: str
    rule: str
    reason: str
    minutes: str
    degree: str
    rank: str
    overlaps: str
    days_from_onset: str
    probability: str


_TEXTS: Final = Filling._fields[:8]
_NUMBERS: Final = Filling._fields[8:]


class Form:
    """JSON with gaps, each with the name of what fills it."""

    def __init__(self, resource: Resource, names: Sequence[str]) -> None:
        """Take a resource with gaps in it, and the names of what will fill them, in the order in which it comes."""
        text = _encode(resource).decode()
        self._pick = itemgetter(*(names.index(name) for name in _gap.findall(text)))
        self._text = _gap.sub("%s", text.replace("%", "%%"))

    def filled(self, values: Sequence[str]) -> str:
        """Return the resource with these in its gaps."""
        text: str = self._text % self._pick(values)
        return text


@lru_cache
def exposure_form(estimated: bool, plausible: bool | None) -> Form:  # noqa: FBT001 — a key of the cache
    """Return the form of an exposure as an entry of a bundle, for a `Filling`.

    Args:
        estimated: whether an end of a stay was not scanned.
        plausible: of a possible source, whether he could pass it on; None of a contact.
    """
    row: dict[str, Any] = {name: _text_gap(name) for name in _TEXTS}
    row |= {name: _number_gap(name) for name in _NUMBERS if name != "degree" or plausible is None}
    row["estimated"] = estimated
    if plausible is not None:
        row["plausible"] = plausible
    return Form({"fullUrl": f"urn:uuid:{_text_gap('name')}", "resource": exposure(row)}, Filling._fields)


def inside(text: str) -> str:
    """Return a text as it stands between the quotes of JSON."""
    return _encode(text)[1:-1].decode()


def number(value: float) -> str:
    """Return a number as JSON."""
    return _encode(value).decode()


def _text_gap(name: str) -> str:
    return f"<<{name}>>"


def _number_gap(name: str) -> msgspec.Raw:
    return msgspec.Raw(f"<<{name}>>".encode())
