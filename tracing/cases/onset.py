"""On which day of a stay in hospital the onset fell: caught outside, or inside? Pure.

The days that tell one from the other are dated data, `onset.toml`, for traces of files and online alike.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias

import msgspec

from tracing.cases.places import Stay
from tracing.windows import local_day

OnsetPlace: TypeAlias = Literal["community", "indeterminate", "probable", "definite"]
_CLASSES: Final[tuple[Literal["definite", "probable", "indeterminate"], ...]] = (
    "definite",
    "probable",
    "indeterminate",
)


class OnsetDays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first day of stay of each class, and where that comes from; before the first it is the community's."""

    valid_from: date
    source: str
    definite: int
    probable: int
    indeterminate: int


class StayAtOnset(msgspec.Struct, frozen=True, kw_only=True):
    """An inpatient's stay; the day of admission is day 1, an onset before it has a day below."""

    facility_id: str
    facility_name: str
    admitted: date
    day_of_stay: int
    onset: OnsetPlace


@cache
def dated_days() -> tuple[OnsetDays, ...]:
    """Return all that there are, the latest first."""
    written = files("tracing.cases").joinpath("onset.toml").read_bytes()
    days = msgspec.toml.decode(written, type=dict[str, list[OnsetDays]])["days"]
    return tuple(sorted(days, key=lambda one: one.valid_from, reverse=True))


def days_on(day: date) -> OnsetDays:
    """Return those in force on a day; before the first, the first."""
    known = dated_days()
    return next((one for one in known if one.valid_from <= day), known[-1])


def stay_at_onset(stays: Iterable[Stay], day: date) -> StayAtOnset | None:
    """Return the stay in which day zero falls, else the first that began after it; None for who was no inpatient.

    Of two that hold the day the first counts: a transfer begins no new exposure to hospitals.

    Args:
        stays: of the case, around day zero.
        day: the onset, else the specimen.
    """
    admitted = [(_day(stay, stay.check_in), stay) for stay in stays if stay.role == "inpatient"]
    inside = [one for one in admitted if one[0] <= day <= _day(one[1], one[1].check_out)]
    after = [one for one in admitted if one[0] > day]
    if not inside and not after:
        return None
    begun, stay = min(inside or after, key=lambda one: one[1].check_in)
    day_of_stay = (day - begun).days + 1
    reached = [name for name in _CLASSES if day_of_stay >= getattr(days_on(day), name)]
    return StayAtOnset(
        facility_id=stay.place.facility_id,
        facility_name=stay.place.name,
        admitted=begun,
        day_of_stay=day_of_stay,
        onset=reached[0] if reached else "community",
    )


def _day(stay: Stay, at: int) -> date:
    return local_day(at, stay.place.time_zone)
