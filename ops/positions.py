"""Where the folds stand, against what the log still holds; and how an operator accepts what is lost, on record.

A worker ends with 72 rather than step over records that it never read. Only a person may say that they are gone.
"""

import msgspec
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from ops.store import OPERATOR, transaction
from ops.topics import admin_client
from schemas.errors import Conflict, NotFound
from schemas.settings import Settings

_POSITIONS = "select topic, partition, cluster_id, next_offset from position order by topic, partition"
_RECORD = """
    insert into lost_range (topic, partition, from_offset, to_offset, cluster_id, accepted_by)
    values (%s, %s, %s, %s, %s, %s)
"""
# The ledger's beginning moves with the position: what was applied, repeated or dead stays counted.
_MOVE = """
    update position set cluster_id = %s, next_offset = %s, first = %s - applied - duplicate - dead
    where topic = %s and partition = %s and cluster_id = %s and next_offset = %s
"""


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """One partition: the stored position, and what the log of today holds."""

    topic: str
    partition: int
    cluster_id: str
    next_offset: int
    log_cluster_id: str
    log_start: int
    log_end: int

    @property
    def loss(self) -> str:
        """Why the fold cannot go on here, in words; empty when it can."""
        if self.cluster_id != self.log_cluster_id:
            return (
                f"the log is another cluster's; what came after offset {self.next_offset} of the old one is not in it"
            )
        if self.log_start > self.next_offset:
            return f"offsets {self.next_offset} to {self.log_start - 1} were removed before they were read"
        if self.log_end < self.next_offset:
            return f"the log ends at {self.log_end}, but was read up to {self.next_offset - 1}: it was cut off"
        return ""

    @property
    def lag(self) -> int:
        """How many records wait."""
        return max(0, self.log_end - self.next_offset)

    @property
    def lost(self) -> tuple[int, int]:
        """The first lost offset, and the one after the last; the end is open (-1) in another cluster's log."""
        if self.cluster_id != self.log_cluster_id:
            return self.next_offset, -1
        return min(self.next_offset, self.log_end), max(self.next_offset, self.log_start)


def read_stands(settings: Settings) -> list[Stand]:
    """Return every partition that has a position, with its log."""
    with transaction(settings, OPERATOR) as connection, connection.cursor() as cursor:
        cursor.execute(_POSITIONS)
        rows = cursor.fetchall()
    with admin_client(settings) as admin:
        cluster = str(admin.describe_cluster()["cluster_id"])
        there = set(admin.list_topics())
        places = [TopicPartition(topic, partition) for topic, partition, *_ in rows if topic in there]
        ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST)) if places else {}
        starts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST)) if places else {}
    return [
        Stand(
            topic=topic,
            partition=partition,
            cluster_id=cluster_id,
            next_offset=next_offset,
            log_cluster_id=cluster,
            log_start=starts[TopicPartition(topic, partition)].offset,
            log_end=ends[TopicPartition(topic, partition)].offset,
        )
        for topic, partition, cluster_id, next_offset in rows
        if topic in there
    ]


def accept_loss(settings: Settings, topic: str, partition: int, by: str) -> Stand:
    """Write down that what is lost of a partition is lost, and move its position to where the log begins.

    Returns what was accepted.

    Raises:
        NotFound: no fold has a position there.
        Conflict: nothing is lost there, or a worker moved the position meanwhile.
    """
    stand = next((each for each in read_stands(settings) if (each.topic, each.partition) == (topic, partition)), None)
    if stand is None:
        raise NotFound(f"no position is kept for {topic} {partition}")
    if not stand.loss:
        raise Conflict(f"nothing is lost in {topic} {partition}")
    # In a log that was cut off, reading goes on at its end: what lies before it was read already.
    same = stand.cluster_id == stand.log_cluster_id
    goes_on = stand.log_end if same and stand.log_end < stand.next_offset else stand.log_start
    with transaction(settings, OPERATOR) as connection, connection.cursor() as cursor:
        cursor.execute(_RECORD, (topic, partition, *stand.lost, stand.cluster_id, by))
        cursor.execute("select append_audit(%s, 'loss accepted', %s, %s)", (by, f"{topic} {partition}", stand.loss))
        where = (topic, partition, stand.cluster_id, stand.next_offset)
        cursor.execute(_MOVE, (stand.log_cluster_id, goes_on, goes_on, *where))
        if cursor.rowcount != 1:
            raise Conflict(f"the position of {topic} {partition} moved meanwhile; look again")
    return stand
