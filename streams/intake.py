"""What was delivered and waits to be folded: while one transaction runs, the next one grows.

At a low rate a partition's batch is a few records, and its transaction costs what one of a thousand costs: so all
that waits is folded together, one transaction for the batches of several partitions. Where much waits, a second
transaction runs beside the first, of other partitions: while one waits for PostgreSQL the other computes. No batch is
split, none overtakes an earlier one of its partition, and no partition is in two hands at once.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from streams.batches import Batch, Partition

Event = Any  # Faust's, with a Batch as its value; Faust is read untyped
SHARE: Final = 2  # transactions' worth of records that may wait
ENOUGH: Final = 2  # with another transaction running: half a transaction's worth must wait before one more begins


class Intake:
    """A queue of events, bounded by their records, emptied by the handful."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._events: deque[Event] = deque()
        self._records = 0
        self._in_hand: set[Partition] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._events)

    @property
    def is_full(self) -> bool:
        """Say whether so much waits that no more is taken in."""
        return self._records >= SHARE * self._records_max

    async def put(self, event: Event) -> None:
        """Add an event; waits while too much waits already."""
        while self.is_full:
            await self._change()
        self.add(event)

    def add(self, event: Event) -> None:
        """Add an event, however much waits."""
        self._events.append(event)
        self._records += len(event.value)
        self._changed.set()

    async def take(self) -> list[Event]:
        """Return the events for one transaction, each partition's in the order of their coming; waits for the first.

        Their partitions are in the taker's hand until it says `done`.
        """
        while not (taken := self.take_now()):
            await self._change()
        return taken

    def take_now(self) -> list[Event]:
        """Return the events for one transaction as `take` does; nothing where none may begin now."""
        taken = self._chosen()
        chosen = set(map(id, taken))
        self._events = deque(event for event in self._events if id(event) not in chosen)
        self._records -= _records(taken)
        self._in_hand |= set(map(_partition, taken))
        self._changed.set()
        return taken

    def done(self, taken: Sequence[Event]) -> None:
        """Let go of the partitions of what was taken."""
        self._in_hand -= set(map(_partition, taken))
        self._changed.set()

    def _chosen(self) -> list[Event]:
        """Return what a transaction may begin with now: first all of one partition, which is cheapest, then others."""
        free = [event for event in self._events if _partition(event) not in self._in_hand]
        if not free or (self._in_hand and _records(free) * ENOUGH < self._records_max):
            return []
        first = _partition(free[0])
        return list(_fitting(sorted(free, key=lambda event: _partition(event) != first), self._records_max))

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def rounds(batches: Sequence[Batch]) -> list[list[Batch]]:
    """Return the batches as transactions, each with one batch per partition.

    Batches of one partition become one where one goes on where the other ends; where it does not, because reading
    began anew in between, it waits for the next transaction: there what is folded already falls away.
    """
    made: list[dict[Partition, Batch]] = [{}]
    for batch in batches:
        place = batch.topic, batch.partition
        before = made[-1].get(place)
        if before is None:
            made[-1][place] = batch
        elif before.records[-1].offset + 1 == batch.records[0].offset:
            made[-1][place] = Batch(*place, [*before.records, *batch.records], batch.end)
        else:
            made.append({place: batch})
    return [list(one.values()) for one in made]


def _fitting(events: Sequence[Event], records_max: int) -> Iterator[Event]:
    """Yield the events that one transaction has room for; what does not fit stays, and what follows it there."""
    records, full = 0, set[Partition]()
    for event in events:
        place, size = _partition(event), len(event.value)
        if place in full or (records and records + size > records_max):
            full.add(place)
            continue
        records += size
        yield event


def _partition(event: Event) -> Partition:
    return event.value.topic, event.value.partition


def _records(events: Sequence[Event]) -> int:
    return sum(len(event.value) for event in events)
