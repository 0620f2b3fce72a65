"""The report as one HTML page that needs nothing else: a timeline with all faults, recovery times, the verdict."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

WIDTH: Final = 1100
LEFT: Final = 70
PANEL: Final = 130
GAP: Final = 34
LANE: Final = 16
COLOURS: Final = {
    "kill": "#c0182b",
    "stop": "#c77700",
    "net": "#6a3fb5",
    "disk": "#8a5a2b",
    "rebalance": "#1769aa",
    "poison": "#2f7d32",
}
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; }
body { color: #1c2126; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.verdict { font-size: 1.15rem; font-weight: 600; padding: .6rem .9rem; border-left: 6px solid; background: #f4f6f8; }
p.good { border-color: #2f7d32; } p.bad { border-color: #c0182b; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; }
td.n, th.n { text-align: right; } tr + tr td { border-top: 1px solid #e3e7ea; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #49525a; }
.columns { display: flex; gap: 4rem; flex-wrap: wrap; }
pre { white-space: pre-wrap; font-size: 13px; background: #f4f6f8; padding: .8rem; }
"""


def page_of(report: dict[str, Any]) -> str:
    """Return the page."""
    verdict = report["verdict"]
    wrong = verdict["lost"] + verdict["double"] + verdict["wrong"]
    kills = sum(report["kills"].values())
    recovery = report["recovery_s"]
    summary = (
        f"{report['witness']['scans_accepted']:,} scans accepted, {kills} kills: {verdict['lost']} lost,"
        f" {verdict['double']} double, {verdict['wrong']} wrong rows; recovery p95 {recovery['p95']} s"
    )
    seconds = report["seconds"]
    told = (
        f"Seed {report['seed']}; faults: {', '.join(report['faults'])}. Load {seconds['load']} s, folded"
        f" {seconds['folded_after']} s after it, positives {seconds['positives']} s, late scans {seconds['late']} s;"
        f" {report['machine']['cores']} cores, {report['machine']['system']}."
    )
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>Chaos run, seed {report['seed']}</title><style>{STYLE}</style></head><body>",
        f"<h1>Chaos run, seed {report['seed']}</h1><p>{escape(told)}</p>",
        f"<p class='verdict {'bad' if wrong else 'good'}'>{escape(summary)}</p>",
        "<h2>Timeline</h2>",
        _timeline(report),
        "<h2>Recovery after each kill</h2>",
        _recoveries(report["recoveries"]),
        "<div class='columns'>",
        _table("Recovery, seconds", ("killed", "times", "p95"), _by_target(report)),
        _table("The witness was told", ("", "number"), _witness(report["witness"])),
        _table("Compared", ("", "rows"), sorted(verdict["looked_at"].items())),
        "</div><h2>Differences</h2>",
        f"<pre>{escape(chr(10).join(verdict['differences'])) or 'none'}</pre>",
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _timeline(report: dict[str, Any]) -> str:
    rows = report["timeline"]
    length = max(row["at"] for row in rows) + 1 if rows else 1.0
    lanes = [kind for kind in COLOURS if any(one["kind"] == kind for one in report["faults_done"])]
    faults_top = 2 * (PANEL + GAP) + 10
    height = faults_top + LANE * len(lanes) + 30
    parts = [f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='throughput, lag and faults over time'>"]
    rate = max((max(row["accepted_per_s"], row["folded_per_s"]) for row in rows), default=1.0)
    for name, colour in (("accepted_per_s", "#1769aa"), ("folded_per_s", "#c77700")):
        parts.append(_line(rows, name, rate, 20, length, colour))
    parts += _axis(20, rate, "records a second: accepted (blue), folded (orange)")
    lag = max((row["lag"] for row in rows), default=1)
    parts.append(_line(rows, "lag", lag, 20 + PANEL + GAP, length, "#c0182b"))
    parts += _axis(20 + PANEL + GAP, lag, "accepted and not yet folded")
    for number, kind in enumerate(lanes):
        top = faults_top + LANE * number
        parts.append(f"<text x='{LEFT - 6}' y='{top + 11}' text-anchor='end'>{kind}</text>")
        for one in report["faults_done"]:
            if one["kind"] == kind:
                x = _x(one["at"], length)
                width = max(2.0, _x(one["until"], length) - x)
                title = escape(f"{one['at']:.1f} s {kind} {one['target']} {one['how']}")
                parts.append(
                    f"<rect x='{x:.1f}' y='{top}' width='{width:.1f}' height='{LANE - 4}' fill='{COLOURS[kind]}'>"
                    f"<title>{title}</title></rect>"
                )
    parts += _seconds(length, height - 8)
    return "".join([*parts, "</svg>"])


def _line(rows: Sequence[dict[str, float]], name: str, most: float, top: int, length: float, colour: str) -> str:
    points = " ".join(
        f"{_x(row['at'], length):.1f},{top + PANEL - PANEL * row[name] / max(most, 1):.1f}" for row in rows
    )
    return f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.5'/>"


def _axis(top: int, most: float, title: str) -> list[str]:
    return [
        f"<text x='{LEFT}' y='{top - 6}'>{escape(title)}</text>",
        f"<line x1='{LEFT}' y1='{top + PANEL}' x2='{WIDTH}' y2='{top + PANEL}' stroke='#c9d0d6'/>",
        f"<text x='{LEFT - 6}' y='{top + 10}' text-anchor='end'>{most:,.0f}</text>",
        f"<text x='{LEFT - 6}' y='{top + PANEL}' text-anchor='end'>0</text>",
    ]


def _seconds(length: float, y: float) -> Iterable[str]:
    step = next((step for step in (10, 30, 60, 120, 300, 600) if length / step <= 14), 1800)  # noqa: PLR2004 — room for labels
    for at in range(0, int(length) + 1, step):
        label = f"{at} s" if step < 60 else f"{at // 60} min"  # noqa: PLR2004 — a minute
        yield f"<text x='{_x(at, length):.1f}' y='{y}' text-anchor='middle'>{label}</text>"


def _recoveries(some: Sequence[dict[str, Any]]) -> str:
    if not some:
        return "<p>No kills.</p>"
    targets = sorted({one["target"] for one in some})
    most = max([15.0, *(one["seconds"] for one in some)])
    length = WIDTH - LEFT - 40
    height = 22 * len(targets) + 26
    parts = [f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='recovery times by what was killed'>"]
    limit = LEFT + 20 + length * 15.0 / most
    parts.append(
        f"<line x1='{limit:.1f}' y1='0' x2='{limit:.1f}' y2='{height - 20}' stroke='#2f7d32' stroke-dasharray='4'/>"
    )
    for at in range(0, int(most) + 1, 5 if most <= 60 else 30):  # noqa: PLR2004 — room for labels
        x = LEFT + 20 + length * at / most
        parts.append(f"<text x='{x:.1f}' y='{height - 4}' text-anchor='middle'>{at} s</text>")
    for number, target in enumerate(targets):
        y = 14 + 22 * number
        parts.append(f"<text x='{LEFT + 10}' y='{y + 4}' text-anchor='end'>{escape(target)}</text>")
        for one in some:
            if one["target"] == target:
                x = LEFT + 20 + length * one["seconds"] / most
                title = f"{one['seconds']:.2f} s, killed at {one['at']:.1f} s"
                parts.append(
                    f"<circle cx='{x:.1f}' cy='{y}' r='4' fill='#1769aa' fill-opacity='.45'>"
                    f"<title>{title}</title></circle>"
                )
    return "".join([*parts, "</svg>"])


def _by_target(report: dict[str, Any]) -> list[tuple[str, object]]:
    p95 = report["recovery_s"]["p95_by_target"]
    rows: list[tuple[str, object]] = []
    for target, number in report["kills"].items():
        rows.append((f"{target}", f"{number}</td><td class='n'>{p95[target]}"))
    overall = report["recovery_s"]
    rows.append(("all", f"{sum(report['kills'].values())}</td><td class='n'>{overall['p95']} (most {overall['max']})"))
    return rows


def _witness(told: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [(f"requests, {how}", number) for how, number in sorted(told["requests"].items())]
    return rows + [(name.replace("_", " "), number) for name, number in told.items() if name != "requests"]


def _table(title: str, head: Sequence[str], rows: Iterable[tuple[str, object]]) -> str:
    """Return a table; a value is a number or cells made here, a name is text."""
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td class='n'>{value if isinstance(value, str) else format(value, ',')}</td></tr>"
        for name, value in rows
    )
    heads = "".join(f"<th{' class=n' if number else ''}>{escape(text)}</th>" for number, text in enumerate(head))
    return f"<section><h2>{escape(title)}</h2><table><tr>{heads}</tr>{cells}</table></section>"


def _x(at: float, length: float) -> float:
    return LEFT + (WIDTH - LEFT) * min(max(at / length, 0.0), 1.0)
