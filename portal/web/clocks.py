"""Times as people read them: by the clock on their own wall, with its name."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from portal.keys import EVERYWHERE
from portal.regions import time_zone_of
from tracing.report.words import CLOCKS

MINISTRYS: Final = "Asia/Jakarta"  # also of whoever has no area


def zone_of(area: str) -> str:
    """Return the time zone of an account's area."""
    return MINISTRYS if area in {"", EVERYWHERE} else time_zone_of(area)


def clock(at: datetime, time_zone: str) -> str:
    """Return the day and the minute by the clocks of that time zone, e.g. `24-11-2026 08:05 WIB`."""
    return f"{at.astimezone(ZoneInfo(time_zone)):%d-%m-%Y %H:%M} {CLOCKS.get(time_zone, time_zone)}"
