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
from kafka.record.memory_records import MemoryRecords
from kafka.structs import TopicPartition

from producers.follower import Record, follow
from producers.packets import RECORD_OVERHEAD, Keyed, _batch, _packets, send_packets
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


@given(st.lists(KEYED, min_size=1, max_size=50))
def test_a_batch_is_byte_for_byte_what_the_library_makes_record_by_record(records: list[Keyed]) -> None:
    at = TopicPartition("t", 0)
    ours, _ = _batch(at, records, ROOM)
    theirs, _ = _batch(at, records[:1], ROOM)
    time_ms = ours.records._builder._first_timestamp
    theirs.records._builder._first_timestamp = theirs.records._builder._max_timestamp = time_ms
    for key, value in records[1:]:
        theirs.try_append(time_ms, key, value, [])
    for batch in (ours, theirs):
        batch.records.set_producer_state(7, 1, 1_000, False)
        batch.records.close()
    assert ours.records.buffer() == theirs.records.buffer()
    assert ours.record_count == theirs.record_count == len(records)


def test_keys_and_values_of_any_length_come_back() -> None:
    records: list[Keyed] = [(b"k" * size, b"v" * (size * size)) for size in (1, 63, 64, 127, 128, 129, 300, 700)]
    batch, _ = _batch(TopicPartition("t", 0), records, 10 * ROOM)
    batch.records.close()
    (read,) = MemoryRecords(batch.records.buffer())
    assert [(record.key, record.value) for record in read] == records


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.integers(100, 900))
def test_packets_hold_everything_in_order_and_none_is_too_full(sizes: list[int], room: int) -> None:
    records: list[Keyed] = [(b"k", bytes(size)) for size in sizes]
    packets = list(_packets(records, room))
    assert [one for packet in packets for one in packet] == records
    for packet in packets:
        assert len(packet) == 1 or sum(len(value or b"") + 1 + RECORD_OVERHEAD for _, value in packet) <= room


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
