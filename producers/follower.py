"""The one plain follower of a topic: what an office, a screen or a test reads with.

The folds do not: they seek to PostgreSQL's position. At least once: in a group, what was yielded is committed when
the reader comes back for more, so a reader killed in between sees its last records again and drops them by id.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from producers.client import client_config
from producers.refusals import explain, explain_start
from schemas.errors import Unavailable
from schemas.settings import Settings

POLL_MS: Final = 200
POLL_RECORDS: Final = 1_000
SESSION_TIMEOUT_MS: Final = 6_000
METADATA_TIMEOUT_MS: Final = 3_000


class Record(msgspec.Struct, frozen=True):
    """One record as it lies in the log; `timestamp` in milliseconds, `value` None is a tombstone."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


def follow(
    settings: Settings,
    topic: str,
    user: str,
    *,
    group: str = "",
    stop: Callable[[], bool],
    from_beginning: bool = True,
    caught_up: Callable[[], None] | None = None,
) -> Generator[Record]:
    """Yield the records of `topic`, waiting for more until `stop()` says so (asked several times a second).

    Args:
        settings: lead to the broker and the password file.
        topic: its name.
        user: the Kafka user to act as.
        group: empty reads every partition alone and remembers nothing; else the position is kept in this group,
            whose name must begin with `schemas.topics.group_of(user)`.
        stop: asked before every poll and only then: records already fetched are still yielded.
        from_beginning: where to begin when nothing is remembered: at the first record, or after the last.
        caught_up: called once, when all that lay in the log at the start has been yielded; not with a group.

    Raises:
        Refused: the user has no right to the topic or group.
        Unavailable: no broker answers, or the topic is not there.
    """
    rounds = follow_rounds(
        settings, topic, user, group=group, stop=stop, from_beginning=from_beginning, caught_up=caught_up
    )
    with closing(rounds):
        for records in rounds:
            yield from records


def follow_rounds(
    settings: Settings,
    topic: str,
    user: str,
    *,
    group: str = "",
    stop: Callable[[], bool],
    from_beginning: bool = True,
    caught_up: Callable[[], None] | None = None,
) -> Generator[list[Record]]:
    """Yield what comes as `follow` does, together what came together; a fifth of a second without any is a round too.

    In a group a round is committed when the reader comes back for the next one: if it ends instead, it sees it again.
    """
    assert not (group and caught_up), "a member of a group does not see the whole log"
    reset = "earliest" if from_beginning else "latest"
    try:
        consumer = KafkaConsumer(**_config(settings, user, group, reset))
    except KafkaError as error:
        raise explain_start(error, settings, user) from error
    with closing(consumer):
        try:
            partitions = _find_partitions(consumer, topic)
            if group:
                consumer.subscribe([topic])
            else:
                _take_all(consumer, partitions, from_beginning=from_beginning)
            ends = consumer.end_offsets(partitions) if caught_up is not None else {}
            while not stop():
                polled = consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS).values()
                yield [_record(r) for some in polled for r in some]
                if group and polled:
                    consumer.commit()
                if caught_up is not None and all(consumer.position(one) >= end for one, end in ends.items()):
                    caught_up()
                    caught_up = None
        except KafkaError as error:
            raise explain(error, settings, user, topic) from error


def _record(r: Any) -> Record:  # noqa: ANN401 — kafka-python has no types
    return Record(r.topic, r.partition, r.offset, r.key, r.value, r.timestamp)


def _config(settings: Settings, user: str, group: str, reset: str) -> dict[str, Any]:
    return client_config(settings, user) | {
        "group_id": group or None,
        "enable_auto_commit": False,
        "auto_offset_reset": reset,
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        "heartbeat_interval_ms": SESSION_TIMEOUT_MS // 3,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }


def _find_partitions(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the topic's partitions, asked for by hand: a consumer of a foreign topic waits for ever, in silence."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        consumer.end_offsets([TopicPartition(topic, 0)], timeout_ms=METADATA_TIMEOUT_MS)  # raises when it is forbidden
        raise Unavailable(f"topic {topic} is not there; `jejak topics` makes it")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def _take_all(consumer: KafkaConsumer, partitions: list[TopicPartition], *, from_beginning: bool) -> None:
    """Read every partition from one end, and know where that is before anything else happens."""
    consumer.assign(partitions)
    (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
    for partition in partitions:
        consumer.position(partition)
