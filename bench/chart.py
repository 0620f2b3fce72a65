"""Small SVG plots: bars and lines, drawn by hand so that a page needs no library and a file stays a few kilobytes."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

WIDTH: Final = 720
LABELS: Final = 300  # width of the names before the bars
BAR: Final = 22
HEIGHT: Final = 220
COLOURS: Final = ("#2a78b5", "#c8553d", "#5a8f4e", "#8a63a6", "#b58a2a", "#3c9a9a", "#777777")
IN_A_ROW: Final = 4  # names of lines
GREY: Final = "#9aa5b1"
STYLE: Final = "font-family:system-ui,sans-serif;font-size:12px"
TICKS: Final = 4


def bars(title: str, rows: Sequence[tuple[str, float, bool]], unit: str) -> str:
    """Return horizontal bars; a row is (name, value, whether it is ours), the longest sets the scale."""
    longest = max((value for _, value, _ in rows), default=0) or 1
    parts = [_text(0, 16, title, bold=True)]
    for number, (name, value, ours) in enumerate(rows):
        y = 30 + number * (BAR + 6)
        wide = (WIDTH - LABELS - 110) * value / longest
        colour = COLOURS[0] if ours else GREY
        parts.append(_text(LABELS - 8, y + 15, name, end=True, bold=ours))
        parts.append(f'<rect x="{LABELS}" y="{y}" width="{max(1.0, wide):.1f}" height="{BAR}" fill="{colour}"/>')
        parts.append(_text(LABELS + max(1.0, wide) + 6, y + 15, f"{value:,.0f} {unit}"))
    return _svg(30 + len(rows) * (BAR + 6) + 6, parts)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> str:
    """Return lines of (x, y) over one pair of axes that begin at zero."""
    points = [point for some in series.values() for point in some]
    right = max((x for x, _ in points), default=0) or 1
    top = max((y for _, y in points), default=0) or 1
    left, low, wide, high = 60, HEIGHT - 36, WIDTH - 80, HEIGHT - 80
    parts = [_text(0, 16, title, bold=True), _text(left + wide, HEIGHT - 4, across, end=True), _text(4, 36, up)]
    for tick in range(TICKS + 1):
        y = low - high * tick / TICKS
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7eb"/>')
        parts.append(_text(left - 6, y + 4, f"{top * tick / TICKS:,.0f}", end=True))
        parts.append(_text(left + wide * tick / TICKS, low + 16, f"{right * tick / TICKS:,.0f}", end=tick == TICKS))
    for number, (name, some) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{left + wide * x / right:.1f},{low - high * y / top:.1f}" for x, y in some)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        row, column = divmod(number, IN_A_ROW)
        parts.append(_text(left + 10 + 160 * column, 36 + 14 * row, f"● {name}", colour=colour))
    return _svg(HEIGHT, parts)


def _text(x: float, y: float, text: str, *, end: bool = False, bold: bool = False, colour: str = "#222") -> str:
    anchor = ' text-anchor="end"' if end else ""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{anchor}{weight}>{escape(text)}</text>'


def _svg(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" style="{STYLE}">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *parts, "</svg>"]) + "\n"
