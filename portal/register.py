"""The facilities, in memory: kind and time zone never change, so only an id not seen before asks the database."""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from portal.store import FacilityRow

FRESH_S: Final = 0.05  # ids that do not exist must not cost a query each
STALE_S: Final = 300.0  # a facility's name and district may change


class Register:
    """Facilities by id; `know` first, then `get`."""

    def __init__(self, load: Callable[[], Awaitable[list[FacilityRow]]]) -> None:
        self._load = load
        self._rows: dict[str, FacilityRow] = {}
        self._loaded_s = -STALE_S

    async def know(self, facility_ids: Iterable[str]) -> None:
        """Make sure that these are here if they exist at all.

        Raises:
            Unavailable: one is not known, and the database does not answer.
        """
        age_s = time.monotonic() - self._loaded_s
        if age_s >= STALE_S or (age_s >= FRESH_S and not all(one in self._rows for one in facility_ids)):
            began_s = time.monotonic()
            self._rows = {row.facility_id: row for row in await self._load()}
            self._loaded_s = began_s

    def get(self, facility_id: str) -> FacilityRow | None:
        """Return the facility, if it is known."""
        return self._rows.get(facility_id)
