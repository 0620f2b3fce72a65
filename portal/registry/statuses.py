"""Who is black, as `person-status.v1` says it: kept in memory by every gate, which reads the topic from its beginning.

A gate that has not read to the end does not know who is black, and says so instead of letting somebody pass.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from litestar import Litestar

from portal.logs import log
from producers.follower import follow
from schemas.codec import Codec
from schemas.errors import JejakError, Unavailable
from schemas.events import PersonStatus
from schemas.settings import Settings
from schemas.topics import PERSON_STATUS

USER: Final = "gate"
AGAIN_S: Final = 1.0
END_S: Final = 5.0

_read = Codec(PersonStatus).decode


class Statuses:
    """Until when somebody is black because of which case. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._latest: Latest | None = None

    def black_until(self, person_id: str) -> tuple[datetime, ...]:
        """Return until when somebody is black, once for each case; nothing for most people.

        Raises:
            Unavailable: the topic is not read to its end yet.
        """
        if self._latest is None:
            raise Unavailable("who is black is not read yet")
        return tuple(self._latest.get(person_id, {}).values())

    def use(self, latest: "Latest") -> None:
        """Answer from what was read to the end; it may grow."""
        self._latest = latest


class Latest(dict[str, dict[str, datetime]]):
    """By person, then by case; an inner table is replaced, never changed, for others read it meanwhile."""

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of the topic; one without a value ends what was told before.

        Raises:
            InvalidEvent: it is none of ours.
        """
        person, _, case = (key or b"").decode().partition("|")
        rest = {one: until for one, until in self.get(person, {}).items() if one != case}
        if value is not None:
            rest[case] = _read(value).until
        if rest:
            self[person] = rest
        else:
            self.pop(person, None)


def follow_statuses(settings: Settings, statuses: Statuses, stop: threading.Event) -> None:
    """Keep `statuses` as the topic says until `stop` is set; while the broker is away they stay as they were."""
    while not stop.is_set():
        latest = Latest()

        def use(read: Latest = latest) -> None:
            statuses.use(read)

        try:
            for record in follow(settings, PERSON_STATUS.name, USER, stop=stop.is_set, caught_up=use):
                latest.take(record.key, record.value)
        except JejakError as error:
            log().warning("statuses not followed", error=type(error).__name__)
            stop.wait(AGAIN_S)


@asynccontextmanager
async def following_statuses(app: Litestar) -> AsyncIterator[None]:
    """Follow the topic for as long as the application runs."""
    stop = threading.Event()
    arguments = app.state.desk.settings, app.state.registry.statuses, stop
    thread = threading.Thread(target=follow_statuses, args=arguments, name="statuses", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, END_S)
