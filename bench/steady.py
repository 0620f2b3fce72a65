"""`jejak bench steady`: a constant rate through the gate with everything on, and what each process keeps in memory.

Scans come by the load generator; every ten seconds sixty people have been together and one of them is reported
positive, so that the traces worker has work too. Each process is judged by `bench.memory.CRITERION`.
"""

from datetime import datetime, timedelta
from random import getrandbits
from time import perf_counter, sleep
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from bench.figures import Report
from bench.front import Front
from bench.load import Place
from bench.memory import CRITERION, Kept, judge, read_family, told
from bench.store import add_facilities, progress, waiting_outbox, watching
from bench.tools import Say
from ops.demo.keys import Holder, make_demo_keys
from producers.gate_client import open_gate
from producers.gate_scans import GateScan, Subject
from schemas.events import Gate, Kind
from tracing.store import Connection

EVERY_S: Final = 10.0
TICK_S: Final = 0.05
SAY_EVERY: Final = 12  # measurements: two minutes
WARD: Final = 60  # people
SHARING: Final = "PostgreSQL"  # its processes share memory, so they are told together by PSS


class Plan(NamedTuple):
    """How many scans a second, for how long, by how many persons."""

    rate: int
    minutes: int
    persons: int


def run(front: Front, plan: Plan, report: Report, say: Say) -> None:
    """Send at the rate and measure; figures are kept in the report."""
    known = front.make_known(plan.persons)
    say(f"{plan.persons:,} persons known to the vault ({known.achieved * 1_000:,.0f} scans/s)")
    wards = Wards(front, plan.minutes * 60)
    generator = front.start(rate=plan.rate, requests=plan.rate * plan.minutes * 60, batch=1, persons=plan.persons)
    rows: list[dict[str, Any]] = []
    with watching(front.settings) as conn:
        begin = perf_counter()
        while generator.poll() is None:
            front.supervisor.tick()
            sleep(TICK_S)
            if perf_counter() - begin >= len(rows) * EVERY_S:
                rows.append(_look(front, conn, perf_counter() - begin))
                wards.report_one()
                _say_row(rows, say)
    sent = front.finish(generator)
    _fill(report, plan, rows)
    report.data |= {"achieved_scans_s": round(sent.achieved), "answers": sent.answers, "due_to_200_ms": sent.latency_ms}
    for name, found in report.data["processes"].items():
        say(f"{name}: {found}")


def _fill(report: Report, plan: Plan, rows: list[dict[str, Any]]) -> None:
    seconds = [float(row["at"]) for row in rows]
    series = {
        name: [(at, measure(name, row["memory"][name])) for at, row in zip(seconds, rows, strict=True)]
        for name in rows[0]["memory"]
        if all(row["memory"].get(name) for row in rows)
    }
    restarted = [name for name, pid in rows[0]["pids"].items() if any(row["pids"][name] != pid for row in rows)]
    report.data |= {
        "rate": plan.rate,
        "minutes": plan.minutes,
        "persons": plan.persons,
        "criterion": CRITERION,
        "processes": {name: told(judge(one)) | {"of": of(name)} for name, one in series.items()},
        "restarted": restarted,
        "rows": rows,
    }


def of(name: str) -> str:
    """Return which measure a process is judged by."""
    return "PSS less shared buffers" if name == SHARING else "RSS"


def measure(name: str, kept: Kept) -> float:
    """Return that measure: shared buffers are a fixed size, and are told apart."""
    kept = Kept(*kept)
    return kept.pss - kept.shared_buffers if name == SHARING else kept.rss


def _look(front: Front, conn: Connection, at: float) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    pids: dict[str, int] = {}
    for group in front.supervisor.groups:
        for child in group:
            if child.process is not None:
                pids[child.name] = child.process.pid
                memory[child.name] = read_family(child.process.pid)
    return {
        "at": round(at, 1),
        "memory": memory,
        "pids": pids,
        "folded": progress(conn)[1],
        "outbox": waiting_outbox(conn),
    }


class Wards:
    """People who are together for an hour, in a place of their own, and then one of them is positive.

    Each is a trace of the same size, whenever it comes: what grows is then no work.
    """

    def __init__(self, front: Front, number: int) -> None:
        names = [f"W{each:06}" for each in range(number)]
        add_facilities(front.settings, [Place(name, Kind.PUSKESMAS, "Asia/Jakarta") for name in names])
        self._names = iter(names)
        self._front = front
        holder = {"steady": Holder("laboratory", "bench-steady", facility=names[0])}
        self._laboratory = str(make_demo_keys(front.settings, holder)["steady"])

    def report_one(self) -> None:
        """Send everybody's scans and one positive."""
        ward, now = next(self._names), self._front.now()
        people = [Subject("test", f"{ward}-{number}") for number in range(WARD)]
        passing = ((Gate.ENTRANCE, now - timedelta(hours=2)), (Gate.EXIT, now - timedelta(hours=1)))
        scans = [
            GateScan(scan_id=_uuid7(at), subject=person, facility_id=ward, gate=gate, at=at.isoformat())
            for gate, at in passing
            for person in people
        ]
        with open_gate(self._front.settings, key_file=str(self._front.key_file)) as door:
            door.post("/v1/scans", scans)
        result = {
            "result_id": _uuid7(now),
            "subject": msgspec.to_builtins(people[0]),
            "lab_ref": f"STEADY/{ward}",
            "test": "pcr",
            "result": "positive",
            "status": "final",
            "specimen_at": now.isoformat(),
            "reported_at": now.isoformat(),
        }
        with open_gate(self._front.settings, key_file=self._laboratory) as laboratory:
            laboratory.post("/v1/test-results", result)


def _uuid7(at: datetime) -> str:
    bits = int(at.timestamp() * 1_000) << 80 | getrandbits(80)
    return str(UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def _say_row(rows: list[dict[str, Any]], say: Say) -> None:
    if len(rows) % SAY_EVERY != 1:
        return
    row = rows[-1]
    kept = ", ".join(f"{name} {measure(name, one):.0f}" for name, one in row["memory"].items() if one)
    say(f"{row['folded']:,} folded, {row['outbox']} wait in the outbox; MiB: {kept}")
