"""`jejak bench latency`: scans at a steady rate into the topic; from their acknowledgement to the committed row.

A scan counts as visible when a poll first sees the fold's position behind it: never too early, at most a poll late.
"""

from bisect import bisect_right
from collections import defaultdict
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any, Final, NamedTuple

import psutil

from bench.figures import Report
from bench.latency_table import milliseconds
from bench.load import Shape, make_scans
from bench.place import Place
from bench.running import worker_running
from bench.store import positions, progress, watching
from ops.topics import empty_topics
from producers.sender import Sender
from schemas.codec import encode
from schemas.partition import partition_of
from schemas.topics import SCAN

TICK_S: Final = 0.002
WARM_UP_S: Final = 3.0
START_S: Final = 30.0
FACILITIES: Final = 300


class Plan(NamedTuple):
    """At which rate, and for how long."""

    rate: int
    seconds: int


class Seen:
    """When each partition's position was seen where."""

    def __init__(self) -> None:
        self._at: defaultdict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([0], [0.0]))

    def note(self, now: float, found: dict[int, int]) -> None:
        """Remember positions, where they moved."""
        for partition, offset in found.items():
            offsets, times = self._at[partition]
            if offset > offsets[-1]:
                offsets.append(offset)
                times.append(now)

    def visible(self, partition: int, offset: int) -> float | None:
        """Return when the record was first known to be folded."""
        offsets, times = self._at[partition]
        at = bisect_right(offsets, offset)
        return times[at] if at < len(times) else None

    def folded(self, now: float) -> int:
        """Return how many records were known to be folded at a time; the partitions begin at 0."""
        return sum(offsets[bisect_right(times, now) - 1] for offsets, times in self._at.values())


def run(place: Place, plan: Plan, report: Report) -> None:
    """Measure, and keep the figures in the report."""
    empty_topics(place.settings)
    shape = Shape(plan.rate * plan.seconds, FACILITIES)
    scans = [
        (scan.person_id.encode(), encode(scan), partition_of(scan.person_id, place.settings.partitions))
        for scan in make_scans(shape)
    ]
    with place.database(FACILITIES) as settings, worker_running(place, settings) as worker, watching(settings) as conn:
        deadline = perf_counter() + START_S
        while progress(conn)[0] < settings.partitions and perf_counter() < deadline:
            sleep(0.05)
        place.say(f"the worker is ready; {plan.rate:,} scans/s for {plan.seconds} s")
        cpu = psutil.Process(worker.pid).cpu_times()
        acknowledged, over, seen = Acknowledged(), Event(), Seen()
        sending = Thread(target=_send, args=(place, plan, scans, acknowledged, over), daemon=True)
        begin = perf_counter()
        sending.start()
        while not over.is_set() or progress(conn)[1] < len(acknowledged.rows):
            seen.note(perf_counter(), positions(conn))
            sleep(TICK_S)
            if perf_counter() - begin > plan.seconds + START_S:
                report.notes.append("the fold did not catch up in time")
                break
        seen.note(perf_counter(), positions(conn))
        used, took = psutil.Process(worker.pid).cpu_times(), perf_counter() - begin
    rows = [row for row in acknowledged.rows if row.at > begin + WARM_UP_S]
    waits = [
        max(0.0, visible - row.at) for row in rows if (visible := seen.visible(row.partition, row.offset)) is not None
    ]
    share = (used.user + used.system - cpu.user - cpu.system) / took
    report.data |= {"rate": plan.rate, "scans": len(rows), "never_seen": len(rows) - len(waits)}
    report.data |= {"ack_to_visible_ms": milliseconds(waits), "worker_core_share": round(share, 3)}
    place.say(f"acknowledged → visible: {report.data['ack_to_visible_ms']}")


class Row(NamedTuple):
    """A record that Kafka acknowledged."""

    at: float
    partition: int
    offset: int


class Acknowledged:
    """What was acknowledged, and when; filled by the producer's thread."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def note(self, metadata: Any) -> None:  # noqa: ANN401 — kafka-python has no types
        """Remember one."""
        self.rows.append(Row(perf_counter(), metadata.partition, metadata.offset))


def _send(
    place: Place, plan: Plan, scans: list[tuple[bytes, bytes, int]], acknowledged: Acknowledged, over: Event
) -> None:
    try:
        with Sender(place.settings, "admin") as sender:
            begin, sent = perf_counter(), 0
            while sent < len(scans):
                due = min(len(scans), int((perf_counter() - begin) * plan.rate))
                for key, value, partition in scans[sent:due]:
                    sender.send(SCAN.name, key, value, partition).add_callback(acknowledged.note)
                sent = max(sent, due)
                sleep(TICK_S)
    finally:
        over.set()
