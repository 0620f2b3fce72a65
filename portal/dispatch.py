"""From the event loop to Kafka and back, many requests at once: one thread hands over, one ring brings answers home.

Handing a record over may block while a broker is away, so it is never done on the event loop; and a thread woken for
every record would cost more than the record. What comes while the thread works is its next round.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

from schemas.errors import Unavailable

SWEEP_S: Final = 0.5

T = TypeVar("T")
Told = Callable[[int, Exception | None], None]  # for how many events, and what was wrong
HandOver = Callable[[Sequence[T], Told], None]


class Dispatch(Generic[T]):
    """Hands events over in the order of their coming; each caller gets the answer of his own events.

    Args:
        hand_over: called in a thread with the events of one request, and with what it must call, from any thread, until
            each event is answered once: with how many of them are acknowledged, or lost. May raise instead.
        waiting_max: more events than that at a time are refused at once.
        timeout_s: a caller whose answer is not there by then is told so, whatever becomes of his events.
    """

    def __init__(self, hand_over: HandOver[T], *, waiting_max: int, timeout_s: float) -> None:
        self._hand_over = hand_over
        self._waiting_max = waiting_max
        self._timeout_s = timeout_s
        self._parcels: SimpleQueue[_Parcel[T] | None] = SimpleQueue()
        self._answers: deque[tuple[_Parcel[T], int, Exception | None]] = deque()
        self._open: deque[_Parcel[T]] = deque()  # in the order of their deadlines
        self._held = 0
        self._ringing = self._sweeping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="dispatch", daemon=True)

    async def __call__(self, events: Sequence[T]) -> None:
        """Return when all events are acknowledged.

        Raises:
            Unavailable: too many wait already, or no answer came in time; whether it was stored is unknown.
            Exception: what `hand_over` said or raised of one of them, at once; of the others nothing is known.
        """
        if not events:
            return
        if self._held + len(events) > self._waiting_max:
            raise Unavailable("the broker does not answer")
        loop = self._begin()
        parcel = _Parcel(events, loop.create_future(), time.monotonic() + self._timeout_s)
        self._held += len(events)
        self._open.append(parcel)
        self._parcels.put(parcel)
        await parcel.answer

    def close(self) -> None:
        """Let the thread end once it has handed over what waits."""
        self._parcels.put(None)

    def _begin(self) -> asyncio.AbstractEventLoop:
        """Return the loop; with the first event the thread starts, and the clock that looks for late answers."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_S, self._sweep)
        return self._loop

    def _work(self) -> None:
        while (parcel := self._parcels.get()) is not None:
            if parcel.over:  # its caller was told to try again
                continue
            told = partial(self._tell, parcel)
            try:
                self._hand_over(parcel.events, told)
            except Exception as error:  # noqa: BLE001 — its caller's answer, not the end of all sending
                told(0, error)

    def _tell(self, parcel: "_Parcel[T]", events: int, error: Exception | None) -> None:
        """Note the answer for some events, from any thread; the loop is rung once for all that come before it looks."""
        self._answers.append((parcel, events, error))
        if not self._ringing:
            self._ringing = True
            assert self._loop is not None
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        self._ringing = False  # before looking: who adds later rings again
        answers = self._answers
        while answers:
            parcel, events, error = answers.popleft()
            parcel.left -= events
            if parcel.left == 0 or error is not None:
                self._finish(parcel, error)

    def _finish(self, parcel: "_Parcel[T]", error: Exception | None) -> None:
        if parcel.over:
            return
        parcel.over = True
        self._held -= len(parcel.events)
        parcel.events = ()  # what waits for its deadline behind a late one must not hold them
        if parcel.answer.done():  # its caller has gone
            return
        if error is None:
            parcel.answer.set_result(None)
        else:
            parcel.answer.set_exception(error)

    def _sweep(self) -> None:
        now, parcels = time.monotonic(), self._open
        while parcels and (parcels[0].over or parcels[0].deadline <= now):
            self._finish(parcels.popleft(), Unavailable("the broker does not answer"))
        self._sweeping = bool(parcels)
        if self._sweeping and self._loop is not None:
            self._loop.call_later(SWEEP_S, self._sweep)


class _Parcel(Generic[T]):
    """The events of one request, and its answer."""

    __slots__ = ("answer", "deadline", "events", "left", "over")

    def __init__(self, events: Sequence[T], answer: "asyncio.Future[None]", deadline: float) -> None:
        self.events = events
        self.answer = answer
        self.deadline = deadline
        self.left = len(events)
        self.over = False
