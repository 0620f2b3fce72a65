"""`jejak bench report`: docs/performance.md and its plots, written from bench/results and from nothing else."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.chart import bars, lines
from bench.figures import Report, read_report
from bench.goals import HEAD, STREAMS, Found, found
from bench.reached import TEXT
from bench.steady import measure
from bench.streams import goals, report_name
from bench.tools import ROOT
from bench.trace import page as trace_page

PAGE: Final = ROOT / "docs" / "performance.md"
PLOTS: Final = ROOT / "docs" / "performance"
BUSY: Final = 0.1  # share of the cores used by others from which figures are called noisy
SHORT_SCANS: Final = 200_000
SHORT: Final = "**So short a slice measures the starts (compilers, first fetches) more than the work.**"
LEAD: Final = """\
# Performance

<!-- Written by `jejak bench report` from bench/results; run the measurements, then that, to renew it. -->

Ours against what an engineer would pick instead, on the same scans, each contender a process of its own, run in turn
in one go, every second time in the other order. A figure counts only when the result has the hash that the others
have: in memory, who is inside each facility and each facility's hours (ins, outs, exact distinct visitors); durable,
every visit and every count, equal to what the pure core computes from the same scans. Machines differ and are shared:
trust the ratios inside a table, not the figures of two tables. `jejak bench streams`, `jejak bench latency`,
`jejak bench growth`, `jejak bench gate`, `jejak bench peak-day`, `jejak bench steady`, `jejak bench notice`
and `jejak bench trace` measure;
the Java peers are built with Maven from `bench/peers`, the others stand in `bench/contenders`
and `bench/trace/contenders`.
"""


def write_page() -> list[Path]:
    """Write the page and the plots; return what was written."""
    text, plots = page()
    PLOTS.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    for name, svg in plots.items():
        (PLOTS / name).write_text(svg, encoding="utf-8")
    return [PAGE, *(PLOTS / name for name in plots)]


def page() -> tuple[str, dict[str, str]]:
    """Return the page and its plots by their file names."""
    plots: dict[str, str] = {}
    parts = [LEAD, *_streams(plots)]
    for command, section in SECTIONS.items():
        report = read_report(command)
        if report is None:
            parts.append(f"## {TITLES[command]}\n\nNot measured yet: `jejak bench {command}`.\n")
            continue
        parts.append(f"## {TITLES[command]}\n\n{_taken(report)}\n")
        parts += [*_goals(command, report), *section(report, plots)]
    parts += _traces(plots)
    return "\n".join(parts).rstrip() + "\n", plots


def _traces(plots: dict[str, str]) -> list[str]:
    parts = []
    for name, section in trace_page.SECTIONS.items():
        report = read_report(name)
        if report is None or not report.data:
            only = name.removeprefix("trace-")
            parts.append(f"## {trace_page.TITLES[name]}\n\nNot measured yet: `jejak bench trace --only {only}`.\n")
            continue
        parts.append(f"## {trace_page.TITLES[name]}\n\n{_taken(report)}\n")
        parts += [*_goals(name, report), *section(report, plots, _table)]
    return parts


def _goals(command: str, report: Report) -> list[str]:
    rows = [one.row() for one in found(command, report.data)]
    return [_table(HEAD, rows)] if rows else []


def _taken(report: Report) -> str:
    at = report.machine
    noise = (
        f" **{at.busy_others:.0%} of the cores were used by other processes just before: read these as noisy.**"
        if at.busy_others >= BUSY
        else ""
    )
    notes = "".join(f" {note}." for note in report.notes)
    return (
        f"{report.at[:10]}, {at.cores} cores ({at.processor}), {at.memory_gib} GiB, Linux {at.kernel},"
        f" Python {at.python}; load average {at.load_before} before and {at.load_after} after.{noise}{notes}"
    )


def _streams(plots: dict[str, str]) -> list[str]:
    rows = [
        (name, STREAMS.get(name, "–"), "not measured", "")
        if ratio is None
        else Found(name, STREAMS.get(name, "–"), ratio).row()
        for name, ratio in goals().items()
    ]
    head = "## Streams\n\nMedians of the ratios, pair by pair; under each table below stands what they were taken on.\n"
    parts = [head, _table(HEAD, rows)]
    settings: list[tuple[str, str]] = []
    for group, (title, text) in GROUPS.items():
        report = read_report(report_name(group))
        if report is None or not report.data:
            parts.append(f"### {title}\n\nNot measured yet: `jejak bench streams --only {group}`.\n")
            continue
        parts += _group(group, report, plots)
        short = f" {SHORT}" if report.data["scans"] < SHORT_SCANS and group in {"memory", "durable"} else ""
        parts[-1:-1] = [f"{text}{short} {_taken(report)}\n"]
        settings += [(it["title"], it["settings"]) for it in report.data["contenders"].values()]
    if settings:
        parts.append("### How each was run\n\nThe garbage collector of every contender in Python is set as ours is.\n")
        parts.append(_table(("contender", "settings"), settings))
    parts.append(TEXT)
    return parts


def _group(group: str, report: Report, plots: dict[str, str]) -> list[str]:
    title, data = GROUPS[group][0], report.data
    rows = sorted(data["contenders"].items(), key=lambda item: -item[1]["rate"])
    bar_rows = [(_plain(it["title"]), float(it["rate"]), name.startswith("ours")) for name, it in rows]
    plots[f"{group}.svg"] = bars(f"{title}: scans per second", bar_rows, "/s")
    told = "".join(f"- `{name}`: {reason}\n" for name, reason in report.not_run.items())
    return [
        f"### {title}\n\n{data['scans']:,} scans of {data['facilities']:,} facilities, {data['pairs']} pairs.\n",
        _contenders(rows, data["limits"]),
        *([f"Not run:\n\n{told}"] if told else []),
        f"![{title}](performance/{group}.svg)\n",
    ]


def _contenders(rows: Sequence[tuple[str, dict[str, Any]]], limits: dict[str, Any]) -> str:
    cells = [
        (
            it["title"],
            f"{it['rate']:,}",
            f"{min(run['rate'] for run in it['runs']):,}–{max(run['rate'] for run in it['runs']):,}",
            f"{it['warm_rate']:,}" if it["warm_rate"] else "–",
            f"{it['cpu_us']:.2f}",
            it["runs"][0]["result"] or "–",
        )
        for _, it in rows
    ]
    for name, runs in limits.items():
        rates = sorted(run["rate"] for run in runs)
        cells.append((LIMITS[name], f"{rates[len(rates) // 2]:,}", f"{rates[0]:,}–{rates[-1]:,}", "–", "–", "–"))
    return _table(("contender", "scans/s, median", "range", "second half", "CPU µs a scan", "result"), cells)


def _latency(report: Report, _: dict[str, str]) -> list[str]:
    data = report.data
    waits = data["ack_to_visible_ms"]
    text = (
        f"{data['rate']:,} scans/s into the topic for {data['scans'] / data['rate']:.0f} s (after a warm-up): from"
        f" Kafka's acknowledgement to the committed row, seen by a poll every 2 ms. The worker used"
        f" {data['worker_core_share']:.0%} of a core; {data['never_seen']} of {data['scans']:,} scans were never"
        " seen.\n"
    )
    return [
        text,
        _table(tuple(waits), [tuple(f"{value:,} ms" for value in waits.values())]),
    ]


def _growth(report: Report, plots: dict[str, str]) -> list[str]:
    data = report.data
    rows = [
        ("facilities, in memory", _series(data["facilities_memory"])),
        ("facilities, durable", _series(data["facilities_durable"])),
        ("scans a person, durable", _series(data["scans_a_person"])),
        ("history: each fifth of a run, 200 scans a person", ", ".join(f"{rate:,}" for rate in data["history"])),
        ("workers", _series(data["workers"])),
    ]
    fifths = [(float(part + 1), float(rate)) for part, rate in enumerate(data["history"])]
    plots["history.svg"] = lines(
        "History: scans/s in each fifth of a run", {"ours durable": fifths}, "fifth", "scans/s"
    )
    return [
        f"{data['scans']:,} scans at each point, medians of {data['pairs']}. Scans per second:\n",
        _table(("what grows", "number: scans/s"), rows),
        "![History](performance/history.svg)\n",
    ]


def _gate(report: Report, plots: dict[str, str]) -> list[str]:
    data = report.data
    text = (
        "One gate process with Kafka and PostgreSQL, no workers; a constant rate from a generator on the same machine"
        " that does not wait for answers (latency counts from when a request was due). Each rate for"
        f" {data['seconds_a_step']} s, until the gate no longer keeps up; everybody known to the vault.\n"
    )
    parts = [text]
    series = {}
    for name, batch in (("single", 1), ("batched", data["batch"])):
        rows = [
            (
                f"{step['scans_s']:,}",
                f"{step['achieved_scans_s']:,}",
                f"{step['latency_ms']['p50']} ms",
                f"{step['latency_ms']['p99']} ms",
                "yes" if step["kept"] else "**no**",
                f"{step['cpu_s'].get('gate', 0):.1f} s",
            )
            for step in data[name]
        ]
        parts.append(f"### {batch} to a request\n")
        parts.append(_table(("scans/s offered", "answered", "p50", "p99", "kept up", "gate CPU"), rows))
        series[f"{batch} to a request"] = [
            (float(step["scans_s"]), step["latency_ms"]["p99"]) for step in data[name] if step["kept"]
        ]
    plots["gate.svg"] = lines("Gate: p99 while it keeps up", series, "scans/s offered", "ms")
    parts.append("![Gate](performance/gate.svg)\n")
    return parts


def _peak_day(report: Report, plots: dict[str, str]) -> list[str]:
    data = report.data
    rows = [
        (name, *(f"{value:,} ms" for value in data[key].values()))
        for name, key in (("due → 200", "due_to_200_ms"), ("200 → visible count", "answered_to_visible_ms"))
    ]
    queues = data["queues"]
    plots["peak-day.svg"] = lines(
        "Peak day: what waits",
        {
            "accepted, not folded": [(queue["at"], float(queue["accepted_not_folded"])) for queue in queues],
            "outbox rows": [(queue["at"], float(queue["outbox"])) for queue in queues],
        },
        "seconds",
        "",
    )
    cores = ", ".join(f"{name} {share:.2f}" for name, share in data["cores"].items())
    text = (
        f"A slice: {data['scans']:,} scans at {data['rate']:,}/s for {data['seconds']} s, {data['batch']} to a request;"
        f" {data['share_of_the_day']:.2%} of the reported 8,000,000, which at that rate take"
        f" {8_000_000 / data['rate'] / 60:.0f} minutes. Answered: {_answers(data)}. Cores used: {cores}.\n"
    )
    flat = [
        (name.replace("_", " "), f"{it['mean']:,}", f"{it['rise']:+,}", "yes" if it["flat"] else "**no**")
        for name, it in data.get("trends", {}).items()
    ]
    memory = [(name, *(f"{mib:,} MiB" for mib in held)) for name, held in data.get("memory_mib", {}).items()]
    return [
        text,
        _table(("", *data["due_to_200_ms"]), rows),
        *([_table(("queue", "mean", "rise over the run, by a line through it", "flat"), flat)] if flat else []),
        *([_table(("resident memory", "at the start", "at the end"), memory)] if memory else []),
        "![Queues](performance/peak-day.svg)\n",
    ]


def _steady(report: Report, plots: dict[str, str]) -> list[str]:
    data = report.data
    rows = [
        (
            f"{name} ({it['of']})",
            f"{it['first']:,}",
            f"{it['last']:,}",
            f"{it['highest']:,}",
            f"{it['mib_an_hour']:+.1f}",
            "yes" if it["flat"] else "**no**",
        )
        for name, it in data["processes"].items()
    ]
    plots["steady.svg"] = lines(
        "Memory of each process",
        {
            name: [(row["at"] / 60, measure(name, row["memory"][name])) for row in data["rows"]]
            for name in data["processes"]
        },
        "minutes",
        "MiB",
    )
    waiting = max(row["outbox"] for row in data["rows"])
    text = (
        f"{data['rate']:,} scans/s through the gate for {data['minutes']} minutes, {data['persons']:,} persons in turn,"
        " and a positive with 59 contacts every ten seconds; measured every ten seconds."
        f" Answered: {_answers(data)}; due → 200 p99 {data['due_to_200_ms']['p99']} ms; in the outbox at most"
        f" {waiting:,} rows waited. {data['criterion'][0].upper()}{data['criterion'][1:]}.\n"
    )
    head = ("process", "first 5 min, MiB", "last 5 min, MiB", "highest", "MiB an hour", "flat")
    return [text, _table(head, rows), "![Memory](performance/steady.svg)\n"]


def _notice(report: Report, _: dict[str, str]) -> list[str]:
    data = report.data
    rounds = {"alone": data["alone"], f"beside {data['rate']:,} scans/s": data["busy"]}
    text = (
        f"{data['positives']} positives in each round, one after the other, each of one among sixty people who were"
        " together for an hour: from the laboratory's request to the first alert in the hands of the health office's"
        " program, everything on this machine. The parts are medians.\n"
    )
    whole = [(name, *(f"{ms:,} ms" for ms in it["positive_to_read_ms"].values())) for name, it in rounds.items()]
    parts = [(name, *(f"{ms:,} ms" for ms in it["parts_ms"].values())) for name, it in rounds.items()]
    return [
        text,
        _table(("positive → read", *data["alone"]["positive_to_read_ms"]), whole),
        _table(("of it", *data["alone"]["parts_ms"]), parts),
    ]


def _answers(data: dict[str, Any]) -> str:
    return ", ".join(f"{number:,} with {status}" for status, number in data["answers"].items())


def _series(found: dict[str, int]) -> str:
    return " · ".join(f"{int(number):,}: {rate:,}" for number, rate in found.items())


def _plain(title: str) -> str:
    return title.replace("**", "").replace("`", "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ("---",) * len(head), *rows))


GROUPS: Final = {
    "memory": ("In memory", "Cold: from the partitions known to the last scan, each process just started."),
    "slow": ("In memory, the slow ones on a slice", "Too slow for the whole; ours on the same slice beside them."),
    "tables": ("Faust Tables", "On a small slice: each change of a table is a record of its own."),
    "durable": (
        "Durable: committed and queryable in PostgreSQL",
        "From Kafka to every scan, visit and count committed. The limits are COPY of the same rows of `scan` alone.",
    ),
    "sinks": (
        "Durable, Kafka Streams' sinks on a slice",
        "Too slow for the whole; ours on the same slice beside them.",
    ),
}
LIMITS: Final = {
    "bare-copy": "bare COPY, no indexes (a limit)",
    "bare-copy-indexed": "bare COPY into `scan` with its indexes (the limit)",
}
TITLES: Final = {
    "latency": "Latency of the fold",
    "growth": "Growth",
    "gate": "The gate",
    "peak-day": "The national peak day",
    "steady": "Memory at a steady rate",
    "notice": "From a positive to the office's notice",
}
SECTIONS: Final = {
    "latency": _latency,
    "growth": _growth,
    "gate": _gate,
    "peak-day": _peak_day,
    "steady": _steady,
    "notice": _notice,
}
