"""The broker is killed under the sender: what was acknowledged is in the log, once; what was not is said."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import pytest

from ops.embedded import Servers
from producers.follower import follow
from producers.sender import Sender, SendFuture
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import SCAN

RECORDS = 4_000
KILLED_AT = 1_500


@pytest.fixture
def sender(installation: Settings) -> Iterator[Sender]:
    with Sender(installation, "gate") as made:
        yield made


@pytest.mark.parametrize("together", [1, 20])
def test_what_was_acknowledged_across_a_killed_broker_is_in_the_log_exactly_once(
    installation: Settings, servers: Servers, sender: Sender, together: int
) -> None:
    broker = servers.daemons["Kafka"].process
    assert broker is not None
    futures: list[tuple[int, SendFuture]] = []  # from which number on
    begin = KILLED_AT * 10 * together  # another test's records stay in the log
    for number in range(begin, begin + RECORDS, together):
        if number == begin + KILLED_AT // together * together:
            sender.confirm([future for _, future in futures[: len(futures) // 2]])
            os.kill(broker.pid, signal.SIGKILL)
            broker.wait()
            assert servers.mend() == ["Kafka"]
        records = [(b"k", b"%d" % one) for one in range(number, number + together)]
        ((made, future),) = sender.send_all(SCAN.name, number // together % installation.partitions, records)
        assert made == together
        futures.append((number, future))
        if number % 40 == 0:
            time.sleep(0.005)  # so that some are in flight, some lie waiting
    servers.wait_ready()
    sender.flush(30)
    acknowledged = {
        one
        for number, future in futures
        if future.is_done and future.succeeded()
        for one in range(number, number + together)
    }
    assert len(acknowledged) >= KILLED_AT // 2

    mark = b"mark %d" % together
    marks = [sender.send(SCAN.name, b"mark", mark, partition) for partition in range(installation.partitions)]
    sender.confirm(marks)  # the sender itself lives on
    found = Counter(number for number in _until_marks(installation, mark) if number >= begin)
    assert {number: found[number] for number in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert max(found.values()) == 1


def test_while_the_broker_is_stopped_nothing_is_called_sent(servers: Servers, sender: Sender) -> None:
    broker = servers.daemons["Kafka"].process
    assert broker is not None
    try:
        _stop(broker.pid)
        futures = [sender.send(SCAN.name, b"k", b"-1", 0)]
        told: SimpleQueue[tuple[int, Exception | None]] = SimpleQueue()
        sender.deliver(SCAN.name, 0, [(b"k", b"-1")] * 9, lambda *answer: told.put(answer))
        with pytest.raises(Unavailable):
            sender.confirm(futures, timeout_s=1)
        assert told.empty()
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    assert told.get(timeout=15) == (9, None)


def test_a_broker_that_is_away_longer_than_a_record_may_take_does_not_silence_the_sender(
    installation: Settings, servers: Servers
) -> None:
    broker = servers.daemons["Kafka"].process
    assert broker is not None
    with Sender(installation, "gate", delivery_timeout_ms=2_000) as sender:
        _stop(broker.pid)
        lost = [sender.send(SCAN.name, b"k", b"-1", partition) for partition in range(installation.partitions)]
        time.sleep(0.2)  # they are on their way: the broker's end makes them wait to be sent again
        os.kill(broker.pid, signal.SIGKILL)
        broker.wait()
        with pytest.raises(Unavailable):
            sender.confirm(lost)
        assert servers.mend() == ["Kafka"]
        servers.wait_ready()
        end = time.monotonic() + 20
        while True:
            try:
                sender.confirm([sender.send(SCAN.name, b"k", b"-1", 0)])
            except Unavailable:
                assert time.monotonic() < end
            else:
                return


def _stop(pid: int) -> None:
    """Stop a process, and return only when none of its threads is in the middle of something."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while any(stat.read_text().rpartition(")")[2].split()[0] != "T" for stat in tasks.glob("*/stat")):
        time.sleep(0.01)


def _until_marks(settings: Settings, mark: bytes) -> Iterator[int]:
    end, marks = time.monotonic() + 20, 0
    with closing(follow(settings, SCAN.name, "visits", stop=lambda: time.monotonic() > end)) as records:
        for record in islice(records, 4 * RECORDS):
            if record.value == mark:
                marks += 1
                if marks == settings.partitions:
                    return
            elif record.key == b"k":
                yield int(record.value or b"")
