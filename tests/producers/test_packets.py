"""Batches made in one go: every record is read back as it was given, in order, among those sent singly.

It fails where kafka-python's inside is no longer what `producers/packets.py` builds on.
"""

from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from producers.follower import Record, follow
from producers.packets import RECORD_OVERHEAD, Keyed, _end, _fill, send_packets
from producers.sender import Sender, producer_config
from schemas.settings import Settings
from schemas.topics import SCAN

ROOM = 256 * 1024


@pytest.fixture
def producer(installation: Settings) -> Iterator[KafkaProducer]:
    made = KafkaProducer(**producer_config(installation, "gate"))
    made.partitions_for(SCAN.name)
    yield made
    made.close()


KEYED = st.tuples(st.binary(max_size=40), st.none() | st.binary(max_size=300))


def new_batch(room: int = ROOM) -> ProducerBatch:
    return ProducerBatch(TopicPartition("t", 0), MemoryRecordsBuilder(2, 0, room))


@given(st.lists(st.lists(KEYED, min_size=1, max_size=50), min_size=1, max_size=3))
def test_a_batch_is_byte_for_byte_what_the_library_makes_record_by_record(parts: list[list[Keyed]]) -> None:
    ours, theirs, first_ms = new_batch(), new_batch(), 0
    for records in parts:
        _fill(ours, records)
        first_ms, time_ms = ours.records._builder._first_timestamp, ours.records._builder._max_timestamp
        for key, value in records:
            theirs.try_append(time_ms, key, value, [])
    for batch in (ours, theirs):
        batch.records.set_producer_state(7, 1, 1_000, False)
        batch.records.close()
    assert first_ms
    assert ours.records.buffer() == theirs.records.buffer()
    assert ours.record_count == theirs.record_count == sum(map(len, parts))


def test_keys_and_values_of_any_length_come_back() -> None:
    records: list[Keyed] = [(b"k" * size, b"v" * (size * size)) for size in (1, 63, 64, 127, 128, 129, 300, 700)]
    batch = new_batch(10 * ROOM)
    _fill(batch, records)
    batch.records.close()
    (read,) = MemoryRecords(batch.records.buffer())
    assert [(record.key, record.value) for record in read] == records


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(100, 900))
def test_what_is_said_to_fit_does(sizes: list[int], room: int) -> None:
    records: list[Keyed] = [(b"k", bytes(size)) for size in sizes]
    end = _end(records, 0, room)
    assert sum(size + 1 for size in sizes[:end]) + end * RECORD_OVERHEAD <= room
    assert end == len(records) or sum(size + 1 for size in sizes[: end + 1]) + (end + 1) * RECORD_OVERHEAD > room
    if end:
        batch = new_batch(room + new_batch().records.size_in_bytes())
        assert _fill(batch, records[:end]) is not None
        assert batch.records.size_in_bytes() <= room + new_batch().records.size_in_bytes()


def test_what_is_sent_together_and_what_is_sent_singly_keep_their_order(installation: Settings, sender: Sender) -> None:
    random, sent, futures = Random(7), 0, []
    mark = b"%032x" % random.getrandbits(128)
    while sent < 20_000:
        number = random.choice((1, 2, 5, 200, 3_000))
        records: list[Keyed] = [
            (mark, b"%d " % one + bytes(random.randrange(200))) for one in range(sent, sent + number)
        ]
        futures += [future for _, future in sender.send_all(SCAN.name, 1, records)]
        sent += number
    sender.confirm(futures, 60)
    found = [int((record.value or b"").split(b" ")[0]) for record in read(installation, mark, sent)]
    assert found == list(range(sent))


def test_the_library_is_the_one_this_was_written_for() -> None:
    assert version("kafka-python") == "3.0.12"


def test_a_producer_that_was_closed_takes_nothing(producer: KafkaProducer) -> None:
    producer.close()
    with pytest.raises(Exception, match="closed"):
        send_packets(producer, SCAN.name, 0, [(b"k", b"v")])


@pytest.fixture
def sender(installation: Settings) -> Iterator[Sender]:
    with Sender(installation, "gate") as made:
        yield made


def read(settings: Settings, mark: bytes, number: int) -> list[Record]:
    """Return the records under this key, so many of them."""
    records = follow(settings, SCAN.name, "visits", stop=lambda: False)
    with closing(records):
        return list(islice((record for record in records if record.key == mark), number))
