"""The key of a stored visit: facility and stay class in one integer, so an overlap look-up is one range per class.

A class holds the stays up to its bound. Whoever overlaps the time from `a` on has checked in after
`a - longest(class)`: so a look-up reads, per class, `check_in >= a - longest and check_in < b`, and no more.
"""

from bisect import bisect_left
from typing import Final

from tracing.instants import DAY_US, HOUR_US

LONGEST_US: Final = (HOUR_US, 4 * HOUR_US, DAY_US, 4 * DAY_US, 12 * DAY_US)  # the class after the last has no bound
SHORT_CLASSES: Final = range(3)  # up to a day: kept by week; longer stays have a table of their own
_STEP: Final = 8


def stay_class(check_in: int, check_out: int) -> int:
    """Return the class of a stay: 0 up to 1 h, 1 up to 4 h, 2 up to 1 d, 3 up to 4 d, 4 up to 12 d, 5 longer."""
    return bisect_left(LONGEST_US, check_out - check_in)


def visit_key(facility_no: int, check_in: int, check_out: int) -> int:
    """Return the key under which a visit is stored."""
    return facility_no * _STEP + stay_class(check_in, check_out)


def facility_of(key: int) -> int:
    """Return the facility_no of a key."""
    return key // _STEP


def class_of(key: int) -> int:
    """Return the stay class of a key."""
    return key % _STEP


def longest_us(stay: int) -> int | None:
    """Return how long a stay of this class lasts at most; None: no bound."""
    return LONGEST_US[stay] if stay < len(LONGEST_US) else None


def is_short(key: int) -> bool:
    """Say whether a visit with this key is kept by week, with the stays up to a day."""
    return class_of(key) in SHORT_CLASSES
