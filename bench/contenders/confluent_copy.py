"""confluent-kafka and psycopg2 COPY doing the same transaction as ours: the product's own fold, without Faust.

What an engineer would write who has seen that fold: one thread, librdkafka reads ahead, one transaction for
every 5,000 records, whatever partitions they are of. It has none of the worker's supervision.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.contenders.librdkafka import config, login
from bench.contract import Stopwatch, Task, read_task, say
from schemas.settings import Settings
from streams.batches import Batch, Log
from streams.joining.store import JoiningStore
from streams.sealing import read_seal
from streams.visits import VisitFold


@dataclass(slots=True)
class Read:
    """A message as the fold reads it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def main() -> None:
    """Run until all records are folded."""
    task = read_task()
    watch = Stopwatch(task.events)
    settings = task.settings()
    store = JoiningStore(settings, "jejak_visits", VisitFold(task.partitions), read_seal(settings))
    consumer = Consumer(config(task) | {"enable.auto.commit": False})
    starts = {(task.topic, partition): 0 for partition in range(task.partitions)}
    ends = {at: consumer.get_watermark_offsets(TopicPartition(*at))[1] for at in starts}
    cluster = AdminClient(login(task)).list_topics(timeout=10).cluster_id
    at = store.positions(Log(cluster, starts, ends))
    consumer.assign([TopicPartition(*place, offset) for place, offset in at.items()])
    watch.start()
    try:
        _fold(task, settings, consumer, store, watch)
    finally:
        store.close()
        consumer.close()
    say(watch)


def _fold(task: Task, settings: Settings, consumer: Any, store: JoiningStore, watch: Stopwatch) -> None:  # noqa: ANN401 — librdkafka has no types
    while True:
        messages = consumer.consume(settings.batch_max, timeout=0.05)
        parts: defaultdict[int, list[Read]] = defaultdict(list)
        for message in messages:
            parts[message.partition()].append(
                Read(message.offset(), message.timestamp()[1], message.key(), message.value())
            )
        if parts:
            store.apply_all([Batch(task.topic, partition, records) for partition, records in parts.items()])
        if watch.count(len(messages)):
            return


if __name__ == "__main__":
    main()
