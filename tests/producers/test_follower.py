"""The follower on the real broker: what it reads, what it remembers, whom it keeps out."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice

import pytest

from producers.follower import Record, follow, follow_rounds
from producers.sender import Sender
from schemas.errors import Refused
from schemas.settings import Settings
from schemas.topics import alert_topic, group_of, office_user

OFFICE = "d3671"
USER = office_user(OFFICE)
TOPIC = alert_topic(OFFICE).name


@pytest.fixture(scope="module")
def office(installation: Settings) -> Iterator[Callable[[bytes], None]]:
    """Call it: a notice to the office."""
    with Sender(installation, "relay") as sender:

        def notify(value: bytes) -> None:
            sender.confirm([sender.send(TOPIC, b"ref", value, 0)])

        yield notify


def within(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def values(records: Generator[Record], number: int) -> list[bytes | None]:
    with closing(records):
        return [record.value for record in islice(records, number)]


def test_an_office_reads_its_own_topic_from_the_beginning(
    installation: Settings, office: Callable[[bytes], None]
) -> None:
    for value in (b"1", b"2", b"3"):
        office(value)
    first = next(iter(follow(installation, TOPIC, USER, stop=within(10))))
    assert (first.topic, first.partition, first.key, first.value) == (TOPIC, 0, b"ref", b"1")
    assert first.timestamp > 0
    assert values(follow(installation, TOPIC, USER, stop=within(10)), 3) == [b"1", b"2", b"3"]


def test_from_the_end_nothing_old_is_seen(installation: Settings, office: Callable[[bytes], None]) -> None:
    office(b"old")
    told = False

    def stop() -> bool:
        nonlocal told
        if not told:  # first asked when the position is known
            office(b"new")
            told = True
        return False

    assert values(follow(installation, TOPIC, USER, stop=stop, from_beginning=False), 1) == [b"new"]


def test_a_group_goes_on_where_it_stopped(installation: Settings, office: Callable[[bytes], None]) -> None:
    group = f"{group_of(USER)}.screen"
    office(b"seen")
    assert [r.value for r in follow(installation, TOPIC, USER, group=group, stop=within(4))][-1] == b"seen"
    office(b"after")
    assert values(follow(installation, TOPIC, USER, group=group, stop=within(15)), 1) == [b"after"]


def test_a_round_whose_reader_does_not_come_back_is_seen_again(
    installation: Settings, office: Callable[[bytes], None]
) -> None:
    office(b"unfinished")

    def first_round() -> list[Record]:
        rounds = follow_rounds(installation, TOPIC, USER, group=f"{group_of(USER)}.rounds", stop=within(15))
        with closing(rounds):
            return next(records for records in rounds if records)

    before = first_round()
    assert before[-1].value == b"unfinished"
    assert first_round() == before


@pytest.mark.parametrize("group", ["", f"{group_of(USER)}.screen"])
def test_a_foreign_topic_is_refused_at_once_by_name(installation: Settings, group: str) -> None:
    with pytest.raises(Refused, match=r"topic alert\.d3171"):
        list(follow(installation, "alert.d3171", USER, group=group, stop=within(10)))


def test_a_foreign_group_is_refused(installation: Settings) -> None:
    with pytest.raises(Refused, match="group"):
        list(follow(installation, TOPIC, USER, group=f"{group_of('visits')}.x", stop=within(10)))


def test_it_ends_when_told(installation: Settings) -> None:
    began = time.monotonic()
    list(follow(installation, TOPIC, USER, stop=within(1)))
    assert time.monotonic() - began < 5
