"""What was delivered and waits to be folded: while one transaction runs, the next one grows.

At a low rate a partition's batch is a few records, and its transaction costs what one of a thousand costs: so all
that waits is folded together, one transaction for the batches of several partitions. No batch is split or overtaken.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from streams.batches import Batch

Event = Any  # Faust's, with a Batch as its value; Faust is read untyped
SHARE: Final = 2  # transactions' worth of records that may wait


class Intake:
    """A queue of events, bounded by their records, emptied by the handful."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._events: deque[Event] = deque()
        self._records = 0
        self._changed = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add an event; waits while too much waits already."""
        while self._records >= SHARE * self._records_max:
            self._changed.clear()
            await self._changed.wait()
        self._events.append(event)
        self._records += len(event.value)
        self._changed.set()

    async def take(self) -> list[Event]:
        """Return the events for one transaction, in the order of their coming; waits for the first."""
        while not self._events:
            self._changed.clear()
            await self._changed.wait()
        taken = [self._events.popleft()]
        records = len(taken[0].value)
        while self._events and records + len(self._events[0].value) <= self._records_max:
            taken.append(self._events.popleft())
            records += len(taken[-1].value)
        self._records -= records
        self._changed.set()
        return taken


def rounds(batches: Sequence[Batch]) -> list[list[Batch]]:
    """Return the batches as transactions, each with one batch per partition.

    Batches of one partition become one where one goes on where the other ends; where it does not, because reading
    began anew in between, it waits for the next transaction: there what is folded already falls away.
    """
    made: list[dict[tuple[str, int], Batch]] = [{}]
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
