"""What each measurement is held against, and how far it is from there: the table at the head of its section.

The goals of the streams are ratios to others in the same run; those here are figures, whatever the machine.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Data = Mapping[str, Any]
STREAMS: Final = {
    "memory ÷ Kafka Streams, cold": "≥ 1.6",
    "memory ÷ Kafka Streams, warm": "≥ 1.2",
    "CPU per scan ÷ Kafka Streams": "≤ 0.35",
    "memory ÷ stock Faust take": "≥ 15",
    "memory ÷ Bytewax": "≥ 2.5",
    "durable ÷ Kafka Streams + changelog + JDBC": "> 1",
    "durable ÷ confluent-kafka + COPY": "≥ 0.95",
    "durable ÷ bare COPY, with the indexes": "≥ 0.2",
}
HEAD: Final = ("aim", "goal", "found", "how far")
SINGLE, BATCHED = 5_000, 100_000  # scans a second


class Found(NamedTuple):
    """A figure and its goal: a sign, a number and perhaps a unit, e.g. `≤ 250 ms`; None: nothing came near it."""

    aim: str
    goal: str
    figure: float | None

    def row(self) -> tuple[str, str, str, str]:
        """Return the cells."""
        unit = " ".join(self.goal.split()[2:])
        figure = "–" if self.figure is None else f"**{self.figure:,g}{' ' * bool(unit)}{unit}**"
        return self.aim, self.goal, figure, distance(self.goal, self.figure)


def distance(goal: str, figure: float | None) -> str:
    """Return how far a figure is from a goal, in words; nothing where there is no goal."""
    if goal == "–":
        return ""
    if figure is None:
        return "not reached"
    sign, number = goal.split()[:2]
    wanted = float(number.replace(",", ""))
    if figure <= wanted if sign == "≤" else figure > wanted if sign == ">" else figure >= wanted:
        return "reached"
    if not wanted:
        return f"{figure:g} too many"
    times = f"{figure / wanted:.3g}"
    return "just missed" if times == "1" else f"{times} times the goal"


def found(command: str, data: Data) -> list[Found]:
    """Return the figures of a measurement that have a goal."""
    return list(_FOUND[command](data)) if command in _FOUND else []


def _gate(data: Data) -> Iterator[Found]:
    for steps, name, rate in ((data["single"], "single scans", SINGLE), (data["batched"], "batched scans", BATCHED)):
        kept = [step for step in steps if step["kept"]]
        yield Found(f"{name} a second", f"≥ {rate:,}", max((step["achieved_scans_s"] for step in kept), default=None))
        half = [step["latency_ms"]["p99"] for step in kept if step["scans_s"] >= rate / 2]
        yield Found(f"{name}, p99 at half of that or more", "≤ 50 ms", half[0] if half else None)


def _peak_day(data: Data) -> Iterator[Found]:
    yield Found("p99 due → 200", "≤ 250 ms", data["due_to_200_ms"]["p99"])
    yield Found("p99 200 → visible count", "≤ 2,000 ms", data["answered_to_visible_ms"]["p99"])
    yield Found("queues that are not flat", "≤ 0", sum(not it["flat"] for it in data.get("trends", {}).values()))


def _steady(data: Data) -> Iterator[Found]:
    yield Found("processes that are not flat", "≤ 0", sum(not it["flat"] for it in data["processes"].values()))


def _notice(data: Data) -> Iterator[Found]:
    yield Found("p95 positive → read, alone", "≤ 250 ms", data["alone"]["positive_to_read_ms"]["p95"])
    yield Found(f"the same beside {data['rate']:,} scans/s", "≤ 1,000 ms", data["busy"]["positive_to_read_ms"]["p95"])


def _online(data: Data) -> Iterator[Found]:
    ours = data["contenders"]["ours"]["p99_ms"]
    yield Found(f"p99 of ours at {data['visits']:,} visits (the goal: at 10,000,000)", "≤ 5 ms", ours)


def _many(data: Data) -> Iterator[Found]:
    seconds = data["contenders"]["ours"]["seconds"]
    size = f"{data['cases']:,} cases over {data['visits']:,} visits"
    yield Found(f"{size} (the goal: 10,000 over 10,000,000), indexed", "≤ 0.5 s", seconds["ask"])
    yield Found("the same from cold files", "≤ 5 s", round(sum(seconds.values()), 3))


def _pairs(data: Data) -> Iterator[Found]:
    asked = {name: it["seconds"]["ask"] for name, it in data["contenders"].items()}
    for aim, goal, above, below in (("ours ÷ C sweep", "≤ 5", "ours", "c"), ("Spark, 1 ÷ 2 cores", "≥ 1.7", *_SPARK)):
        is_known = above in asked and below in asked
        yield Found(aim, goal, round(asked[above] / asked[below], 2) if is_known else None)


def _growth(data: Data) -> Iterator[Found]:
    yield Found("growth exponent of p99, capped", "≤ 0.1", data["exponents_p99"]["capped"])


_SPARK: Final = ("spark-1", "spark-2")
_FOUND: Final[Mapping[str, Callable[[Data], Iterator[Found]]]] = {
    "gate": _gate,
    "peak-day": _peak_day,
    "steady": _steady,
    "notice": _notice,
    "trace-online": _online,
    "trace-many": _many,
    "trace-pairs": _pairs,
    "trace-growth": _growth,
}
