"""Handing over for many requests at once: everyone gets the answer of his own events, whoever tells it, and when."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dispatch import Dispatch, Told
from schemas.errors import InvalidEvent, JejakError, Unavailable


@contextmanager
def dispatching(hand_over: Callable[[Sequence[int], Told], None], **limits: float) -> Iterator[Dispatch[int]]:
    waiting_max, timeout_s = int(limits.get("waiting_max", 10_000)), limits.get("timeout_s", 20.0)
    with closing(Dispatch[int](hand_over, waiting_max=waiting_max, timeout_s=timeout_s)) as dispatch:
        yield dispatch


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=30))
def test_who_has_a_lost_event_is_told_so_and_nobody_else(requests: list[list[int]]) -> None:
    handed: list[int] = []

    def hand_over(events: Sequence[int], told: Told) -> None:
        handed.extend(events)
        if 0 in events:
            raise InvalidEvent("is bad")
        for event in events:
            if event == 2:
                threading.Thread(target=told, args=(1, None)).start()  # as the producer does it
            elif event < 8:
                told(1, Unavailable("lost") if event == 1 else None)
        told(sum(event >= 8 for event in events), None)  # together

    async def run() -> list[object]:
        with dispatching(hand_over) as dispatch:
            return list(await asyncio.gather(*map(dispatch, requests), return_exceptions=True))

    for request, answer in zip(requests, asyncio.run(run()), strict=True):
        assert isinstance(answer, JejakError) == bool({0, 1} & set(request))
    if not any({0, 1} & set(request) for request in requests):
        assert handed == [event for request in requests for event in request]


def test_an_answer_told_before_the_next_event_is_handed_over_is_not_lost() -> None:
    def hand_over(events: Sequence[int], told: Told) -> None:
        for _ in events:
            told(1, None)

    async def run() -> None:
        with dispatching(hand_over) as dispatch:
            for _ in range(2_000):
                await asyncio.wait_for(dispatch([1, 2, 3]), 5)

    asyncio.run(run())


def test_who_waits_too_long_is_told_and_the_others_are_answered_meanwhile() -> None:
    async def run() -> None:
        with dispatching(lambda events, told: told(sum(map(bool, events)), None), timeout_s=0.6) as dispatch:
            late = asyncio.create_task(dispatch([1, 0]))
            await asyncio.sleep(0)
            await asyncio.wait_for(dispatch([2]), 0.5)
            began_s = time.monotonic()
            with pytest.raises(Unavailable):
                await late
            assert time.monotonic() - began_s < 2
            await dispatch([3])

    asyncio.run(run())


def test_more_than_may_wait_is_refused_at_once_until_some_are_answered() -> None:
    kept: list[Told] = []

    async def run() -> None:
        with dispatching(lambda _, told: kept.append(told), waiting_max=3) as dispatch:
            waiting = asyncio.create_task(dispatch([1, 2]))
            await asyncio.sleep(0.05)
            with pytest.raises(Unavailable):
                await dispatch([3, 4])
            for told in kept:
                told(2, None)
            await waiting
            third = asyncio.create_task(dispatch([3, 4]))
            await asyncio.sleep(0.05)
            for told in kept[1:]:
                told(2, None)
            await third

    asyncio.run(run())


def test_a_caller_who_left_holds_nobody_up() -> None:
    kept: list[Told] = []

    async def run() -> None:
        with dispatching(lambda _, told: kept.append(told), waiting_max=2) as dispatch:
            gone = asyncio.create_task(dispatch([1, 2]))
            await asyncio.sleep(0.05)
            gone.cancel()
            for told in kept:
                told(2, None)
            await asyncio.sleep(0.05)
            last = asyncio.create_task(dispatch([3, 4]))
            await asyncio.sleep(0.05)
            for told in kept[1:]:
                told(2, None)
            await last

    asyncio.run(run())
