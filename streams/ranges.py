"""Which offset may be committed: batches are acked in any order, committed in the order of their delivery.

Kafka's committed offset only shows lag (PostgreSQL's position is the truth), so this must never run ahead of what
was acked, and may always forget.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Ranges(Generic[P]):
    """Per partition the batches delivered and not yet committed, each known by its last offset."""

    def __init__(self) -> None:
        self._delivered: defaultdict[P, deque[int]] = defaultdict(deque)
        self._acked: defaultdict[P, set[int]] = defaultdict(set)

    def deliver(self, partition: P, last: int) -> None:
        """Remember a batch that ends with offset `last`; call in the order of delivery."""
        self._delivered[partition].append(last)

    def ack(self, partition: P, last: int) -> None:
        """Mark that batch as done; one that was forgotten meanwhile changes nothing."""
        if last in self._delivered[partition]:
            self._acked[partition].add(last)

    def partitions(self) -> list[P]:
        """Return the partitions in which something is acked and not yet taken."""
        return [partition for partition, acked in self._acked.items() if acked]

    def take(self, partition: P) -> int | None:
        """Return the offset to commit, the end of the longest head that is acked whole; None: nothing new."""
        delivered, acked = self._delivered[partition], self._acked[partition]
        last = None
        while delivered and delivered[0] in acked:
            last = delivered.popleft()
            acked.discard(last)
        return None if last is None else last + 1

    def forget(self, partitions: Iterable[P]) -> None:
        """Forget what was in flight: it is delivered again, or to somebody else."""
        for partition in partitions:
            self._delivered.pop(partition, None)
            self._acked.pop(partition, None)

    def forget_all(self) -> None:
        """Forget everything in flight."""
        self._delivered.clear()
        self._acked.clear()
