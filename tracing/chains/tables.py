"""A line list and its table of contacts as arrays. An id is a number here: its place among all ids by code point.

So the smallest of some ids is the smallest of their numbers, and nothing below compares texts.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

EPOCH: Final = date(1970, 1, 1)
NO_DAY: Final = -(10**9)  # far outside the years a file may hold
NOWHERE: Final = -1


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """What both files say. Columns of persons are by id number, columns of links by row."""

    ids: Sequence[str]  # every id of either table, by code point
    in_linelist: Flags
    in_contacts: Flags
    onset_day: Ints  # days since 1970, NO_DAY where it is not known
    positive: Flags
    linelist_rows: int
    source: Ints  # `from`, one for each row of the contacts
    target: Ints  # `to`
    facility: Ints | None  # number in `facilities`, NOWHERE where the row names none; None without the column
    facilities: Sequence[str]

    @property
    def links(self) -> int:
        """The number of rows in the table of contacts."""
        return len(self.source)

    @property
    def out_degree(self) -> Ints:
        """Rows from each id, a self link too."""
        return np.bincount(self.source, minlength=len(self.ids)).astype(np.int64)

    @property
    def in_degree(self) -> Ints:
        """Rows to each id, a self link too."""
        return np.bincount(self.target, minlength=len(self.ids)).astype(np.int64)


def interval_days(tables: Tables) -> tuple[Ints, Flags]:
    """Return the days from onset(from) to onset(to) of each row, and in which rows both are known."""
    source, target = tables.onset_day[tables.source], tables.onset_day[tables.target]
    return target - source, (source != NO_DAY) & (target != NO_DAY)


def implausible(tables: Tables) -> Flags:
    """Return in which rows `to` fell ill before `from`."""
    days, known = interval_days(tables)
    return known & (days < 0)


def day_text(day: np.int64) -> str | None:
    """Return the ISO date of a day number, None for NO_DAY."""
    return None if day == NO_DAY else (EPOCH + timedelta(days=int(day))).isoformat()
