"""What one transaction takes: a partition in one hand only, nothing overtaken, the small ones together."""

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.batches import Batch
from streams.intake import Intake


def _event(partition: int, first: int, records: int) -> Any:
    some: list[Any] = [SimpleNamespace(offset=first + number) for number in range(records)]
    batch = Batch("scan.v1", partition, some)
    return SimpleNamespace(value=batch)


def _places(events: list[Any]) -> list[tuple[int, int]]:
    return [(event.value.partition, event.value.records[0].offset) for event in events]


async def _filled(records_max: int, *events: Any) -> Intake:
    intake = Intake(records_max)
    for event in events:
        await intake.put(event)
    return intake


async def _is_refused(intake: Intake) -> bool:
    asking = asyncio.ensure_future(intake.take())
    await asyncio.sleep(0)
    waits = not asking.done()
    asking.cancel()
    return waits


def test_what_waits_is_taken_together_and_a_partition_goes_first_as_a_whole() -> None:
    async def run() -> None:
        intake = await _filled(100, _event(0, 0, 5), _event(1, 0, 5), _event(0, 5, 5))
        assert _places(await intake.take()) == [(0, 0), (0, 5), (1, 0)]

    asyncio.run(run())


def test_what_does_not_fit_stays_and_nothing_of_its_partition_overtakes_it() -> None:
    async def run() -> None:
        intake = await _filled(10, _event(0, 0, 6), _event(1, 0, 6), _event(1, 6, 1), _event(2, 0, 2))
        assert _places(await intake.take()) == [(0, 0), (2, 0)]

    asyncio.run(run())


def test_a_partition_in_hand_is_given_to_nobody_else_until_it_is_let_go() -> None:
    async def run() -> None:
        intake = await _filled(10, _event(0, 0, 10), _event(0, 10, 9))
        first = await intake.take()
        assert await _is_refused(intake)
        intake.done(first)
        assert _places(await intake.take()) == [(0, 10)]

    asyncio.run(run())


def test_a_second_transaction_begins_only_when_half_a_one_waits() -> None:
    async def run() -> None:
        intake = await _filled(10, _event(0, 0, 3))
        first = await intake.take()
        await intake.put(_event(1, 0, 4))
        assert await _is_refused(intake)
        await intake.put(_event(2, 0, 1))
        assert _places(await intake.take()) == [(1, 0), (2, 0)]
        intake.done(first)

    asyncio.run(run())


def test_too_much_that_waits_holds_up_who_brings_more() -> None:
    async def run() -> None:
        intake = await _filled(10, _event(0, 0, 10), _event(1, 0, 10))
        bringing = asyncio.ensure_future(intake.put(_event(2, 0, 10)))
        await asyncio.sleep(0)
        assert not bringing.done()
        await intake.take()
        await asyncio.wait_for(bringing, 1)

    asyncio.run(run())
