"""How much of a count others may know: bands, as they stood at the last quarter of an hour. Pure.

Exact numbers let a neighbour watch single persons come and go; so do bands that follow every change.
"""

from datetime import datetime, timedelta
from typing import Final

BANDS: Final = ((5, "<5"), (20, "5-19"), (50, "20-49"), (100, "50-99"))
TOP: Final = "100+"
REFRESH: Final = timedelta(minutes=15)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def band_of(count: int) -> str:
    """Return the band of a count."""
    return next((name for end, name in BANDS if count < end), TOP)


def last_refresh(now: datetime) -> datetime:
    """Return the quarter of an hour that `now` lies in."""
    return now - (now - _EPOCH) % REFRESH


def minutes_of(person_us: int) -> float:
    """Return microseconds as minutes with three decimals, rounded half up."""
    return (person_us + 30_000) // 60_000 / 1000
