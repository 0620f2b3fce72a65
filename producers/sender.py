"""The one way onto a topic: acknowledged by all replicas, in order, without repeats, partition given by the caller.

A record counts as sent when its future has succeeded, never before: `confirm` waits for that, `outcome` tells it
to a caller that must not wait. What fails is `Unavailable`: send all again, with the same ids.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from producers.kafka import REQUEST_TIMEOUT_MS, client_config, explain, explain_start
from schemas.codec import encode
from schemas.errors import JejakError, Unavailable
from schemas.events import ContactDecision, Scan, ScanDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import CONTACT_DECISION, SCAN, TEST_RESULT, TOPICS, TRACE_REQUEST

DELIVERY_TIMEOUT_MS: Final = 10_000
LINGER_MS: Final = 10
BATCH_BYTES: Final = 256 * 1024
CLOSE_TIMEOUT_S: Final = 12.0
RIGHTS_TIMEOUT_S: Final = 3.0

SendFuture = Any  # kafka-python's future: add_callback, add_errback, get(timeout); kafka-python has no types


class Sender:
    """A producer that acts as one Kafka user; safe to share between threads.

    Making one waits until the topics the user writes are known, so that `send` never blocks on them later.

    Raises:
        Unavailable: no broker answers, or a topic is not there yet.
        Refused: the broker does not let this user in.
        InvalidSettings: the broker, its network or the password file is not usable.
    """

    def __init__(self, settings: Settings, user: str, *, delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS) -> None:
        self.settings = settings
        self.user = user
        try:
            self._producer = KafkaProducer(**producer_config(settings, user, delivery_timeout_ms))
        except KafkaError as error:
            raise explain_start(error, settings, user) from error
        try:
            for topic in TOPICS:
                if user in topic.writers:
                    self._learn(topic.name)
        except JejakError:
            self._producer.close(timeout=0)
            raise

    @property
    def config(self) -> dict[str, Any]:
        """The configuration the producer really runs with, without the password."""
        return {name: value for name, value in self._producer.config.items() if "password" not in name}

    def send(self, topic: str, key: bytes, value: bytes | None, partition: int) -> SendFuture:
        """Hand one record over; returns at once with its future. `value` None is a tombstone.

        Raises:
            Unavailable: the topic's leader is not known and nobody answers.
            Refused: the user may not write this topic.
        """
        try:
            return self._producer.send(topic, key=key, value=value, partition=partition)
        except KafkaError as error:
            raise explain(error, self.settings, self.user, topic) from error
        except ValueError as error:
            # Its only reachable cause here: the topic has fewer partitions than the caller thinks.
            raise Unavailable(f"topic {topic} has no partition {partition}") from error

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Send what lingers and wait for the answers; their futures say how it went."""
        try:
            self._producer.flush(timeout_s)
        except KafkaError as error:
            raise explain(error, self.settings, self.user) from error

    def confirm(self, futures: Iterable[SendFuture], timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Wait until every record is acknowledged.

        Raises:
            Unavailable: at least one was not, in time; whether it was stored is unknown.
            Refused: the user may not write that topic.
        """
        deadline = time.monotonic() + timeout_s
        for future in futures:
            try:
                future.get(max(0.0, deadline - time.monotonic()))
            except KafkaError as error:
                raise explain(error, self.settings, self.user) from error

    def outcome(self, futures: Sequence[SendFuture]) -> "Future[None]":
        """Return a future of all of them: done when every record is acknowledged, failed at the first loss.

        It fails as `confirm` does, and is completed on the producer's own thread: `asyncio.wrap_future` brings it home.
        """
        return _Outcome(self, futures).result

    def close(self) -> None:
        """Send what lingers, then leave; bounded in time."""
        self._producer.close(timeout=CLOSE_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _learn(self, topic: str) -> None:
        deadline = time.monotonic() + RIGHTS_TIMEOUT_S
        while True:
            try:
                self._producer.partitions_for(topic)
            except TopicAuthorizationFailedError as error:
                # A right given a moment ago has not reached the broker's authorizer yet.
                if time.monotonic() > deadline:
                    raise explain(error, self.settings, self.user, topic) from error
                time.sleep(0.1)
            except KafkaError as error:
                raise explain(error, self.settings, self.user, topic) from error
            else:
                return


class _Outcome:
    """Counts acknowledgements down to one answer."""

    def __init__(self, sender: Sender, futures: Sequence[SendFuture]) -> None:
        self.result: Future[None] = Future()
        self._sender = sender
        self._left = len(futures)
        self._lock = threading.Lock()
        if not futures:
            self.result.set_result(None)
        for future in futures:
            future.add_callback(self._acknowledged)
            future.add_errback(self._lost)

    def _acknowledged(self, _: object) -> None:
        with self._lock:
            self._left -= 1
            done = self._left == 0
        if done and self.result.set_running_or_notify_cancel():
            self.result.set_result(None)

    def _lost(self, error: Exception) -> None:
        with self._lock:
            first = self._left > 0
            self._left = -1  # never reaches zero again
        if first and self.result.set_running_or_notify_cancel():
            self.result.set_exception(explain(error, self._sender.settings, self._sender.user))


def producer_config(settings: Settings, user: str, delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS) -> dict[str, Any]:
    """Return the producer's configuration.

    Idempotence is asked for by name: left to its default, kafka-python drops it with only a warning when another
    setting conflicts.
    """
    return client_config(settings, user) | {
        "enable_idempotence": True,
        "acks": "all",
        "linger_ms": LINGER_MS,
        "batch_size": BATCH_BYTES,
        "delivery_timeout_ms": delivery_timeout_ms,
        "request_timeout_ms": min(REQUEST_TIMEOUT_MS, delivery_timeout_ms - LINGER_MS),
        "max_block_ms": DELIVERY_TIMEOUT_MS,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }


def send_scans(sender: Sender, scans: Iterable[Scan | ScanDecision], partitions: int) -> list[SendFuture]:
    """Send scans and decisions about scans, each to its person's partition."""
    return [_send(sender, SCAN.name, scan, partitions) for scan in scans]


def send_test_result(sender: Sender, result: TestResult, partitions: int) -> SendFuture:
    """Send one test result."""
    return _send(sender, TEST_RESULT.name, result, partitions)


def send_trace_request(sender: Sender, request: TraceRequest, partitions: int) -> SendFuture:
    """Send one request, approval or refusal of a trace."""
    return _send(sender, TRACE_REQUEST.name, request, partitions)


def send_contact_decision(sender: Sender, decision: ContactDecision, partitions: int) -> SendFuture:
    """Send one decision about a candidate."""
    return _send(sender, CONTACT_DECISION.name, decision, partitions)


def _send(
    sender: Sender,
    topic: str,
    event: Scan | ScanDecision | TestResult | TraceRequest | ContactDecision,
    partitions: int,
) -> SendFuture:
    return sender.send(topic, event.person_id.encode(), encode(event), partition_of(event.person_id, partitions))
