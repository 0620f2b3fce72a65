"""The sender on the real broker: what it promises, and what it says when it cannot keep it."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from producers.client import client_config
from producers.follower import Record, follow
from producers.sender import Sender, send_scans
from producers.topics import ensure_topic
from schemas.codec import Codec
from schemas.errors import BadInput, Refused, Unavailable
from schemas.events import Gate, Kind, Scan, ScanDecision, Verdict
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import SCAN, alert_topic

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
PERSONS = [f"{number:032x}" for number in range(40)]


@pytest.fixture(scope="module")
def sender(installation: Settings) -> Iterator[Sender]:
    with Sender(installation, "gate") as made:
        yield made


def end_of(settings: Settings, partition: int) -> int:
    """Return the offset that the partition's next scan will have."""
    at = TopicPartition(SCAN.name, partition)
    with closing(KafkaConsumer(**client_config(settings, "admin"))) as consumer:
        return int(consumer.end_offsets([at])[at])


def scan(person_id: str, number: int = 0) -> Scan:
    return Scan(
        scan_id=f"019b8d90-6400-7000-8000-{number:012x}",
        person_id=person_id,
        facility_id="F1",
        kind=Kind.CLINIC,
        time_zone="Asia/Jakarta",
        gate=Gate.ENTRANCE,
        at=AT,
        received_at=AT,
    )


def read_all(settings: Settings, topic: str, user: str, number: int) -> list[Record]:
    """Return the first `number` records; gives up, with fewer, after ten seconds."""
    end = time.monotonic() + 10
    with closing(follow(settings, topic, user, stop=lambda: time.monotonic() > end)) as records:
        return list(islice(records, number))


def test_the_running_producer_is_idempotent_and_waits_for_all_replicas(sender: Sender) -> None:
    config = sender.config
    assert config["enable_idempotence"] is True
    assert config["acks"] == -1
    assert config["max_in_flight_requests_per_connection"] <= 5
    assert 5 <= config["linger_ms"] <= 20
    assert config["batch_size"] == 256 * 1024
    assert config["metrics_enabled"] is False
    assert not any("password" in name for name in config)


def test_scans_arrive_once_each_in_their_persons_partition_and_in_order(installation: Settings, sender: Sender) -> None:
    sent = [scan(person, number) for number, person in enumerate(PERSONS * 50)]
    decision = ScanDecision(
        scan_id=sent[0].scan_id, person_id=PERSONS[0], scan_at=AT, decision=Verdict.FLAG, serial=1, by="rule"
    )
    sender.confirm(send_scans(sender, [*sent, decision], installation.partitions))
    records = read_all(installation, SCAN.name, "visits", len(sent) + 1)
    codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)
    by_person: dict[str, list[Scan | ScanDecision]] = {person: [] for person in PERSONS}
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        assert record.key is not None
        assert record.value is not None
        assert record.partition == partition_of(record.key.decode(), installation.partitions)
        by_person[record.key.decode()].append(codec.decode(record.value))
    expected = {person: [one for one in sent if one.person_id == person] for person in PERSONS}
    assert by_person == expected | {PERSONS[0]: [*expected[PERSONS[0]], decision]}


@pytest.mark.parametrize("number", [1, 3, 40, 2_500])
def test_each_record_is_told_of_once_and_only_when_it_is_stored(
    installation: Settings, sender: Sender, number: int
) -> None:
    before = end_of(installation, 2)
    told: SimpleQueue[tuple[int, Exception | None]] = SimpleQueue()
    records = [(b"key", b"%d" % one + bytes(700)) for one in range(number)]
    sender.deliver(SCAN.name, 2, records, lambda *answer: told.put(answer))
    left = number
    while left > 0:
        stored, error = told.get(timeout=10)
        left -= stored
        assert error is None
        assert end_of(installation, 2) - before >= number - left
    assert left == 0
    assert told.empty()
    assert end_of(installation, 2) == before + number


def test_a_topic_of_somebody_else_is_refused_by_confirm_told_or_raised(sender: Sender) -> None:
    with pytest.raises(Refused, match=r"visit\.v1"):
        sender.confirm([sender.send("visit.v1", b"k", b"v", 0)])
    told: SimpleQueue[tuple[int, Exception | None]] = SimpleQueue()
    sender.deliver("visit.v1", 0, [(b"k", b"v")], lambda *answer: told.put(answer))
    answered, error = told.get(timeout=10)
    assert answered == 1
    assert isinstance(error, Refused)
    with pytest.raises(Refused, match=r"visit\.v1"):
        sender.deliver("visit.v1", 0, [(b"k", b"v")] * 100, lambda *answer: told.put(answer))
    assert told.empty()


def test_a_partition_that_is_not_there_and_a_record_too_large_are_said(sender: Sender) -> None:
    with pytest.raises(Unavailable, match="no partition 4711"):
        sender.send("scan.v1", b"k", b"v", 4711)
    with pytest.raises(BadInput, match="larger"):
        sender.send("scan.v1", b"k", bytes(2**21), 0)
    many = [(b"k", b"v")] * 10
    with pytest.raises(Unavailable, match="no partition 4711"):
        sender.send_all("scan.v1", 4711, many)
    with pytest.raises(BadInput, match="larger"):
        sender.send_all("scan.v1", 0, [*many, (b"k", bytes(2**21))])


def test_no_broker_is_one_line_in_bounded_time(installation: Settings) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 answers user gate") as away:
        Sender(msgspec.structs.replace(installation, kafka="127.0.0.1:1"), "gate")
    assert time.monotonic() - began < 10
    assert "\n" not in str(away.value)


def test_a_wrong_password_does_not_get_in(installation: Settings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(installation, secrets=str(tmp_path))
    path = settings.secret_file("kafka", "gate")
    path.parent.mkdir()
    path.write_text("guessed")
    with pytest.raises(Unavailable):
        Sender(settings, "gate")


def test_a_topic_is_made_once_and_only_by_who_may(installation: Settings) -> None:
    topic = alert_topic("d9901")
    assert ensure_topic(installation, "admin", topic)
    assert not ensure_topic(installation, "admin", topic)
    with pytest.raises(Refused, match=r"alert\.d9902"):
        ensure_topic(installation, "visits", alert_topic("d9902"))
