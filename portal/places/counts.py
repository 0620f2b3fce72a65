"""A facility's counts as its page shows them: every hour of a day and every day of two weeks, those of nothing too.

Pure: rows of hours in, slots out. Visitors of hours do not add up to visitors of a day (one person may stay for three
hours), so a day shows its busiest hour instead.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from portal.store import HourRow

HOURS: Final = 24
DAYS: Final = 14


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of an hour or of a day."""

    label: str  # 08:00, or 24-11
    arrivals: int = 0
    departures: int = 0
    visitors: int = 0  # of a day: of its busiest hour
    estimated: int = 0
    refused: int = 0
    manual: int = 0
    flagged: int = 0


def first_instant(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant from which hours have to be read to fill both tables."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(midnight - timedelta(days=DAYS - 1), hour_of(now, zone) - timedelta(hours=HOURS - 1))


def hour_of(at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clock hour of an instant began."""
    return at.astimezone(zone).replace(minute=0, second=0, microsecond=0)


def by_hour(rows: Sequence[HourRow], now: datetime, zone: ZoneInfo) -> list[Slot]:
    """Return the last 24 clock hours, this one last."""
    found = {row.hour: row for row in rows}
    last = hour_of(now, zone)
    hours = [last - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    return [_slot(hour.strftime("%H:%M"), [found[hour]] if hour in found else []) for hour in hours]


def by_day(rows: Sequence[HourRow], now: datetime, zone: ZoneInfo) -> list[Slot]:
    """Return the last 14 days of the facility's calendar, today last."""
    found: dict[date, list[HourRow]] = {}
    for row in rows:
        found.setdefault(row.hour.astimezone(zone).date(), []).append(row)
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [_slot(day.strftime("%d-%m"), found.get(day, [])) for day in days]


def fullness(inside: int, capacity: int | None) -> int | None:
    """Return how full a place is, in per cent rounded down; None where its capacity is not known."""
    return None if not capacity else inside * 100 // capacity


def _slot(label: str, rows: Sequence[HourRow]) -> Slot:
    return Slot(
        label=label,
        arrivals=sum(row.arrivals for row in rows),
        departures=sum(row.departures for row in rows),
        visitors=max((row.visitors for row in rows), default=0),
        estimated=sum(row.estimated for row in rows),
        refused=sum(row.refused for row in rows),
        manual=sum(row.manual for row in rows),
        flagged=sum(row.flagged for row in rows),
    )
