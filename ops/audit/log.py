"""The topics, read to where they ended when the audit looked; and where the folds stand in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ops.audit.findings import Findings
from ops.audit.store import Position, Snapshot
from ops.topics import ADMIN, admin_client
from producers.client import client_config
from producers.refusals import explain, explain_start
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, TOPICS

POSITIONS: Final = "positions"
POLL_MS: Final = 200
POLL_RECORDS: Final = 5_000
FETCH_BYTES: Final = 4 * 1024 * 1024
SILENT_S: Final = 30.0


class Bounds(NamedTuple):
    """The first offset that a partition still keeps, and the one after its last."""

    start: int
    end: int

    @property
    def is_whole(self) -> bool:
        """Say whether nothing has gone by age yet."""
        return self.start == 0


class Record(NamedTuple):
    """A record, as far as the audit looks at it."""

    offset: int
    key: bytes
    value: bytes | None


class Log:
    """Reads as the administrator, in no group: nothing is remembered, nobody is disturbed."""

    def __init__(self, settings: Settings, consumer: KafkaConsumer, bounds: dict[tuple[str, int], Bounds]) -> None:
        self._settings = settings
        self._consumer = consumer
        self.bounds = bounds

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic; none if it is not there."""
        return sorted(partition for name, partition in self.bounds if name == topic)

    def offices(self) -> set[str]:
        """Return the offices that have a topic."""
        return {name.removeprefix(ALERT_PREFIX) for name, _ in self.bounds if name.startswith(ALERT_PREFIX)}

    def read(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield the records of a partition, up to its end as it was when the log was opened.

        Raises:
            Unavailable: nothing comes any more.
        """
        start, end = self.bounds[topic, partition]
        place = TopicPartition(topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        heard = monotonic()
        while self._consumer.position(place) < end:
            found = self._consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS).get(place, [])
            if found:
                heard = monotonic()
            elif monotonic() - heard > SILENT_S:
                raise Unavailable(f"topic {topic} {partition} is not read to its end: nothing came for {SILENT_S:g} s")
            for record in found:
                if record.offset < end:
                    yield Record(record.offset, record.key or b"", record.value)


@contextmanager
def open_log(settings: Settings) -> Iterator[Log]:
    """Open all our topics; where each ends is fixed now."""
    with admin_client(settings) as admin:
        ours = {topic.name for topic in TOPICS}
        names = [name for name in admin.list_topics() if name in ours or name.startswith(ALERT_PREFIX)]
        found = admin.describe_topics(names) if names else []
    places = [TopicPartition(row["name"], one["partition_index"]) for row in found for one in row["partitions"]]
    try:
        consumer = KafkaConsumer(**_config(settings))
    except KafkaError as error:
        raise explain_start(error, settings, ADMIN) from error
    try:
        starts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        bounds = {(place.topic, place.partition): Bounds(starts[place], ends[place]) for place in places}
        yield Log(settings, consumer, bounds)
    except KafkaError as error:
        raise explain(error, settings, ADMIN) from error
    finally:
        consumer.close()


def check_positions(snapshot: Snapshot, settings: Settings, findings: Findings, log: Log) -> None:
    """Report positions that are not in the log: another cluster's, behind what is kept, or beyond its end."""
    with admin_client(settings) as admin:
        cluster = str(admin.describe_cluster()["cluster_id"])
    behind = 0
    for position in snapshot.positions():
        findings.compared(POSITIONS)
        bounds = log.bounds.get((position.topic, position.partition))
        wrong = _outside(position, bounds, cluster)
        if wrong or bounds is None:
            findings.differs(POSITIONS, f"{position.topic} {position.partition}", wrong)
        else:
            behind += bounds.end - position.next_offset
    if behind:
        findings.note(POSITIONS, f"{behind:,} records came since or wait to be folded")


def _outside(position: Position, bounds: Bounds | None, cluster: str) -> str:
    if bounds is None:
        return "has a position, but the topic has no such partition"
    if position.cluster_id != cluster:
        return "the position was taken from another cluster's log"
    if position.next_offset < bounds.start:
        return f"offsets {position.next_offset} to {bounds.start - 1} were removed before they were read"
    if position.next_offset > bounds.end:
        return f"the log ends at {bounds.end}, but was read up to {position.next_offset - 1}"
    return ""


def _config(settings: Settings) -> dict[str, object]:
    return client_config(settings, ADMIN) | {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": FETCH_BYTES,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
