"""Local days as instants: the window in which a case's visits count, and a contact's own. Pure, no clock.

A day is a whole local day of one time zone, from its first instant to the next day's, also where the clock is
moved: it may have 23, 24 or 25 hours, and a day that a zone left out has none.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tracing.instants import DAY_US, EPOCH, HOUR_US, offset_us, us_of
from tracing.rulesets import Rule

FARTHEST_US: Final = 26 * HOUR_US  # two clocks of this world are never further apart

# Further out, a zone's offset would leave the calendar; no visit is there.
_FIRST_DAY: Final = date(2, 1, 1)
_LAST_DAY: Final = date(9998, 12, 31)


class Window(NamedTuple):
    """From `start` to before `end`, microseconds since 1970; empty where they are equal."""

    start: int
    end: int


def case_window(rule: Rule, day_zero: date, date_isolation: date | None, time_zone: str) -> Window:
    """Return when the case could infect: from `days_before` before day zero to the end of `days_after` after it.

    A rule that ends at isolation goes not past the midnight after that day; an isolation before the window
    leaves nothing of it, which is no error.
    """
    start = _midnight_plus(day_zero, -rule.days_before, time_zone)
    end = _midnight_plus(day_zero, rule.days_after + 1, time_zone)
    if rule.ends_at_isolation and date_isolation is not None:
        end = min(end, _midnight_plus(date_isolation, 1, time_zone))
    return Window(start, max(start, end))


def source_window(rule: Rule, day_zero: date, time_zone: str) -> Window:
    """Return when the case could have been infected: the days before D, isolation or not."""
    return Window(_midnight_plus(day_zero, -rule.source_days, time_zone), midnight(day_zero, time_zone))


def contact_window(rule: Rule, first_start: int, last_end: int, time_zone: str) -> Window:
    """Return when a contact can pass it on.

    Args:
        rule: its latent hours and contact days count.
        first_start: start of the contact's first counted exposure.
        last_end: end of the last one; at exactly 00:00 it belongs to the day then beginning.
        time_zone: whose days are meant.
    """
    start = first_start + rule.latent_hours * HOUR_US
    end = _midnight_plus(local_day(last_end, time_zone), rule.contact_days + 1, time_zone)
    return Window(start, max(start, end))


@lru_cache(maxsize=1 << 14)
def midnight(day: date, time_zone: str) -> int:
    """Return the first instant of a local day; where the clock shows midnight twice, the first time."""
    zone = ZoneInfo(time_zone)
    at = us_of(datetime(day.year, day.month, day.day, tzinfo=zone))
    if local_day(at - 1, time_zone) < day:
        return at
    before = at - 24 * HOUR_US  # a clock moved forward over midnight: the day begins where it was moved
    while local_day(before, time_zone) >= day:
        before -= 24 * HOUR_US
    while at - before > 1:
        middle = (before + at) // 2
        if local_day(middle, time_zone) < day:
            before = middle
        else:
            at = middle
    return at


def local_day(at_us: int, time_zone: str) -> date:
    """Return the day that the zone's calendar shows at this instant."""
    return _date((at_us + offset_us(at_us, time_zone)) // DAY_US)


@lru_cache(maxsize=1 << 14)
def _date(day: int) -> date:
    return EPOCH.date() + timedelta(days=day)


def _midnight_plus(day: date, days: int, time_zone: str) -> int:
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        moved = date.min if days < 0 else date.max
    return midnight(min(max(moved, _FIRST_DAY), _LAST_DAY), time_zone)
