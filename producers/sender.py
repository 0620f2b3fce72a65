"""The one way onto a topic: acknowledged by all replicas, in order, without repeats, partition given by the caller.

A record counts as sent when its future has succeeded, never before: `confirm` waits for that, `deliver` tells it
to a caller that must not wait. What fails is `Unavailable`: send all again, with the same ids.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from producers.client import REQUEST_TIMEOUT_MS, client_config
from producers.packets import RECORD_OVERHEAD, Keyed, Made, send_packets
from producers.producer_id import ask_anew_after_reset
from producers.refusals import explain, explain_start
from schemas.codec import encode
from schemas.errors import JejakError, Unavailable
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import SCAN, TOPICS

DELIVERY_TIMEOUT_MS: Final = 10_000
LINGER_MS: Final = 10
BATCH_BYTES: Final = 256 * 1024
CLOSE_TIMEOUT_S: Final = 12.0
RIGHTS_TIMEOUT_S: Final = 3.0

TOGETHER_MIN: Final = 4  # records of one partition from which a batch of their own is cheaper

Told = Callable[[int, Exception | None], None]
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
        ask_anew_after_reset(self._producer)
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

    def send_all(self, topic: str, partition: int, records: Sequence[Keyed]) -> list[Made]:
        """Hand over many records of one partition, in order; return futures, each with the number of its records.

        For a hundred it costs a fraction of `send` for each.

        Raises:
            BadInput: one of them is too large.
            Unavailable: the topic's leader is not known and nobody answers, or there is no such partition.
            Refused: the user may not write this topic.
        """
        if len(records) < TOGETHER_MIN:
            return [(1, self.send(topic, key, value, partition)) for key, value in records]
        room = self._producer.config["max_request_size"] - RECORD_OVERHEAD
        if any(len(key) + len(value or b"") > room for key, value in records):
            raise explain(MessageSizeTooLargeError(), self.settings, self.user, topic)
        try:
            if partition not in self._producer.partitions_for(topic):
                raise Unavailable(f"topic {topic} has no partition {partition}")
            return send_packets(self._producer, topic, partition, records)
        except KafkaError as error:
            raise explain(error, self.settings, self.user, topic) from error

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

    def deliver(self, topic: str, partition: int, records: Sequence[Keyed], told: Told) -> None:
        """Hand over records of one partition; `told` hears of each once: stored, or what `confirm` raises if lost.

        It hears on the producer's own thread, which sends nothing meanwhile. Raises what `send_all` does, and then
        nothing was handed over and nothing is told.
        """
        for number, future in self.send_all(topic, partition, records):
            future.add_callback(lambda _, number=number: told(number, None))
            future.add_errback(lambda error, number=number: told(number, explain(error, self.settings, self.user)))

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
    return [
        sender.send(SCAN.name, scan.person_id.encode(), encode(scan), partition_of(scan.person_id, partitions))
        for scan in scans
    ]
