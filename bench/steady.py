"""`jejak bench steady`: a constant rate through the gate with everything on, and what each process keeps in memory.

Scans come by the load generator; every ten seconds sixty people have been together and one of them is reported
positive, so that the traces worker has work too. Each process is judged by `bench.memory.CRITERION`.
"""

from time import perf_counter, sleep
from typing import Any, Final, NamedTuple

from bench.figures import Report
from bench.front import Front
from bench.memory import CRITERION, Kept, judge, read_family, told
from bench.store import progress, waiting_outbox, watching
from bench.tools import Say
from bench.wards import Wards
from tracing.store import Connection

EVERY_S: Final = 10.0
TICK_S: Final = 0.05
SAY_EVERY: Final = 12  # measurements: two minutes
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
    generator = front.start(rate=plan.rate, requests=plan.rate * plan.minutes * 60, batch=1, persons=plan.persons)
    rows: list[dict[str, Any]] = []
    with watching(front.settings) as conn, Wards(front, plan.minutes * 60) as wards:
        begin = perf_counter()
        while generator.poll() is None:
            front.supervisor.tick()
            sleep(TICK_S)
            if perf_counter() - begin >= len(rows) * EVERY_S:
                rows.append(_look(front, conn, perf_counter() - begin))
                wards.report(wards.fill())
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


def _say_row(rows: list[dict[str, Any]], say: Say) -> None:
    if len(rows) % SAY_EVERY != 1:
        return
    row = rows[-1]
    kept = ", ".join(f"{name} {measure(name, one):.0f}" for name, one in row["memory"].items() if one)
    say(f"{row['folded']:,} folded, {row['outbox']} wait in the outbox; MiB: {kept}")
