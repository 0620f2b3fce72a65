"""The health office at its end of the line: reads its own topic with its own credentials, and keeps the time."""

import threading
from time import monotonic

import msgspec

from producers.follower import follow
from schemas.events import Alert
from schemas.settings import Settings
from schemas.topics import alert_topic, office_user


class OfficeDesk:
    """Follows one office's topic in a thread of its own from before the positive until closed."""

    def __init__(self, settings: Settings, office: str) -> None:
        self._settings = settings
        self._office = office
        self._closed = threading.Event()
        self._arrived = threading.Condition()
        self._alerts: dict[str, Alert] = {}  # by id: repeats are dropped, as every consumer must
        self._first_at: float | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._read, name=f"office-{office}", daemon=True)
        self._thread.start()

    def wait_for(self, number: int, timeout_s: float) -> list[Alert]:
        """Return the notices, in order of arrival, once there are `number` of them; fewer when time runs out."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._alerts) >= number or self._failure is not None, timeout_s)
            if self._failure is not None:
                raise self._failure
            return list(self._alerts.values())

    def first_read_at(self) -> float | None:
        """Return when the first notice was read, on the monotonic clock."""
        return self._first_at

    def close(self) -> None:
        """Leave the topic."""
        self._closed.set()
        self._thread.join(5)

    def _read(self) -> None:
        topic, user = alert_topic(self._office).name, office_user(self._office)
        try:
            for record in follow(self._settings, topic, user, stop=self._closed.is_set):
                self._take(record.value)
        except Exception as error:  # noqa: BLE001 — told to whoever waits
            with self._arrived:
                self._failure = error
                self._arrived.notify_all()

    def _take(self, value: bytes | None) -> None:
        if value is None:
            return
        alert = msgspec.json.decode(value, type=Alert)
        with self._arrived:
            self._first_at = self._first_at or monotonic()
            self._alerts.setdefault(alert.id, alert)
            self._arrived.notify_all()
