"""Who uses the QR codes: weeks of a district, and facilities that stopped, hardly use or never used them.

The ministry's own indicators of 2021–22 (press): the weekly trend per district, and as lowest use a place with on
average one visitor a day over two weeks. How many days without a scan make "stopped" is ours. All are dated settings.
Pure: days in, judgements out.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

WEEKS: Final = 8
DAYS: Final = WEEKS * 7


class Use(StrEnum):
    """How a facility uses its QR codes, from what needs looking after to what is well."""

    STOPPED = "stopped"  # nobody scanned for some days, who did before
    NEVER = "never"  # nobody ever scanned, though its first days are over
    LOWEST = "lowest"
    NEW = "new"  # nobody scanned yet, and it began only just
    IN_USE = "in_use"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """From where on something is to be looked after: dated settings."""

    stopped_days: int
    lowest_days: int
    lowest_a_day: int


class FacilityDays(msgspec.Struct, frozen=True, kw_only=True):
    """A facility with its arrivals by QR code of the last whole days, the latest last."""

    facility_id: str
    name: str
    kind: str
    district: str
    added_on: date
    was_used: bool  # at any time, also before these days
    arrivals: tuple[int, ...]  # whole weeks
    by_hand: int  # arrivals that officers entered, in the same days

    @property
    def idle_days(self) -> int:
        """Return for how many days nobody has scanned; all of them where nobody did."""
        return next((back for back, number in enumerate(reversed(self.arrivals)) if number), len(self.arrivals))

    @property
    def weeks(self) -> list[int]:
        """Return the arrivals of each week, the latest last."""
        return [sum(self.arrivals[at : at + 7]) for at in range(0, len(self.arrivals), 7)]

    def mean(self, days: int) -> float:
        """Return the arrivals a day over the last days."""
        return sum(self.arrivals[-days:]) / days


class Judged(msgspec.Struct, frozen=True):
    """A facility, and how it uses its QR codes."""

    facility: FacilityDays
    use: Use
    mean: float  # a day, over the days that `lowest` is about


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The weeks of a district, the latest last."""

    area: str
    facilities: int
    weeks: list[int]
    change: int | None  # per cent, last week against the one before; none where that one had nobody


def judge(facility: FacilityDays, today: date, bounds: Bounds) -> Use:
    """Return how a facility uses its QR codes.

    One that stopped is not called lowest as well, though it has few visitors too: what is to be done differs.
    """
    if not facility.was_used:
        return Use.NEW if (today - facility.added_on).days < bounds.stopped_days else Use.NEVER
    if facility.idle_days >= bounds.stopped_days:
        return Use.STOPPED
    whole = min(bounds.lowest_days, max((today - facility.added_on).days, 1))
    return Use.LOWEST if facility.mean(whole) <= bounds.lowest_a_day else Use.IN_USE


def judge_all(facilities: Iterable[FacilityDays], today: date, bounds: Bounds) -> list[Judged]:
    """Return every facility judged: those to look after first, the longest idle and the least used of each first."""
    order = list(Use)
    judged = [Judged(one, judge(one, today, bounds), one.mean(bounds.lowest_days)) for one in facilities]
    return sorted(
        judged,
        key=lambda one: (order.index(one.use), -one.facility.idle_days, one.mean, one.facility.facility_id),
    )


def trends(facilities: Iterable[FacilityDays], length: int) -> list[Trend]:
    """Return the weeks of each area, by its code; `length` is that of the code: 2 a province, 5 a district."""
    by_area: dict[str, list[FacilityDays]] = {}
    for one in facilities:
        by_area.setdefault(one.district[:length], []).append(one)
    return [
        Trend(area=area, facilities=len(some), weeks=weeks, change=change(weeks))
        for area, some in sorted(by_area.items())
        if (weeks := [sum(week) for week in zip(*(one.weeks for one in some), strict=True)])
    ]


def change(weeks: Sequence[int]) -> int | None:
    """Return by how many per cent the last week differs from the one before."""
    if len(weeks) < 2 or not weeks[-2]:  # noqa: PLR2004 — two weeks
        return None
    return round((weeks[-1] - weeks[-2]) * 100 / weeks[-2])


def counted(judged: Iterable[Judged]) -> Mapping[str, int]:
    """Return how many facilities use their codes in which way."""
    found = dict.fromkeys((use.value for use in Use), 0)
    for one in judged:
        found[one.use.value] += 1
    return found


def week_days(today: date) -> list[date]:
    """Return the first day of each week that is shown; the last whole day is yesterday."""
    return [today - timedelta(days=DAYS - 7 * number) for number in range(WEEKS)]
