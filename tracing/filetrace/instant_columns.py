"""Many ISO 8601 instants at once, read and written.

What is not known at sight goes to `instant_us` and to `text_of`, so that many are as one by one.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tracing.files import YEAR_MAX, YEAR_MIN, instant_us
from tracing.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US, offset_text, steady_offset, text_of

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

LENGTH_MAX: Final = 40  # the longest instant with offset is shorter
_PUNCTUATION: Final = ((4, b"-"), (7, b"-"), (10, b"T "), (13, b":"), (16, b":"))
_CLOCK: Final = 19  # YYYY-MM-DDTHH:MM:SS
_DAYS_OF_MONTH: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def instants_us(texts: Sequence[str]) -> Ints:
    """Return the instants as microseconds since 1970.

    Raises:
        BadInput: one cannot be used; it does not say which.
        ValueError: one is no ASCII, or longer than any instant.
    """
    count = len(texts)
    lengths = np.fromiter(map(len, texts), np.int64, count)
    if count and lengths.max() > LENGTH_MAX:
        raise ValueError("longer than any instant")
    table = np.array(texts, dtype=f"S{LENGTH_MAX}").view(np.uint8).reshape(count, LENGTH_MAX)
    columns = np.ascontiguousarray(table.T)
    days, known = _days(columns)
    time, clock_known = _clock(columns)
    offset, offset_length, offset_known = _offsets(table, lengths)
    fraction, fraction_known = _fractions(columns, lengths - _CLOCK - offset_length)
    known &= clock_known & offset_known & fraction_known
    instants = days * DAY_US + time + fraction - offset
    for row in np.flatnonzero(~known).tolist():
        instants[row] = instant_us(texts[row], field="", line=0)
    return instants


def texts_of(at_us: Ints, time_zone: str) -> list[str]:
    """Return instants, microseconds since 1970, as `text_of` writes each."""
    days, which = np.unique(at_us // DAY_US, return_inverse=True)
    steady = [steady_offset(time_zone, day) for day in days.tolist()]
    offsets = np.array([offset or 0 for offset in steady], dtype=np.int64)[which]
    clocks = at_us + offsets
    texts: list[str] = np.datetime_as_string((clocks // SECOND_US).astype("datetime64[s]")).tolist()
    ends = {offset: offset_text(offset) for offset in set(offsets.tolist())}
    texts = [text + ends[offset] for text, offset in zip(texts, offsets.tolist(), strict=True)]
    odd = np.array([offset is None for offset in steady], dtype=np.bool_)[which] | (clocks % SECOND_US != 0)
    for row in np.flatnonzero(odd).tolist():
        texts[row] = text_of(int(at_us[row]), time_zone)
    return texts


def _number(columns: npt.NDArray[np.uint8], places: Sequence[int]) -> tuple[Ints, Flags]:
    value = np.zeros(columns.shape[1], dtype=np.int64)
    known = np.ones(columns.shape[1], dtype=np.bool_)
    for place in places:
        digit = columns[place] - np.uint8(ord("0"))  # wraps around where it is none
        known &= digit <= 9  # noqa: PLR2004 — a digit
        value = value * 10 + digit
    return value, known


def _days(columns: npt.NDArray[np.uint8]) -> tuple[Ints, Flags]:
    """Return days since 1970 of the date, by the civil calendar counted from March."""
    year, known = _number(columns, (0, 1, 2, 3))
    month, month_known = _number(columns, (5, 6))
    day, day_known = _number(columns, (8, 9))
    known &= month_known & day_known & (year >= YEAR_MIN) & (year <= YEAR_MAX)
    known &= (month >= 1) & (month <= 12) & (day >= 1)  # noqa: PLR2004 — months of a year
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    month = np.clip(month, 1, 12)
    known &= day <= _DAYS_OF_MONTH[month] + (leap & (month == 2))  # noqa: PLR2004 — February
    year -= month <= 2  # noqa: PLR2004 — January and February end the year before
    of_era = year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year // 400 * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468, known


def _clock(columns: npt.NDArray[np.uint8]) -> tuple[Ints, Flags]:
    hour, known = _number(columns, (11, 12))
    minute, minute_known = _number(columns, (14, 15))
    second, second_known = _number(columns, (17, 18))
    known &= minute_known & second_known
    known &= (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004 — a clock
    for place, allowed in _PUNCTUATION:
        known &= np.isin(columns[place], np.frombuffer(allowed, dtype=np.uint8))
    return hour * HOUR_US + minute * MINUTE_US + second * SECOND_US, known


def _offsets(table: npt.NDArray[np.uint8], lengths: Ints) -> tuple[Ints, Ints, Flags]:
    """Return offset, its length as text and whether it is `Z` or `+hh:mm`."""
    rows = np.arange(lengths.size)
    last = np.stack([table[rows, np.maximum(lengths - back, 0)] for back in (6, 5, 4, 3, 2, 1)])
    zulu = last[5] == ord("Z")
    hour, known = _number(last, (1, 2))
    minute, minute_known = _number(last, (4, 5))
    known &= minute_known & (hour < 24) & (minute < 60)  # noqa: PLR2004 — a clock
    known &= (last[3] == ord(":")) & ((last[0] == ord("+")) | (last[0] == ord("-")))
    sign = np.where(last[0] == ord("-"), -1, 1)
    offset = np.where(zulu, 0, sign * (hour * HOUR_US + minute * MINUTE_US))
    return offset, np.where(zulu, 1, 6), known | zulu


def _fractions(columns: npt.NDArray[np.uint8], lengths: Ints) -> tuple[Ints, Flags]:
    """Return the microseconds of fractions that are so long, with their point."""
    known = lengths == 0
    value = np.zeros(lengths.size, dtype=np.int64)
    pointed = np.isin(columns[_CLOCK], np.frombuffer(b".,", dtype=np.uint8))
    for digits in range(1, 7):
        has = (lengths == digits + 1) & pointed
        if has.any():
            number, good = _number(columns, range(_CLOCK + 1, _CLOCK + 1 + digits))
            value = np.where(has & good, number * 10 ** (6 - digits), value)
            known |= has & good
    return value, known
