"""`jejak bench streams`: all contenders on the same scans, interleaved in one go, with equal result hashes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

from bench.contract import hash_of
from bench.figures import Report, median_ratio, read_report, write_report
from bench.load import Shape, make_scans
from bench.oracle import expected_lines
from bench.place import Place
from bench.roster import (
    BYTEWAX,
    CONFLUENT_COPY,
    CONTENDERS,
    FAUST_TAKE,
    OURS_DURABLE,
    OURS_MEMORY,
    OURS_SLICE,
    STREAMS_JDBC,
    STREAMS_MEMORY,
    Contender,
    missing,
)
from bench.running import Failed, Run, fold_with_workers, run_durable, run_in_memory
from bench.store import bare_copy, scan_rows
from bench.work import Tally
from schemas.codec import encode
from schemas.errors import BadInput
from schemas.topics import SCAN

SLICE_OF: Final = {"memory": 1, "slow": 10, "tables": 100, "durable": 2, "sinks": 10}  # of the scans that a group folds
DURABLE: Final = frozenset({"durable", "sinks"})  # groups whose result is in a database
FEWEST: Final = 2_000
BARE, INDEXED = "bare-copy", "bare-copy-indexed"


class Plan(NamedTuple):
    """What to measure, and how often."""

    scans: int
    pairs: int
    facilities: int
    only: Sequence[str] = ()


def run(place: Place, plan: Plan, start: Callable[[str], Report]) -> list[Report]:
    """Measure what the plan names; each group of contenders is a report of its own, written when it is done."""
    chosen = [one for one in CONTENDERS if not plan.only or one.name in plan.only or one.group in plan.only]
    without = missing(chosen, place.say)
    reports = []
    for group, some in groupby(chosen, key=lambda one: one.group):
        report = start(report_name(group))
        began = perf_counter()
        theirs = list(some)
        report.not_run = {one.name: without[one.name] for one in theirs if one.name in without}
        able = [one for one in theirs if one.name not in without]
        shape = Shape(max(FEWEST, plan.scans // SLICE_OF[group]), plan.facilities)
        if able:
            _Group(place, plan, shape, able, report).measure()
        report.seconds = round(perf_counter() - began, 1)
        place.say(f"written to {write_report(report)}")
        reports.append(report)
    return reports


def check_names(only: Sequence[str]) -> None:
    """Refuse what names neither a contender nor a group, before servers are started for nothing.

    Raises:
        BadInput: naming those that there are.
    """
    known = dict.fromkeys([*(one.group for one in CONTENDERS), *(one.name for one in CONTENDERS)])
    if not set(only) <= known.keys():
        raise BadInput(f"is none of {', '.join(known)}", field="--only")


def report_name(group: str) -> str:
    """Return under which name the figures of a group are kept."""
    return f"streams-{group}"


class _Group:
    """Contenders that fold the same scans."""

    def __init__(self, place: Place, plan: Plan, shape: Shape, contenders: list[Contender], report: Report) -> None:
        self._place = place
        self._plan = plan
        self._shape = shape
        self._contenders = contenders
        self._report = report
        self._name = contenders[0].group
        self._runs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._kept: list[bytes] = []

    def measure(self) -> None:
        """Run all contenders in turn, as often as the plan says; every second time in the other order."""
        topic = SCAN.name if self._name in DURABLE else f"bench.{self._name}"
        self._place.fill(topic, self._shape)
        expected = self._expected()
        for pair in range(self._plan.pairs):
            order = self._contenders if pair % 2 == 0 else self._contenders[::-1]
            for one in order:
                if one.name not in self._report.not_run:
                    self._run(one, topic, expected, pair)
            if self._name == "durable":
                self._limits(pair)
        self._report.data |= {
            "scans": self._shape.scans,
            "pairs": self._plan.pairs,
            "facilities": self._plan.facilities,
            "expected": expected,
            "contenders": {
                one.name: _summary(one, self._runs[one.name]) for one in self._contenders if self._runs[one.name]
            },
            "limits": {name: self._runs[name] for name in (BARE, INDEXED) if self._runs[name]},
        }

    def _expected(self) -> str:
        scans = make_scans(self._shape)
        if self._name in DURABLE:
            return hash_of(expected_lines(scans))
        tally = Tally()
        tally.add_bodies([encode(scan) for scan in scans])
        return hash_of(tally.lines())

    def _run(self, one: Contender, topic: str, expected: str, pair: int) -> None:
        started = perf_counter()
        try:
            found = self._once(one, topic)
        except Failed as error:
            self._report.not_run[one.name] = str(error)
            self._place.say(f"{one.name}: {error}")
            return
        if found.result != expected and one.has_result:
            self._report.not_run[one.name] = "its result is not that of the others"
        answer = found.answer
        self._runs[one.name].append(
            {
                "rate": round(answer.rate()),
                "warm_rate": round(answer.warm_rate()),
                "cpu_us": round(answer.cpu_s / answer.events * 1e6, 2),
                "seconds": round(answer.seconds, 3),
                "result": found.result,
            }
        )
        self._place.say(
            f"{pair + 1}/{self._plan.pairs} {one.name}: {answer.rate():,.0f}/s, result {found.result or 'none'}"
            f" ({perf_counter() - started:.1f} s)"
        )

    def _once(self, one: Contender, topic: str) -> Run:
        if self._name in DURABLE:
            return run_durable(one, self._place, self._shape.scans, self._shape.facilities)
        task = self._place.task(topic, self._shape.scans)
        return run_in_memory(one, task, self._place.environment(self._place.settings))

    def _limits(self, pair: int) -> None:
        """COPY the very rows that our fold wrote, and nothing else."""
        rows = self._rows()
        for name, indexes in ((BARE, False), (INDEXED, True)):
            with self._place.database(self._shape.facilities) as settings:
                seconds = bare_copy(settings, rows, indexes=indexes)
            self._runs[name].append({"rate": round(len(rows) / seconds), "seconds": round(seconds, 3)})
            self._place.say(f"{pair + 1}/{self._plan.pairs} {name}: {len(rows) / seconds:,.0f} rows/s")

    def _rows(self) -> list[bytes]:
        if not self._kept:
            with self._place.database(self._shape.facilities) as settings:
                fold_with_workers(self._place, settings, self._shape.scans)
                self._kept = scan_rows(settings)
        return self._kept


def _summary(one: Contender, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def middle(name: str) -> float:
        return float(median(run[name] for run in runs))

    return {
        "title": one.title,
        "settings": one.settings,
        "rate": round(middle("rate")),
        "warm_rate": round(middle("warm_rate")),
        "cpu_us": round(middle("cpu_us"), 2),
        "runs": runs,
    }


def goals() -> dict[str, float | None]:
    """Return the ratios that are aimed at, each the median over the pairs of the last measurement of its group."""

    def of(name: str) -> dict[str, list[float]]:
        return {one: [run[name] for run in it["runs"]] for one, it in everything.items()}

    found = [report.data for group in SLICE_OF if (report := read_report(report_name(group))) and report.data]
    everything = {one: it for data in found for one, it in data["contenders"].items()}
    limits = {one: runs for data in found for one, runs in data["limits"].items()}
    rates, warm, cpu = of("rate"), of("warm_rate"), of("cpu_us")
    rates |= {name: [run["rate"] for run in runs] for name, runs in limits.items()}
    ratio = partial(median_ratio, rates)
    return {
        "memory ÷ Kafka Streams, cold": ratio(OURS_MEMORY, STREAMS_MEMORY),
        "memory ÷ Kafka Streams, warm": median_ratio(warm, OURS_MEMORY, STREAMS_MEMORY),
        "CPU per scan ÷ Kafka Streams": median_ratio(cpu, OURS_MEMORY, STREAMS_MEMORY),
        "memory ÷ stock Faust take": ratio("ours-memory-slow", FAUST_TAKE),
        "memory ÷ Bytewax": ratio(OURS_MEMORY, BYTEWAX),
        "durable ÷ Kafka Streams + changelog + JDBC": ratio(OURS_SLICE, STREAMS_JDBC),
        "durable ÷ Kafka Streams, exactly once": ratio(OURS_SLICE, "kafka-streams-jdbc-exact"),
        "durable ÷ confluent-kafka + COPY": ratio(OURS_DURABLE, CONFLUENT_COPY),
        "durable ÷ bare COPY, with the indexes": ratio(OURS_DURABLE, INDEXED),
        "durable ÷ bare COPY, without indexes": ratio(OURS_DURABLE, BARE),
    }
