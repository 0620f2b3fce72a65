"""Many records of one partition as one batch, made in one go: a record then costs a tenth of what sending it costs.

It reaches into kafka-python, which only takes record by record: the accumulator's queue of batches, and the buffer of
the batch at its end. What follows (linger, order, sequence numbers, retries, time-outs, checksum) is the library's, on
a batch like any other. The version is pinned, and `tests/producers/test_packets.py` reads every byte back.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import IllegalStateError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

MAGIC: Final = 2
PLAIN: Final = 0  # not compressed
RECORD_OVERHEAD: Final = 24  # bytes beyond key and value, at most
NOTHING: Final = b"\x01"  # the length of a value that is not there: -1

Keyed = tuple[bytes, bytes | None]  # key, value or None for a tombstone
Made = tuple[int, Any]  # how many records, and their future


def _varint(number: int) -> bytes:
    """Return a number ≥ 0 as Kafka writes it: zigzag, seven bits a byte, the lowest first."""
    number, parts = number << 1, bytearray()
    while number > 0x7F:  # noqa: PLR2004 — seven bits
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_VARINTS: Final = [_varint(number) for number in range(1 << 13)]


def send_packets(producer: KafkaProducer, topic: str, partition: int, records: Sequence[Keyed]) -> list[Made]:
    """Queue records, in order; return the number of records and the future of each batch made of them.

    The caller has seen to it that the topic has the partition, and that no record is too large.
    """
    at, queue = TopicPartition(topic, partition), producer._accumulator  # noqa: SLF001 — the reason of this module
    futures = []
    queue._appends_in_progress.increment()  # noqa: SLF001
    try:
        for packet in _packets(records, queue.config["batch_size"]):
            batch, future = _batch(at, packet, queue.config["batch_size"])
            with queue._tp_lock(at):  # noqa: SLF001
                if queue._closed:  # noqa: SLF001
                    raise IllegalStateError("RecordAccumulator is closed")
                queue._batches[at].append(batch)  # noqa: SLF001
                queue._incomplete.add(batch)  # noqa: SLF001
            futures.append((len(packet), future))
    finally:
        queue._appends_in_progress.decrement()  # noqa: SLF001
    producer._sender.wakeup()  # noqa: SLF001
    return futures


def _packets(records: Sequence[Keyed], room: int) -> Iterator[Sequence[Keyed]]:
    """Cut where a batch is full; a record larger than a batch is one of its own."""
    begin = size = 0
    for number, (key, value) in enumerate(records):
        more = len(key) + len(value or b"") + RECORD_OVERHEAD
        if number > begin and (size + more > room or number - begin == len(_VARINTS)):
            yield records[begin:number]
            begin, size = number, 0
        size += more
    if records[begin:]:
        yield records[begin:]


def _batch(at: TopicPartition, records: Sequence[Keyed], room: int) -> tuple[ProducerBatch, Any]:
    """Return a batch, and the future of its first record: the others are stored, or lost, with that one."""
    made = MemoryRecordsBuilder(MAGIC, PLAIN, room)
    batch, inner, varints = ProducerBatch(at, made), made._builder, _VARINTS  # noqa: SLF001
    future = batch.try_append(None, *records[0], [])  # the library gives the time, which is that of all
    parts: list[bytes] = []
    for number, (key, value) in enumerate(records[1:], 1):
        text = b"" if value is None else value
        length = NOTHING if value is None else _short(len(text))
        head = b"\0\0" + varints[number] + _short(len(key))  # no attributes, no later than the first
        parts += (_short(len(head) + len(key) + len(length) + len(text) + 1), head, key, length, text, b"\0")
    inner._buffer += b"".join(parts)  # noqa: SLF001
    inner._num_records, inner._last_offset = len(records), len(records) - 1  # noqa: SLF001
    made._next_offset = len(records)  # noqa: SLF001
    return batch, future


def _short(number: int) -> bytes:
    return _VARINTS[number] if number < len(_VARINTS) else _varint(number)
