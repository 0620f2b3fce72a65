"""The broker is killed under the sender: what was acknowledged is in the log, once; what was not is said."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

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


def test_what_was_acknowledged_across_a_killed_broker_is_in_the_log_exactly_once(
    installation: Settings, servers: Servers, sender: Sender
) -> None:
    broker = servers.daemons["Kafka"].process
    assert broker is not None
    futures: list[SendFuture] = []
    for number in range(RECORDS):
        if number == KILLED_AT:
            sender.confirm(futures[: KILLED_AT // 2])
            os.kill(broker.pid, signal.SIGKILL)
            broker.wait()
            assert servers.mend() == ["Kafka"]
        futures.append(sender.send(SCAN.name, b"k", b"%d" % number, number % installation.partitions))
        if number % 100 == 0:
            time.sleep(0.005)  # so that some are in flight, some lie waiting
    servers.wait_ready()
    sender.flush()
    acknowledged = {number for number, future in enumerate(futures) if future.is_done and future.succeeded()}
    assert len(acknowledged) >= KILLED_AT // 2

    marks = [sender.send(SCAN.name, b"mark", b"mark", partition) for partition in range(installation.partitions)]
    sender.confirm(marks)  # the sender itself lives on
    found = Counter(_until_marks(installation))
    assert {number: found[number] for number in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert max(found.values()) == 1


def test_while_the_broker_is_stopped_nothing_is_called_sent(servers: Servers, sender: Sender) -> None:
    broker = servers.daemons["Kafka"].process
    assert broker is not None
    try:
        _stop(broker.pid)
        futures = [sender.send(SCAN.name, b"k", b"-1", 0)]
        outcome = sender.outcome(futures)
        with pytest.raises(Unavailable):
            sender.confirm(futures, timeout_s=1)
        assert not outcome.done()
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    outcome.result(timeout=15)


def _stop(pid: int) -> None:
    """Stop a process, and return only when none of its threads is in the middle of something."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while any(stat.read_text().rpartition(")")[2].split()[0] != "T" for stat in tasks.glob("*/stat")):
        time.sleep(0.01)


def _until_marks(settings: Settings) -> Iterator[int]:
    end, marks = time.monotonic() + 20, 0
    with closing(follow(settings, SCAN.name, "visits", stop=lambda: time.monotonic() > end)) as records:
        for record in islice(records, 2 * RECORDS):
            if record.value == b"mark":
                marks += 1
                if marks == settings.partitions:
                    return
            else:
                yield int(record.value or b"")
