"""`jejak bench growth`: how the cost of a scan grows with facilities, persons, history; what a second worker gives."""

from statistics import median
from typing import Final, NamedTuple

from bench.figures import Report
from bench.load import Shape
from bench.place import Place
from bench.roster import CONTENDERS, OURS_MEMORY, missing
from bench.running import fold_with_workers, run_in_memory
from schemas.topics import SCAN

FACILITIES: Final = (30, 300, 3_000, 30_000)
SCANS_A_PERSON: Final = (1, 10, 100)
DEEP: Final = 200  # scans a person, for the growth with history
PARTS: Final = 5
STEADY: Final = (0.3, 0.95)  # of the scans: after both workers have their partitions, before one is idle

Timeline = list[tuple[float, int]]


class Plan(NamedTuple):
    """How many scans each point folds, and how often."""

    scans: int
    pairs: int


def run(place: Place, plan: Plan, report: Report) -> None:
    """Measure all four, and keep the figures in the report."""
    report.data |= {"scans": plan.scans, "pairs": plan.pairs}
    report.data["facilities_memory"] = _memory(place, plan, report)
    report.data["facilities_durable"] = {
        number: _durable(place, plan, Shape(plan.scans, number)) for number in FACILITIES[1::2]
    }
    report.data["scans_a_person"] = {
        number: _durable(place, plan, Shape(plan.scans, persons=max(10, plan.scans // number)))
        for number in SCANS_A_PERSON
    }
    report.data["history"] = _history(place, plan)
    report.data["workers"] = _workers(place, plan)


def _memory(place: Place, plan: Plan, report: Report) -> dict[int, int]:
    ours = next(one for one in CONTENDERS if one.name == OURS_MEMORY)
    report.not_run |= dict(missing([ours], place.say))
    found: dict[int, list[float]] = {number: [] for number in FACILITIES}
    if ours.name in report.not_run:
        return {}
    for number in FACILITIES:
        place.fill(f"bench.facilities-{number}", Shape(plan.scans, number))
    for _ in range(plan.pairs):
        for number in FACILITIES:
            task = place.task(f"bench.facilities-{number}", plan.scans)
            run = run_in_memory(ours, task, place.environment(place.settings))
            found[number].append(run.answer.rate())
    return _said(place, "facilities, in memory", {number: round(median(rates)) for number, rates in found.items()})


def _durable(place: Place, plan: Plan, shape: Shape) -> int:
    place.fill(SCAN.name, shape)
    rates = []
    for _ in range(plan.pairs):
        with place.database(shape.facilities) as settings:
            rates.append(fold_with_workers(place, settings, shape.scans)[0].rate())
    label = f"{shape.facilities:,} facilities, {shape.people():,} persons, durable"
    return _said(place, label, {0: round(median(rates))})[0]


def _history(place: Place, plan: Plan) -> list[int]:
    """Return the rate of each fifth of one run in which everybody comes again and again."""
    shape = Shape(plan.scans, persons=max(10, plan.scans // DEEP))
    place.fill(SCAN.name, shape)
    with place.database(shape.facilities) as settings:
        _, timeline = fold_with_workers(place, settings, shape.scans)
    rates = [
        round(rate_between(timeline, part / PARTS * shape.scans, (part + 1) / PARTS * shape.scans))
        for part in range(PARTS)
    ]
    place.say(f"history, {DEEP} scans a person, by fifths: {rates}")
    return rates


def _workers(place: Place, plan: Plan) -> dict[int, int]:
    shape = Shape(plan.scans * 2)
    place.fill(SCAN.name, shape)
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(plan.pairs):
        for number, rates in found.items():
            with place.database(shape.facilities) as settings:
                _, timeline = fold_with_workers(place, settings, shape.scans, number)
            rates.append(rate_between(timeline, STEADY[0] * shape.scans, STEADY[1] * shape.scans))
    return _said(place, "workers", {number: round(median(rates)) for number, rates in found.items()})


def rate_between(timeline: Timeline, first: float, last: float) -> float:
    """Return records per second between the moments at which so many were folded; between two commits, evenly."""
    return (last - first) / max(1e-6, _moment(timeline, last) - _moment(timeline, first))


def _moment(timeline: Timeline, records: float) -> float:
    before = (0.0, 0)
    for point in timeline:
        if point[1] >= records:
            grown = point[1] - before[1]
            return before[0] + (point[0] - before[0]) * ((records - before[1]) / grown if grown else 1.0)
        before = point
    raise AssertionError("so many were not folded")


def _said(place: Place, what: str, rates: dict[int, int]) -> dict[int, int]:
    place.say(f"{what}: {rates}")
    return rates
