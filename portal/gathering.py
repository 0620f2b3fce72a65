"""One call in a thread for all that wait: the busier the gate, the larger the batch, and nobody waits for a timer.

The event loop never blocks on the database or the broker; and a thousand single requests cost a few round trips.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from schemas.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[T]], Sequence[R]]
InThread = Callable[[Work[T, R], Sequence[T]], Awaitable[Sequence[R]]]


class Gathering(Generic[T, R]):
    """Calls `work` with everything that waits, one call at a time; one result per item, in order.

    An exception of `work` is everybody's of that call. More than `waiting_max` items at a time are refused at once.
    """

    def __init__(self, work: Work[T, R], in_thread: InThread[T, R], *, together_max: int, waiting_max: int) -> None:
        self._work = work
        self._in_thread = in_thread
        self._together_max = together_max
        self._waiting_max = waiting_max
        self._waiting: list[tuple[Sequence[T], asyncio.Future[Sequence[R]]]] = []
        self._held = 0
        self._runner: asyncio.Task[None] | None = None

    async def __call__(self, items: Sequence[T]) -> Sequence[R]:
        """Return the results of `items`.

        Raises:
            Unavailable: too many wait already.
        """
        if not items:
            return []
        if self._held + len(items) > self._waiting_max:
            raise Unavailable("too much at once: try again later")
        answer: asyncio.Future[Sequence[R]] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, answer))
        self._held += len(items)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            return await answer
        finally:
            self._held -= len(items)

    async def _run(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                results = await self._in_thread(self._work, [item for items, _ in group for item in items])
            except Exception as error:  # noqa: BLE001 — each of those who wait gets it, and raises it
                for _, answer in group:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            start = 0
            for items, answer in group:
                if not answer.done():  # its caller may have gone
                    answer.set_result(results[start : start + len(items)])
                start += len(items)

    def _next_group(self) -> list[tuple[Sequence[T], asyncio.Future[Sequence[R]]]]:
        size = taken = 0
        for items, _ in self._waiting:
            if taken and size + len(items) > self._together_max:
                break
            size += len(items)
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group
