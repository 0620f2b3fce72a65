"""Instants as integer microseconds since 1970-01-01 UTC, and the clock hours of a time zone.

The core computes in these integers: exact, cheap to compare, and free of time zones until a clock hour or a
text asks for one. Any zone of the tz database and the years 1800–2199 work, local mean time with odd seconds too.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

MICROSECOND: Final = timedelta(microseconds=1)
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_EPOCH: Final = EPOCH.replace(tzinfo=None)  # for the face of a clock, whose offset is written beside it


def us_of(at: datetime) -> int:
    """Return the aware instant `at` as microseconds since 1970, exactly."""
    since = at - EPOCH
    return since.days * DAY_US + since.seconds * SECOND_US + since.microseconds


def utc_of(at_us: int) -> datetime:
    """Return the instant as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=at_us)


def text_of(at_us: int, time_zone: str) -> str:
    """Return the instant in ISO 8601 as that zone's clock shows it, with its offset.

    Microseconds only where there are some. An offset of local mean time has seconds, as Python writes and reads them.
    """
    offset = offset_us(at_us, time_zone)
    return (_CLOCK_EPOCH + timedelta(microseconds=at_us + offset)).isoformat() + offset_text(offset)


def hour_of(at_us: int, time_zone: str) -> int:
    """Return when the clock hour that holds this instant begins.

    It is the instant's own distance from the full hour on the local clock. So an hour that the clock repeats is
    two hours, and only a clock moved by a part of an hour (Lord Howe, or the zones before they were standard)
    leaves less than 60 minutes of the hour it cuts.
    """
    offset = steady_offset(time_zone, at_us // DAY_US)  # as `offset_us`, a call less: this is asked for every visit
    if offset is None:
        offset = _offset_us(at_us, time_zone)
    return at_us - (at_us + offset) % HOUR_US


def hours_between(start_us: int, end_us: int, time_zone: str) -> Iterator[tuple[int, int]]:
    """Yield (start of the clock hour, microseconds inside it) for the time from `start_us` to `end_us`.

    In the order of time and without a gap; an hour may come in several pieces.
    """
    while start_us < end_us:
        steady = steady_offset(time_zone, start_us // DAY_US)
        if steady is None:
            stop = min(_hour_end(start_us, time_zone), end_us)
            yield hour_of(start_us, time_zone), stop - start_us
            start_us = stop
            continue
        hour = start_us - (start_us + steady) % HOUR_US
        day_end = min((start_us // DAY_US + 1) * DAY_US, end_us)
        while start_us < day_end:
            hour_after = hour + HOUR_US
            stop = min(hour_after, day_end)
            yield hour, stop - start_us
            start_us, hour = stop, hour_after


@lru_cache(maxsize=1 << 16)
def hour_clock(hour_us: int, time_zone: str) -> datetime:
    """Return the start of a clock hour as a full hour with its offset.

    Where the clock is moved by a part of an hour, the start is written in the offset that the hour itself has.
    """
    offset = offset_us(hour_us, time_zone)
    if (hour_us + offset) % HOUR_US:
        offset = offset_us(hour_us + HOUR_US - 1, time_zone)
    return utc_of(hour_us).astimezone(timezone(timedelta(microseconds=offset)))


@lru_cache(maxsize=1 << 16)
def hour_text(hour_us: int, time_zone: str) -> str:
    """Return `hour_clock` in ISO 8601; all facilities of a zone share its hours."""
    return hour_clock(hour_us, time_zone).isoformat()


def offset_us(at_us: int, time_zone: str) -> int:
    """Return the zone's distance from UTC at this instant."""
    steady = steady_offset(time_zone, at_us // DAY_US)
    return _offset_us(at_us, time_zone) if steady is None else steady


@lru_cache(maxsize=1 << 10)
def offset_text(offset: int) -> str:
    """Return a distance from UTC as ISO 8601 writes it."""
    return EPOCH.astimezone(timezone(timedelta(microseconds=offset))).isoformat()[len("1970-01-01T00:00:00") :]


@lru_cache(maxsize=1 << 16)
def steady_offset(time_zone: str, day: int) -> int | None:
    """Return the zone's distance from UTC on a whole UTC day, or None for a day on which it changes."""
    first = _offset_us(day * DAY_US, time_zone)
    steps = range(1, 25)  # hourly: no zone ever moved its clock there and back within an hour
    return first if all(_offset_us(day * DAY_US + step * HOUR_US, time_zone) == first for step in steps) else None


def _hour_end(at_us: int, time_zone: str) -> int:
    """Return the first instant after this one that is no longer in its clock hour."""
    offset = offset_us(at_us, time_zone)
    end = at_us - (at_us + offset) % HOUR_US + HOUR_US
    if offset_us(end - 1, time_zone) == offset:
        return end
    before = at_us
    while end - before > 1:  # the clock is moved inside this hour: find the microsecond
        middle = (before + end) // 2
        if offset_us(middle, time_zone) == offset:
            before = middle
        else:
            end = middle
    return end


def _offset_us(at_us: int, time_zone: str) -> int:
    offset = utc_of(at_us).astimezone(ZoneInfo(time_zone)).utcoffset()
    assert offset is not None
    return offset // MICROSECOND
