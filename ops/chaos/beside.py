"""What goes onto the topics beside the gate, and what is read from them: poison, decisions, and the topics' last word.

Decisions are put where their door would put them. A diary of its own says what became of
each record. Speaks to the broker directly, as the installation's administrator.
"""

import json
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from ops.chaos.compare import Rows
from ops.chaos.diary import FAIL, OK, UNKNOWN, Diary
from schemas.settings import Settings

SCANS: Final = "scan.v1"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
POISON: Final = (b"\xff\xfe not json", b"{}", b'{"event":"scan"', b"", b"null", b"[1,2]", b"\x00" * 2000, None)
Record = tuple[str, Any, int, bytes, bytes | None]  # what it is, what it says, partition, key, value
SEND_TIMEOUT_S: Final = 30.0
READ_PAUSE_MS: Final = 1_000


class Beside:
    """Sends onto `scan.v1` with a producer and a diary of its own; each call runs in a thread."""

    def __init__(self, settings: Settings, diary: Diary, partitions: int, seed: int) -> None:
        self._settings = settings
        self._diary = diary
        self._partitions = partitions
        self._rng = Random(f"{seed}|beside")  # noqa: S311 — a simulation
        self._serial = 0
        self._threads: list[threading.Thread] = []

    def poison(self, number: int) -> None:
        """Put records onto the topic that nobody can use."""
        records: list[Record] = [
            ("poison", SCANS, self._rng.randrange(self._partitions), b"key", self._rng.choice(POISON))
            for _ in range(number)
        ]
        self._in_thread(records)

    def decide(self, scans: list[tuple[str, str, int]]) -> None:
        """Put decisions about stored scans (person, scan_id, at) onto the topic, several of one scan too."""
        records: list[Record] = []
        for person, scan_id, at in scans:
            for _ in range(self._rng.choice((1, 1, 2))):
                self._serial += self._rng.choice((0, 1))
                by = f"rule-{self._rng.randrange(3)}-{self._rng.randrange(10**9)}"
                verdict = self._rng.choice(("void", "flag", "clear"))
                what = [person, scan_id, self._serial, by, verdict, at, "not plausible"]
                person_id = person.replace("-", "")
                partition = crc32(person_id.encode()) % self._partitions
                records.append(("decision", what, partition, person_id.encode(), _decision(what)))
        self._in_thread(records)

    def join(self, timeout_s: float) -> None:
        """Wait until all is sent or given up."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
            assert not thread.is_alive(), "records beside the gate are still being sent"

    def _in_thread(self, records: list[Record]) -> None:
        thread = threading.Thread(target=self._send, args=(records,), name="beside")
        thread.start()
        self._threads.append(thread)

    def _send(self, records: list[Record]) -> None:
        numbers = [self._diary.ask(op, what) for op, what, *_ in records]
        try:
            producer = KafkaProducer(
                **client(self._settings),
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                delivery_timeout_ms=int(SEND_TIMEOUT_S * 1000),
                max_block_ms=int(SEND_TIMEOUT_S * 1000),
                request_timeout_ms=5_000,
            )
        except KafkaError:
            for number in numbers:
                self._diary.answer(number, FAIL, r="0")  # nothing was sent
            return
        with closing(producer):
            futures = [_hand_over(producer, record) for record in records]
            for number, future in zip(numbers, futures, strict=True):
                try:
                    placed = future.get(SEND_TIMEOUT_S + 5)
                    self._diary.answer(number, OK, r="1", at=[placed.partition, placed.offset])
                except (KafkaError, AttributeError):
                    self._diary.answer(number, UNKNOWN, r="0")


def _hand_over(producer: Any, record: Record) -> Any:  # noqa: ANN401 — kafka-python is untyped
    try:
        return producer.send(SCANS, key=record[3], value=record[4], partition=record[2])
    except KafkaError:
        return None


def client(settings: Settings) -> dict[str, Any]:
    """Return how to reach the broker as its administrator."""
    return {
        "bootstrap_servers": settings.kafka,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "admin",
        "sasl_plain_password": settings.secret_file("kafka", "admin").read_text().strip(),
        "reconnect_backoff_max_ms": 1_000,
    }


def ends_of(settings: Settings, topics: list[str]) -> dict[tuple[str, int], int]:
    """Return where each partition of the topics ends now."""
    with closing(KafkaConsumer(**client(settings), enable_auto_commit=False)) as consumer:
        places = [TopicPartition(topic, one) for topic in topics for one in consumer.partitions_for_topic(topic) or ()]
        return {(place.topic, place.partition): end for place, end in consumer.end_offsets(places).items()}


def read_visits(settings: Settings) -> Rows:
    """Return the visits by the last word of `visit.v1` about each, without what only the table knows."""
    rows: Rows = {}
    for _, value in _read(settings, "visit.v1"):
        change = json.loads(value or b"null")
        key = str(UUID(change["person_id"])), change["visit_id"]
        rows.pop(key, None)
        after = change["after"]
        if after is not None:
            zones = tuple((_us(zone["at"]), zone["zone"]) for zone in after["zones"])
            rows[key] = (
                *(_us(after["check_in"]), _us(after["check_out"])),
                *(after["check_in_estimated"], after["check_out_estimated"], after["role"], zones),
            )
    return rows


def read_hours(settings: Settings, fields: tuple[str, ...]) -> Rows:
    """Return the counts by the last word of `facility-count.v1` about each facility, hour and shard."""
    rows: Rows = {}
    for key, value in _read(settings, "facility-count.v1"):
        facility, hour, shard = key.decode().rsplit("|", 2)
        name = facility, _us(hour), int(shard)
        if value is None:
            rows.pop(name, None)
        else:
            count = json.loads(value)
            rows[name] = tuple(count[field] for field in fields)
    return rows


def read_alert_ids(settings: Settings) -> Counter[str]:
    """Return how often each alert is on the offices' topics."""
    with closing(KafkaConsumer(**client(settings))) as consumer:
        topics = sorted(topic for topic in consumer.topics() if topic.startswith("alert."))
    return Counter(json.loads(value or b"null")["id"] for topic in topics for _, value in _read(settings, topic))


def _read(settings: Settings, topic: str) -> Any:  # noqa: ANN401 — kafka-python is untyped
    """Yield key and value of every record of a topic, up to its end now; each partition in its order."""
    consumer = KafkaConsumer(
        **client(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=10_000,
        fetch_max_bytes=64 * 1024 * 1024,
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    with closing(consumer):
        places = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = {place: end for place, end in consumer.end_offsets(places).items() if end}
        while any(consumer.position(place) < end for place, end in ends.items()):
            for records in consumer.poll(READ_PAUSE_MS).values():
                for record in records:
                    yield record.key or b"", record.value


def _decision(what: list[Any]) -> bytes:
    person, scan_id, serial, by, verdict, at, reason = what
    event = {
        "event": "scan_decision",
        "scan_id": scan_id,
        "person_id": person.replace("-", ""),
        "scan_at": (EPOCH + timedelta(microseconds=at)).isoformat(),
        "decision": verdict,
        "serial": serial,
        "by": by,
        "reason": reason,
    }
    return json.dumps(event).encode()


def _us(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
