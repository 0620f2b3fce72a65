"""Before which instant nothing is taken in; asked for only where something so old may come: with import keys."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from schemas.errors import InvalidEvent

FRESH_S: Final = 10.0  # it moves once a day; what the gate lets through meanwhile, the fold does not


class Horizon:
    """The horizon, as it was within the last seconds; `know` first, then `check`."""

    def __init__(self, load: Callable[[], Awaitable[datetime | None]]) -> None:
        self._load = load
        self.at: datetime | None = None  # None: nothing has gone yet
        self._loaded_s = -FRESH_S

    async def know(self) -> None:
        """Make sure that what is remembered is fresh.

        Raises:
            Unavailable: the database does not answer.
        """
        if time.monotonic() - self._loaded_s >= FRESH_S:
            began_s = time.monotonic()
            self.at = await self._load()
            self._loaded_s = began_s

    def check(self, at: datetime) -> None:
        """Refuse what is older.

        Raises:
            InvalidEvent: it is (field `at`).
        """
        if self.at is not None and at < self.at:
            raise InvalidEvent("is before the horizon: what was then has been let go", field="at")
