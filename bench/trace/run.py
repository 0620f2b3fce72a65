"""`jejak bench trace`: who is measured in which group, the processes of their own, and the figures kept."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import log
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec

from bench.figures import Report, write_report
from bench.place import temporary_folder
from bench.tools import PYTHON, ROOT, Say, prepare_python
from bench.trace import online
from bench.trace.answer import RULE, Answer
from bench.trace.pairs import write_week
from bench.trace.stored import store_town
from bench.trace.town import Size, make_cases, make_visits, write_town
from ops.embedded import embedded_servers
from ops.migrate import migrate
from schemas.settings import Settings

GROUPS: Final = ("online", "many", "pairs", "growth")
GROWTH: Final = (0.1, 1, 5)  # times the visits asked for: 1 M, 10 M and 50 M of 10 M
TIMEOUT_S: Final = 1_800
NO_BROKER: Final = "127.0.0.1:1"  # so that none is started: nothing here asks it


class Plan(NamedTuple):
    """What to measure, how large, how often."""

    visits: int
    cases: int
    traces: int
    pairs: int
    only: Sequence[str] = ()


class Contender(NamedTuple):
    """A process of its own."""

    name: str
    title: str
    settings: str
    module: str
    arguments: tuple[str, ...] = ()
    needs: bool = False  # packages of requirements/bench.txt


MANY: Final = (
    Contender("ours", "**ours: arrays sorted once**", "numpy, one thread, as `jejak trace`", "many_ours"),
    Contender("polars", "polars, cut into days", "2.x, all cores, eager result", "many_polars", needs=True),
    Contender("duckdb", "DuckDB, range join", "in memory, all cores", "many_duckdb", needs=True),
    Contender("pandas", "pandas, cut into days", "merge on place and day", "many_pandas", needs=True),
    Contender(
        "spark", "Spark local[2]: ours", "`tracing.bulk.engine`, warm, Parquet read", "many_spark", ("2",), needs=True
    ),
)
PAIRS: Final = (
    Contender("c", "C sweep (the limit)", "cc -O3, one core, memory touched before", "pairs_c"),
    Contender(
        "ours", "**ours: arrays**", "`overlaps.Together`, numpy, one thread, memory touched before", "pairs_ours"
    ),
    Contender(
        "spark-1",
        "Spark local[1]: ours",
        "written as Parquet, as `jejak bulk --pairs`",
        "pairs_spark",
        ("1",),
        needs=True,
    ),
    Contender(
        "spark-2",
        "Spark local[2]: ours",
        "written as Parquet, as `jejak bulk --pairs`",
        "pairs_spark",
        ("2",),
        needs=True,
    ),
)


def run(plan: Plan, start: Callable[[str], Report], say: Say, environ: Mapping[str, str]) -> list[Report]:
    """Measure the groups that the plan names; each is a report of its own, written when it is done."""
    reports = []
    chosen = [group for group in GROUPS if not plan.only or group in plan.only]
    without = prepare_python(say) if set(chosen) & {"many", "pairs"} else ""
    for group in chosen:
        report, began = start(f"trace-{group}"), perf_counter()
        with temporary_folder() as folder:
            _MEASURE[group](plan, folder, report, say, environ, without)
        report.seconds = round(perf_counter() - began, 1)
        say(f"written to {write_report(report)}")
        reports.append(report)
    return reports


def _online(plan: Plan, folder: Path, report: Report, say: Say, _: Mapping[str, str], __: str) -> None:
    size = Size(plan.visits)
    visits, cases = make_visits(size), make_cases(size, RULE, plan.traces)
    write_town(folder, visits, cases)
    with _stored(folder, size, say) as settings:
        report.data |= {"visits": plan.visits, "facilities": size.facilities, "traces": len(cases), "pairs": plan.pairs}
        online.measure(settings, folder, cases, plan.pairs, report, say)


def _many(plan: Plan, folder: Path, report: Report, say: Say, environ: Mapping[str, str], without: str) -> None:
    size = Size(plan.visits)
    visits, cases = make_visits(size), make_cases(size, RULE, plan.cases)
    write_town(folder, visits, cases)
    report.data |= {"visits": plan.visits, "facilities": size.facilities, "cases": len(cases)}
    _processes(MANY, plan, folder, report, say, environ, without)


def _pairs(plan: Plan, folder: Path, report: Report, say: Say, environ: Mapping[str, str], without: str) -> None:
    size = Size(plan.visits)
    report.data |= {"visits": write_week(folder, make_visits(size)), "facilities": size.facilities}
    _processes(PAIRS, plan, folder, report, say, environ, without)


def _growth(plan: Plan, _: Path, report: Report, say: Say, __: Mapping[str, str], ___: str) -> None:
    """Grow the visits with the places (capped), and in the same places (uncapped); one town is on disk at a time."""
    found: dict[str, dict[str, dict[str, float]]] = {"capped": {}, "uncapped": {}}
    for factor in GROWTH:
        for name, points in found.items():
            size = Size(int(plan.visits * factor), name == "capped")
            with temporary_folder() as home, _stored(home, size, say) as settings:
                times = online.whole_times(settings, make_cases(size, RULE, plan.traces))
            points[str(size.visits)] = online.quantiles(times)
            say(f"growth, {name}, {size.visits:,} visits: {points[str(size.visits)]}")
    exponents = {
        name: _exponent({int(visits): it["p99_ms"] for visits, it in points.items()}) for name, points in found.items()
    }
    report.data |= {"traces": plan.traces, "points": found, "exponents_p99": exponents}


_MEASURE: Final = {"online": _online, "many": _many, "pairs": _pairs, "growth": _growth}


@contextmanager
def _stored(folder: Path, size: Size, say: Say) -> Iterator[Settings]:
    """Yield the settings of a PostgreSQL of our own that holds the town."""
    with embedded_servers(Settings(home=folder / "home", demo=True, kafka=NO_BROKER), say) as servers:
        migrate(servers.settings)
        began = perf_counter()
        store_town(servers.settings, size, make_visits(size))
        say(f"{size.visits:,} visits of {size.facilities:,} facilities stored in {perf_counter() - began:.1f} s")
        yield servers.settings


def _processes(
    contenders: Sequence[Contender],
    plan: Plan,
    folder: Path,
    report: Report,
    say: Say,
    environ: Mapping[str, str],
    without: str,
) -> None:
    """Run all contenders in turn, every second time in the other order; answers that differ are not counted."""
    runs: defaultdict[str, list[Answer]] = defaultdict(list)
    report.not_run = {one.name: without for one in contenders if one.needs and without}
    for number in range(plan.pairs):
        for one in contenders if number % 2 == 0 else contenders[::-1]:
            if one.name in report.not_run:
                continue
            answer = _once(one, folder, environ)
            if isinstance(answer, str):
                report.not_run[one.name] = answer
                say(f"{one.name}: {answer}")
                continue
            runs[one.name].append(answer)
            say(f"{number + 1}/{plan.pairs} {one.name}: {answer.seconds}, {answer.rows:,} rows, result {answer.result}")
    expected = runs["ours"][0].result if runs["ours"] else ""
    for name, some in runs.items():
        if {one.result for one in some} != {expected}:
            report.not_run[name] = "its result is not that of the others"
    report.data |= {
        "pairs": plan.pairs,
        "rows": runs["ours"][0].rows if runs["ours"] else 0,
        "contenders": {
            one.name: _summary(one, runs[one.name])
            for one in contenders
            if runs[one.name] and one.name not in report.not_run
        },
    }


def _once(one: Contender, folder: Path, environ: Mapping[str, str]) -> Answer | str:
    """Return the answer of a process, or why there is none."""
    python = str(PYTHON) if one.needs else sys.executable
    command = [python, "-m", f"bench.trace.contenders.{one.module}", str(folder), *one.arguments]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=ROOT, env=dict(environ), timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    if done.returncode:
        return lines[-1] if lines else f"exit {done.returncode}"
    return msgspec.json.decode(lines[-1], type=Answer)


def _summary(one: Contender, runs: Sequence[Answer]) -> dict[str, Any]:
    parts = sorted({part for run in runs for part in run.seconds})
    return {
        "title": one.title,
        "settings": one.settings,
        "seconds": {part: round(median(run.seconds[part] for run in runs), 3) for part in parts},
        "cpu_s": median(run.cpu_s for run in runs),
        "peak_mib": max(run.peak_mib for run in runs),
        "result": runs[0].result,
        "runs": [run.seconds for run in runs],
    }


def _exponent(points: Mapping[int, float]) -> float:
    """Return by which power of the number of visits the time grows, from the fewest to the most."""
    first, last = min(points), max(points)
    return round(log(points[last] / points[first]) / log(last / first), 3)
