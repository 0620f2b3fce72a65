"""How the contenders on confluent-kafka read: its own experts' settings, whole topic, from the beginning."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer

from bench.contract import Task

AT_ONCE: Final = 10_000


def config(task: Task) -> dict[str, Any]:
    """Return librdkafka's settings that make a fast consumer."""
    return login(task) | {
        "group.id": task.group,
        "auto.offset.reset": "earliest",
        "fetch.min.bytes": 1,
        "fetch.message.max.bytes": 4 << 20,
        "queued.max.messages.kbytes": 256 << 10,
        "fetch.queue.backoff.ms": 5,
        "check.crcs": False,
    }


def login(task: Task) -> dict[str, Any]:
    """Return what any client of librdkafka needs to be let in."""
    return {
        "bootstrap.servers": task.kafka,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": task.user,
        "sasl.password": (Path(task.secrets) / "kafka" / task.user).read_text().strip(),
    }


def batches(task: Task, assigned: Callable[[], None]) -> Iterator[Sequence[Any]]:
    """Yield messages as they come, for ever; calls `assigned` when the partitions are known."""
    consumer = Consumer(config(task))
    consumer.subscribe([task.topic], on_assign=lambda *_: assigned())
    try:
        while True:
            messages = consumer.consume(AT_ONCE, timeout=0.1)
            if messages:
                yield messages
    finally:
        consumer.close()
