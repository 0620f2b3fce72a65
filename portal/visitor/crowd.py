"""How crowded a place is, as anybody may know it: a band, and a word against the capacity. Pure.

The word says no more than the band: below a hundred it is reckoned with the band's middle, above with steps of fifty.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from portal.bands import band_of

Fullness: TypeAlias = Literal["quiet", "busy", "full"]

BUSY: Final = 50  # per cent of the capacity, ours
FULL: Final = 90
STEP: Final = 50
_MIDDLES: Final = {"<5": 2, "5-19": 12, "20-49": 35, "50-99": 75}


class Crowd(msgspec.Struct, frozen=True):
    """A band, and a word where the capacity is known."""

    band: str
    fullness: Fullness | None


def crowd_of(count: int, capacity: int | None) -> Crowd:
    """Return how crowded a place is with so many inside."""
    band = band_of(count)
    if not capacity:
        return Crowd(band, None)
    percent = _MIDDLES.get(band, count // STEP * STEP) * 100 // capacity
    return Crowd(band, "full" if percent >= FULL else "busy" if percent >= BUSY else "quiet")
