"""The relay: publishes what transactions left in the outbox. At least once, in order within each source partition.

A row is marked after every one of its events is acknowledged; after a failed send it begins again from the first
row that is not. Consumers drop repeats by id. Several relays share the work: each source partition is one relay's
at a time, also when one loses its database while its records are still on their way: the next one waits for those.
"""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Final

import structlog

from producers.packets import Keyed
from producers.sender import Sender, SendFuture
from producers.topics import ensure_topic
from schemas.errors import DatabaseAway, Unavailable
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, alert_topic
from streams.failpoints import arm, reach
from streams.metrics import RELAY_EVENTS, RELAY_WAITING, write_metrics
from streams.outbox.store import DELIVERED_WITHIN_S, SEND_WITHIN_S, Outbox, Part, Row
from streams.readiness import Readiness

USER: Final = "relay"
POLL_S: Final = 1.0
PAUSE_S: Final = 0.5
HOUSEKEEPING_S: Final = 10.0
SWITCH_S: Final = 0.001  # between threads; by default a short alert waits 5 ms whenever a long round has the turn
# After being woken: transactions that follow share the round. Every one of the folds' wakes both lanes.
GATHER_S: Final[dict[Part, float]] = {"all": 0.0, "news": 0.025, "bulk": 0.03}
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
        published = 0
        while not stopped() and (events := self._round()):
            published += events
        return published

    def _round(self) -> int:
        """Publish the first rows of every source that no other relay holds: one wait for Kafka for all of them."""
        waiting = self._outbox.waiting()
        if not waiting:
            return 0
        with self._outbox.alone_with(waiting) as mine:
            until = monotonic() + SEND_WITHIN_S
            rows = self._outbox.take_rows(mine) if mine else []
            if not rows:
                return 0
            reach("rows taken")
            published = self._publish(rows, until)
            self._outbox.mark(rows)
            reach("rows marked")
        return published

    def _publish(self, rows: Sequence[Row], until: float) -> int:
        parts: dict[tuple[str, int], list[Keyed]] = {}
        for row in rows:
            self._ensure(row.topic)
            for partition, key, value in row.events():
                parts.setdefault((row.topic, partition), []).append((key, value))
        futures: list[SendFuture] = []
        for (topic, partition), events in parts.items():
            if monotonic() > until:  # we may have been stopped meanwhile, and another relay gone on
                raise Unavailable("sending took too long")
            futures += [future for _, future in self._sender.send_all(topic, partition, events)]
            RELAY_EVENTS.labels(_family(topic)).inc(len(events))
        reach("events sent")
        self._sender.confirm(futures)
        reach("events confirmed")
        return sum(map(len, parts.values()))

    def _ensure(self, topic: str) -> None:
        """Make an office's topic before its first use; all others are made with the installation."""
        if topic.startswith(ALERT_PREFIX) and topic not in self._known_topics:
            ensure_topic(self._settings, USER, alert_topic(topic.removeprefix(ALERT_PREFIX)))
            self._known_topics.add(topic)


def make_sender(settings: Settings) -> Sender:
    """Return the relay's way to Kafka: it gives up before another relay stops waiting for it."""
    return Sender(settings, USER, delivery_timeout_ms=int(DELIVERED_WITHIN_S * 1000))


def run(settings: Settings, metrics_file: Path) -> None:
    """Relay until SIGTERM or SIGINT: alerts on a way of their own, so that they never wait for what scans leave.

    Raises:
        DatabaseAway: the database or Kafka stayed away longer than a worker waits.
        StopWorker: the database refuses the relay.
    """
    arm(settings.failpoint)
    sys.setswitchinterval(SWITCH_S)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    failed: list[BaseException] = []
    lanes = [_Lane(settings, "news", asked), _Lane(settings, "bulk", asked, metrics_file)]
    threads = [threading.Thread(target=lane.run, args=(failed,), name=lane.part, daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    _log.info("relay ends")


class _Lane:
    """One way from the outbox to Kafka, with a connection to each of its own; one of them keeps the house."""

    def __init__(
        self, settings: Settings, part: Part, asked: threading.Event, metrics_file: Path | None = None
    ) -> None:
        self.part = part
        self._settings = settings
        self._asked = asked
        self._metrics_file = metrics_file
        self._readiness = Readiness(settings, f"relay-{part}")

    def run(self, failed: list[BaseException]) -> None:
        """Relay until asked to stop; what ends this lane ends them all."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 — raised again where the process can end with it
            failed.append(error)
        finally:
            self._asked.set()

    def _run(self) -> None:
        away_since: float | None = None
        while not self._asked.is_set():
            try:
                with make_sender(self._settings) as sender, closing(Outbox(self._settings, part=self.part)) as outbox:
                    _log.info("relay starts", part=self.part)
                    relay = Relay(self._settings, sender, outbox)
                    away_since = None
                    self._readiness.say("")
                    self._relay(relay, outbox)
            except Unavailable as error:
                away_since = away_since or monotonic()
                self._readiness.say("waits for Kafka or the database")
                _log.warning("the relay waits", part=self.part, error=type(error.__cause__ or error).__name__)
                if monotonic() - away_since > self._settings.database_wait_s:
                    raise DatabaseAway(str(error)) from error
                self._asked.wait(PAUSE_S)

    def _relay(self, relay: Relay, outbox: Outbox) -> None:
        tidied_at = -HOUSEKEEPING_S  # at once, so that it is seen to work
        while not self._asked.is_set():
            relay.work_off(self._asked.is_set)
            if self._metrics_file is not None and monotonic() - tidied_at > HOUSEKEEPING_S:
                outbox.remove_old()
                RELAY_WAITING.set(outbox.count_waiting())
                write_metrics(self._metrics_file)
                tidied_at = monotonic()
            outbox.wait(POLL_S)
            self._asked.wait(GATHER_S[self.part])


def _family(topic: str) -> str:
    """Return the topic's label: an office is never one."""
    return ALERT_PREFIX + "*" if topic.startswith(ALERT_PREFIX) else topic
