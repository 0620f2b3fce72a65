"""The relay: publishes what transactions left in the outbox. At least once, in order within each source partition.

A row is marked after every one of its events is acknowledged; after a failed send it begins again from the first
row that is not. Consumers drop repeats by id. Several relays share the work: each source partition is one relay's
at a time, also when one loses its database while its records are still on their way: the next one waits for those.
"""

import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from producers.sender import Sender, SendFuture
from producers.topics import ensure_topic
from schemas.errors import DatabaseAway, Unavailable
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, alert_topic
from streams.failpoints import arm, reach
from streams.metrics import RELAY_EVENTS, RELAY_WAITING, write_metrics
from streams.outbox.store import DELIVERED_WITHIN_S, SEND_WITHIN_S, Outbox, Row
from streams.store import Source

USER: Final = "relay"
POLL_S: Final = 1.0
PAUSE_S: Final = 0.5
HOUSEKEEPING_S: Final = 10.0
_log = structlog.get_logger(__name__)


class Relay:
    """One relay process; `work_off` publishes everything that waits and that no other relay holds."""

    def __init__(self, settings: Settings, sender: Sender, outbox: Outbox) -> None:
        self._settings = settings
        self._sender = sender
        self._outbox = outbox
        self._known_topics: set[str] = set()

    def work_off(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Publish what waits; return how many events were."""
        waiting = self._outbox.waiting()
        RELAY_WAITING.set(sum(count for _, count in waiting))
        return sum(self._work_off(source, stopped) for source, _ in waiting)

    def _work_off(self, source: Source, stopped: Callable[[], bool]) -> int:
        published = 0
        with self._outbox.alone_with(source) as mine:
            while mine and not stopped():
                until = monotonic() + SEND_WITHIN_S
                rows = self._outbox.take_rows(source)
                if not rows:
                    break
                reach("rows taken")
                published += self._publish(rows, until)
                self._outbox.mark(rows)
                reach("rows marked")
        return published

    def _publish(self, rows: Sequence[Row], until: float) -> int:
        futures: list[SendFuture] = []
        for row in rows:
            self._ensure(row.topic)
            if monotonic() > until:  # we may have been stopped meanwhile, and another relay gone on
                raise Unavailable("sending took too long")
            events = row.events()
            futures += [self._sender.send(row.topic, key, value, partition) for partition, key, value in events]
            RELAY_EVENTS.labels(_family(row.topic)).inc(len(events))
        reach("events sent")
        self._sender.confirm(futures)
        reach("events confirmed")
        return len(futures)

    def _ensure(self, topic: str) -> None:
        """Make an office's topic before its first use; all others are made with the installation."""
        if topic.startswith(ALERT_PREFIX) and topic not in self._known_topics:
            ensure_topic(self._settings, USER, alert_topic(topic.removeprefix(ALERT_PREFIX)))
            self._known_topics.add(topic)


def make_sender(settings: Settings) -> Sender:
    """Return the relay's way to Kafka: it gives up before another relay stops waiting for it."""
    return Sender(settings, USER, delivery_timeout_ms=int(DELIVERED_WITHIN_S * 1000))


def run(settings: Settings, metrics_file: Path) -> None:
    """Relay until SIGTERM or SIGINT.

    Raises:
        DatabaseAway: the database or Kafka stayed away longer than a worker waits.
        StopWorker: the database refuses the relay.
    """
    arm(settings.failpoint)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    away_since: float | None = None
    while not asked.is_set():
        try:
            with make_sender(settings) as sender, closing(Outbox(settings)) as outbox:
                _log.info("relay starts")
                relay = Relay(settings, sender, outbox)
                away_since = None
                _relay(relay, outbox, asked, metrics_file)
        except Unavailable as error:
            away_since = away_since or monotonic()
            _log.warning("the relay waits", error=type(error.__cause__ or error).__name__)
            if monotonic() - away_since > settings.database_wait_s:
                raise DatabaseAway(str(error)) from error
            asked.wait(PAUSE_S)
    _log.info("relay ends")


def _relay(relay: Relay, outbox: Outbox, asked: threading.Event, metrics_file: Path) -> None:
    tidied_at = monotonic()
    while not asked.is_set():
        relay.work_off(asked.is_set)
        if monotonic() - tidied_at > HOUSEKEEPING_S:
            outbox.remove_old()
            write_metrics(metrics_file)
            tidied_at = monotonic()
        outbox.wait(POLL_S)


def _family(topic: str) -> str:
    """Return the topic's label: an office is never one."""
    return ALERT_PREFIX + "*" if topic.startswith(ALERT_PREFIX) else topic
