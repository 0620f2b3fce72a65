"""`jejak bench peak-day`: the reported national peak day, 8,000,000 scans in an hour through the gate, or a slice.

Everything runs on this machine: gate, Kafka, workers, relay, PostgreSQL, and the load generator, whose CPU is told
apart. A scan's way: due → answered with 200 → its row committed, seen by a poll of the fold's position.
"""

from array import array
from bisect import bisect_right
from statistics import fmean
from time import perf_counter, sleep
from typing import Any, Final, NamedTuple

from bench.figures import Report
from bench.front import Front
from bench.latency import Seen
from bench.latency_table import milliseconds, trend
from bench.store import positions, waiting_outbox, watching
from bench.tools import Say
from producers.follower import follow
from schemas.topics import SCAN
from tracing.store import Connection

PEAK_DAY: Final = 8_000_000
TICK_S: Final = 0.005
QUEUES_EVERY_S: Final = 1.0
WARM_UP_S: Final = 5.0
CATCH_UP_S: Final = 60.0
KNOWN: Final = 4  # scans a person, about
FLAT_S: Final = 0.25


class Plan(NamedTuple):
    """Which slice: the whole day at `rate` takes 8,000,000 / rate seconds."""

    rate: int
    seconds: int
    batch: int


def run(front: Front, plan: Plan, report: Report, say: Say) -> None:
    """Send the slice, and keep what was seen in the report."""
    persons = max(10_000, plan.rate * plan.seconds // KNOWN)
    known = front.make_known(persons)
    say(f"{persons:,} persons known to the vault ({known.achieved * 1_000:,.0f} scans/s)")
    requests = plan.rate * plan.seconds // plan.batch
    times, first = front.folder / "times", front.next_scan
    with watching(front.settings) as conn:
        _wait_folded(front, conn, known.sent * 1_000)
        before, memory, begin = front.cpu_s(), front.memory_mib(), perf_counter()
        generator = front.start(
            rate=plan.rate / plan.batch,
            requests=requests,
            batch=plan.batch,
            persons=persons,
            times=str(times),
            warm_up_s=WARM_UP_S,
        )
        seen = Seen()
        queues: list[dict[str, Any]] = []
        while generator.poll() is None:
            queues += _look(front, conn, seen, begin, queues)
        sent = front.finish(generator)
        took = perf_counter() - begin
        used = {name: round((cpu - before.get(name, 0)) / took, 3) for name, cpu in front.cpu_s().items()}
        held = {name: [memory.get(name, 0.0), mib] for name, mib in front.memory_mib().items()}
        total = known.sent * 1_000 + sent.answers.get("200", 0) * plan.batch
        _wait_folded(front, conn, total, seen)
    answered = array("d", times.read_bytes())
    waits = _waits(front, seen, answered, first, begin + WARM_UP_S)
    in_order, already = sorted(time for time in answered if time), known.sent * 1_000
    for queue in queues:
        accepted = already + bisect_right(in_order, queue["at"] + begin)
        queue["accepted_not_folded"] = max(0, accepted - queue.pop("folded"))
    report.data |= {
        "rate": plan.rate,
        "seconds": plan.seconds,
        "batch": plan.batch,
        "scans": requests * plan.batch,
        "share_of_the_day": round(requests * plan.batch / PEAK_DAY, 4),
        "persons": persons,
        "achieved_scans_s": round(sent.achieved * plan.batch),
        "answers": sent.answers,
        "due_to_200_ms": sent.latency_ms,
        "answered_to_visible_ms": milliseconds(waits),
        "visible_of": len(waits),
        "cores": used | {"load generator": round(sent.cpu_s / took, 3)},
        "memory_mib": held,
        "queues": queues,
        "trends": trends(queues, plan),
    }
    say(f"queues: {report.data['trends']}; memory: {held}")
    say(f"due → 200: {sent.latency_ms}; 200 → visible: {report.data['answered_to_visible_ms']}")


def trends(queues: list[dict[str, Any]], plan: Plan) -> dict[str, dict[str, float | bool]]:
    """Return for each queue its mean, its rise over the run, and whether it is flat.

    Flat: after the warm-up, a line through it rises by less than what comes in FLAT_S (of the outbox: by fewer rows
    than there are scans in that time).
    """
    found = {}
    for name in ("accepted_not_folded", "outbox"):
        points = [(queue["at"], float(queue[name])) for queue in queues if WARM_UP_S < queue["at"] <= plan.seconds]
        rise = trend(points)
        mean = fmean(value for _, value in points) if points else 0.0
        found[name] = {"mean": round(mean, 1), "rise": round(rise, 1), "flat": rise < plan.rate * FLAT_S}
    return found


def _look(
    front: Front, conn: Connection, seen: Seen, begin: float, queues: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Poll the positions, and once a second the queues."""
    front.supervisor.tick()
    now = perf_counter()
    at = positions(conn)
    seen.note(now, at)
    sleep(TICK_S)
    if queues and now - begin < queues[-1]["at"] + QUEUES_EVERY_S:
        return []
    return [{"at": round(now - begin, 2), "folded": sum(at.values()), "outbox": waiting_outbox(conn)}]


def _wait_folded(front: Front, conn: Connection, total: int, seen: Seen | None = None) -> None:
    deadline = perf_counter() + CATCH_UP_S
    while sum(found := list(positions(conn).values())) < total and perf_counter() < deadline:
        front.supervisor.tick()
        if seen is not None:
            seen.note(perf_counter(), positions(conn))
        sleep(TICK_S)
    if seen is not None:
        seen.note(perf_counter(), positions(conn))
    assert found


def _waits(front: Front, seen: Seen, answered: "array[float]", first: int, since: float) -> list[float]:
    """Read the topic, and return each scan's time from its 200 to when it was seen folded."""
    waits: list[float] = []
    end = perf_counter() + CATCH_UP_S
    found: set[int] = set()
    stop = lambda: len(found) == len(answered) or perf_counter() > end  # noqa: E731 — as `follow` asks for it
    for record in follow(front.settings, SCAN.name, "admin", stop=stop):
        assert record.value is not None
        number = _number(record.value) - first
        if not 0 <= number < len(answered):
            continue
        found.add(number)
        visible = seen.visible(record.partition, record.offset)
        if answered[number] > since and visible is not None:
            waits.append(max(0.0, visible - answered[number]))
    return waits


def _number(value: bytes) -> int:
    """Return the scan's number, which `bench.pace.scan_of` put into its id."""
    at = value.index(b'"scan_id":"') + len(b'"scan_id":"')
    return int(value[at + 24 : at + 36], 16)
