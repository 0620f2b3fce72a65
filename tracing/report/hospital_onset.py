"""On which day of his stay an inpatient fell ill, and what that says of where he caught it. The days are dated data."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

Origin = Literal["community", "indeterminate", "probable", "definite"]


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last day of stay of each class; later is definite."""

    valid_from: date
    source: str
    community_until: int
    indeterminate_until: int
    probable_until: int


class HospitalOnset(NamedTuple):
    """Day of stay at onset: the day of admission is day 1."""

    admitted: date
    facility_id: str
    day_of_stay: int
    origin: Origin


class Stay(NamedTuple):
    """A stay as an inpatient, in local days."""

    facility_id: str
    admitted: date
    left: date


@cache
def bounds() -> Bounds:
    """Return the days in force."""
    return msgspec.toml.decode(files("tracing.report").joinpath("hospital_onset.toml").read_bytes(), type=Bounds)


def hospital_onset(day_zero: date, stays: Iterable[Stay]) -> HospitalOnset | None:
    """Return the day of stay at onset, or None for somebody who was no inpatient on that day.

    Of several stays that hold the day the first counts: a transfer does not make a patient new to hospitals.
    """
    held = [stay for stay in stays if stay.admitted <= day_zero <= stay.left]
    if not held:
        return None
    stay = min(held, key=lambda one: (one.admitted, one.facility_id))
    day = (day_zero - stay.admitted).days + 1
    return HospitalOnset(stay.admitted, stay.facility_id, day, _origin(day, bounds()))


def _origin(day: int, known: Bounds) -> Origin:
    if day <= known.community_until:
        return "community"
    if day <= known.indeterminate_until:
        return "indeterminate"
    return "probable" if day <= known.probable_until else "definite"
