"""Many records of one partition as one batch, made in one go: a record then costs a tenth of what sending it costs.

It reaches into kafka-python, which only takes record by record: the accumulator's queue of batches, and the buffer of
the batch at its end. What follows (linger, order, sequence numbers, retries, time-outs, checksum) is the library's, on
a batch like any other. The version is pinned, and `tests/producers/test_packets.py` reads every byte back.
"""

from collections.abc import Sequence
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
    room, made, begin = queue.config["batch_size"], [], 0
    queue._appends_in_progress.increment()  # noqa: SLF001
    try:
        while begin < len(records):
            with queue._tp_lock(at):  # noqa: SLF001
                if queue._closed:  # noqa: SLF001
                    raise IllegalStateError("RecordAccumulator is closed")
                waiting = queue._batches[at]  # noqa: SLF001
                # A request carries one batch of a partition: small ones one after the other would cost a request each.
                last = waiting[-1].records if waiting else None
                end = begin if last is None or last.is_full() else _end(records, begin, room - last.size_in_bytes())
                if end == begin:
                    end = max(begin + 1, _end(records, begin, room))
                    batch = ProducerBatch(at, MemoryRecordsBuilder(MAGIC, PLAIN, room))
                    waiting.append(batch)
                    queue._incomplete.add(batch)  # noqa: SLF001
                made.append((end - begin, _fill(waiting[-1], records[begin:end])))
            begin = end
    finally:
        queue._appends_in_progress.decrement()  # noqa: SLF001
    producer._sender.wakeup()  # noqa: SLF001
    return made


def _end(records: Sequence[Keyed], begin: int, room: int) -> int:
    """Return up to which record they fit, counted generously."""
    size, end = 0, begin
    for key, value in records[begin:]:
        size += len(key) + len(value or b"") + RECORD_OVERHEAD
        if size > room:
            break
        end += 1
    return end


def _fill(batch: ProducerBatch, records: Sequence[Keyed]) -> Any:  # noqa: ANN401 — kafka-python has no types
    """Add records to a batch; return the future of the first: the others are stored, or lost, with that one."""
    future = batch.try_append(None, *records[0], [])  # the library gives the time, which is that of all
    assert future is not None
    made, inner = batch.records, batch.records._builder  # noqa: SLF001
    time = b"\0" + _short(inner._max_timestamp - inner._first_timestamp)  # noqa: SLF001 — no attributes before it
    parts: list[bytes] = []
    for number, (key, value) in enumerate(records[1:], made._next_offset):  # noqa: SLF001
        text = b"" if value is None else value
        length = NOTHING if value is None else _short(len(text))
        head = time + _short(number) + _short(len(key))
        parts += (_short(len(head) + len(key) + len(length) + len(text) + 1), head, key, length, text, b"\0")
    inner._buffer += b"".join(parts)  # noqa: SLF001
    made._next_offset += len(records) - 1  # noqa: SLF001
    inner._num_records, inner._last_offset = made._next_offset, made._next_offset - 1  # noqa: SLF001
    return future


def _short(number: int) -> bytes:
    return _VARINTS[number] if number < len(_VARINTS) else _varint(number)
