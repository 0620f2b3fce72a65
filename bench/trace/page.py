"""The section of docs/performance.md on traces, from bench/results/trace-*.json."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.chart import lines
from bench.figures import Report

Table = Callable[[tuple[str, ...], Sequence[tuple[str, ...]]], str]
TITLES: Final = {
    "trace-online": "Traces, one after the other",
    "trace-many": "Many cases at once",
    "trace-pairs": "All pairs of a week",
    "trace-growth": "Traces as the visits grow",
}
_PARTS: Final = ("load", "prepare", "ask")


def online(report: Report, _: dict[str, str], table: Table) -> list[str]:
    """Return the paragraphs on single traces."""
    data = report.data
    text = (
        f"{data['visits']:,} visits of {data['facilities']:,} facilities; {data['traces']:,} cases in turn,"
        f" {data['pairs']} rounds, warm, {data['exposures_a_case']:,} exposures a case. All read the case's own visits"
        " from PostgreSQL by the same query, fetch the same columns (binary COPY; DuckDB arrays) and decide by the same"
        " function; the exposures of every case are compared by hash.\n"
    )
    rows = [
        (it["title"], *(f"{it[f'p{part}_ms']:,} ms" for part in (50, 95, 99)), f"{it['times_ours']:g}×", it["settings"])
        for it in data["contenders"].values()
    ]
    return [text, table(("look-up", "p50", "p95", "p99", "÷ ours, p50", "how"), rows), *_not_run(report)]


def many(report: Report, _: dict[str, str], table: Table) -> list[str]:
    """Return the paragraphs on many cases at once."""
    data = report.data
    text = (
        f"{data['cases']:,} cases over {data['visits']:,} visits of {data['facilities']:,} facilities: {data['rows']:,}"
        f" exposures, medians of {data['pairs']} runs, each a process of its own; every exposure is in the hash. Load"
        " reads Parquet into the contender's own form, prepare sorts or cuts it (Spark: starts), ask answers.\n"
    )
    return [text, table(*_parts(data)), *_not_run(report)]


def pairs(report: Report, _: dict[str, str], table: Table) -> list[str]:
    """Return the paragraphs on all pairs of a week."""
    data = report.data
    text = (
        f"{data['visits']:,} visits of one week in {data['facilities']:,} facilities: {data['rows']:,} pairs together"
        f" for 15 minutes or more, medians of {data['pairs']} runs; equal sums over all pairs.\n"
    )
    return [text, table(*_parts(data)), *_not_run(report)]


def growth(report: Report, plots: dict[str, str], table: Table) -> list[str]:
    """Return the paragraphs on growth."""
    data = report.data
    rows = [
        (name, f"{int(visits):,}", *(f"{it[f'p{part}_ms']:,} ms" for part in (50, 95, 99)))
        for name, points in data["points"].items()
        for visits, it in points.items()
    ]
    told = ", ".join(f"{name} {exponent:g}" for name, exponent in data["exponents_p99"].items())
    plots["trace-growth.svg"] = lines(
        "A trace as the visits grow: p99",
        {
            name: [(int(visits) / 1e6, it["p99_ms"]) for visits, it in points.items()]
            for name, points in data["points"].items()
        },
        "million visits",
        "ms",
    )
    text = (
        f"`lookup.find`, {data['traces']:,} cases, warm. Capped: a facility has as many visits whatever their number;"
        f" uncapped: the same 300 facilities take them all, so each case meets more. Growth exponent of p99: {told}.\n"
    )
    head = ("facilities", "visits", "p50", "p95", "p99")
    return [text, table(head, rows), "![Growth](performance/trace-growth.svg)\n"]


def _parts(data: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows = [
        (
            it["title"],
            *(f"{it['seconds'][part]:,.3f} s" if part in it["seconds"] else "–" for part in _PARTS),
            f"{it['cpu_s']:,.1f} s",
            f"{it['peak_mib']:,} MiB",
            it["settings"],
        )
        for it in sorted(data["contenders"].values(), key=lambda it: it["seconds"]["ask"])
    ]
    return ("", *_PARTS, "CPU, all", "peak memory", "how"), rows


def _not_run(report: Report) -> list[str]:
    told = "".join(f"- `{name}`: {reason}\n" for name, reason in report.not_run.items())
    return [f"Not run:\n\n{told}"] if told else []


SECTIONS: Final = {"trace-online": online, "trace-many": many, "trace-pairs": pairs, "trace-growth": growth}
