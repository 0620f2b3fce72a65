"""`jejak bench notice`: from a laboratory's positive to the alert that the health office has read.

First with nothing else to do, then while scans come in at the peak day's rate. Each positive is one of sixty people
who were together; the next comes when the office has read all about the one before. The way is told in parts: to the
gate's 200, to the case's row (by the database's clock), to the office's reading.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any, Final, NamedTuple

from bench.figures import Report
from bench.front import Front
from bench.latency_table import milliseconds
from bench.store import progress, watching
from bench.tools import Say
from bench.wards import Wards
from ops.topics import make_topics
from producers.follower import follow
from schemas.errors import Unavailable
from schemas.topics import alert_topic, office_of, office_user
from tracing.store import Connection

AREA: Final = "36.71"
QUIET_S: Final = 0.4  # without another alert: all has been read
WAIT_S: Final = 20.0
TICK_S: Final = 0.005
WARM_UP: Final = 3  # positives before those that count
PARTS: Final = ("to 200", "to the case", "to read")
_NOW: Final = "select extract(epoch from clock_timestamp())::float8"
_CASE: Final = "select min(extract(epoch from created_at))::float8 from trace where created_at > to_timestamp(%s)"


class Plan(NamedTuple):
    """How many positives in each of the two rounds, and how many scans a second in the second."""

    positives: int
    rate: int


class Office:
    """The health office's program: when it read which alert."""

    def __init__(self) -> None:
        self.read_at: list[float] = []

    @contextmanager
    def reading(self, front: Front) -> Iterator[None]:
        """Read its topic meanwhile."""
        stop, office = Event(), office_of(AREA)

        def read() -> None:
            topic, user = alert_topic(office).name, office_user(office)
            for _ in follow(front.settings, topic, user, stop=stop.is_set):
                self.read_at.append(perf_counter())

        thread = Thread(target=read, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(5)


def run(front: Front, plan: Plan, report: Report, say: Say) -> None:
    """Measure both rounds; figures are kept in the report."""
    make_topics(front.settings, [AREA])
    office = Office()
    front.make_known(10 * plan.rate)
    with (
        Wards(front, 2 * (plan.positives + WARM_UP)) as wards,
        watching(front.settings) as conn,
        office.reading(front),
    ):
        say("alone")
        alone = _round(front, conn, wards, office, plan.positives)
        say(f"alone: {alone['positive_to_read_ms']}")
        seconds = 10 + 2 * plan.positives
        generator = front.start(rate=plan.rate, requests=plan.rate * seconds, batch=1, persons=10 * plan.rate)
        sleep(2)
        busy = _round(front, conn, wards, office, plan.positives)
        say(f"at {plan.rate:,} scans/s: {busy['positive_to_read_ms']}")
        running = generator.poll() is None
        sent = front.finish(generator)
    if not running:
        report.notes.append("the scans ended before the last positive was read")
    report.data |= {
        "rate": plan.rate,
        "positives": plan.positives,
        "alone": alone,
        "busy": busy | {"answers": sent.answers, "due_to_200_ms": sent.latency_ms},
    }


def _round(front: Front, conn: Connection, wards: Wards, office: Office, positives: int) -> dict[str, Any]:
    found = [_one(front, conn, wards, office) for _ in range(positives + WARM_UP)][WARM_UP:]
    return {
        "positive_to_read_ms": milliseconds([sum(parts) for parts in found]),
        "parts_ms": {
            name: milliseconds([parts[number] for parts in found])["p50"] for number, name in enumerate(PARTS)
        },
    }


def _one(front: Front, conn: Connection, wards: Wards, office: Office) -> list[float]:
    """Return the seconds of each part of one positive's way."""
    before = progress(conn)[1]
    name = wards.fill()
    _wait(front, lambda: progress(conn)[1] > before)
    sleep(QUIET_S)
    began_at = _ask(conn, _NOW)
    already, begin = len(office.read_at), perf_counter()
    wards.report(name)
    answered = perf_counter() - begin
    _wait(front, lambda: len(office.read_at) > already)
    read = office.read_at[already] - begin
    _wait(front, lambda: perf_counter() - office.read_at[-1] > QUIET_S)
    opened = max(answered, min(read, _ask(conn, _CASE, began_at) - began_at))
    return [answered, opened - answered, read - opened]


def _ask(conn: Connection, query: str, *values: float) -> float:
    """Return the one number, by the database's clock."""
    with conn.cursor() as cur:
        cur.execute(query, values)
        row = cur.fetchone()
    assert row is not None
    return float(row[0])


def _wait(front: Front, until: Callable[[], bool]) -> None:
    deadline = perf_counter() + WAIT_S
    while not until():
        if perf_counter() > deadline:
            raise Unavailable(f"nothing was read within {WAIT_S:g} s")
        front.supervisor.tick()
        sleep(TICK_S)
