"""The answers as files: a table, the load of each office, a plot of contacts by minutes, and one JSON of all of it."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from tracing.exports import check_folder, safe_cell, whole_folder, write_csv
from tracing.whatif.replay import Answer

COLUMNS: Final = (
    "rule",
    "count",
    "minutes",
    "tail_minutes",
    "contacts",
    "exposures",
    "offices",
    "most_for_one_office",
    "later_positive_found",
    "later_positive_missed",
)
OFFICE_COLUMNS: Final = ("rule", "count", "minutes", "tail_minutes", "office", "contacts")
_WIDTH: Final = 760
_HEIGHT: Final = 360
_LEFT, _TOP, _BOTTOM = 56, 40, 46
_RIGHT: Final = 230  # room for the names of the lines
_ACROSS: Final = _WIDTH - _LEFT - _RIGHT
_UP: Final = _HEIGHT - _TOP - _BOTTOM
_TITLE: Final = "Candidates by the minutes that count"
_COLOURS: Final = ("#7a1f3d", "#38598b", "#b5651d", "#4f8a5b", "#5b4b8a", "#2f7d8c")
_STEPS: Final = (1, 2, 5)


def row_of(answer: Answer) -> tuple[str | int, ...]:
    """Return an answer as a row of `COLUMNS`."""
    return (
        answer.rule,
        answer.count,
        answer.minutes,
        answer.tail_minutes,
        answer.contacts,
        answer.exposures,
        len(answer.offices),
        max(answer.offices.values(), default=0),
        answer.later_positive_found,
        answer.later_positive_missed,
    )


def write_answers(out_dir: Path, answers: Sequence[Answer], header: dict[str, Any]) -> None:
    """Write whatif.csv, offices.csv, whatif.svg and whatif.json, all or none.

    Raises:
        BadInput: they cannot be written there.
    """
    check_folder(out_dir)
    with whole_folder(out_dir) as folder:
        write_csv(folder / "whatif.csv", COLUMNS, [[safe_cell(str(cell)) for cell in row_of(one)] for one in answers])
        offices = [
            [one.rule, one.count, str(one.minutes), str(one.tail_minutes), office, str(contacts)]
            for one in answers
            for office, contacts in one.offices.items()
        ]
        write_csv(folder / "offices.csv", OFFICE_COLUMNS, offices)
        (folder / "whatif.svg").write_text(plot(answers), encoding="utf-8")
        body = msgspec.json.encode(header | {"answers": answers})
        (folder / "whatif.json").write_bytes(msgspec.json.format(body, indent=2) + b"\n")


def plot(answers: Sequence[Answer]) -> str:
    """Return contacts by minutes as SVG: a line for each rule, way of counting and tail."""
    lines: dict[str, list[Answer]] = {}
    for one in sorted(answers, key=lambda one: one.minutes):
        tail = f", tail {one.tail_minutes} min" if one.tail_minutes else ""
        lines.setdefault(f"{one.rule}, {one.count}{tail}", []).append(one)
    axes = _Axes(answers)
    parts = [_text(_LEFT, 22, _TITLE, "font-weight:bold"), *axes.drawn()]
    names = []
    for number, (name, some) in enumerate(lines.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], "4 3" if number >= len(_COLOURS) else "none"
        points = [axes.place(one.minutes, one.contacts) for one in some]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        names.append((points[-1][1], name, colour))
    low = float(_TOP)
    for y, name, colour in sorted(names):  # a name stands at the end of its line, or below the name before
        low = max(low + 15, y + 4)
        parts.append(_text(_LEFT + _ACROSS + 10, low, name, f"fill:{colour}"))
    height = max(_HEIGHT, round(low) + 10)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img"'
        f' style="font:12px system-ui,sans-serif"><title>{_TITLE}</title>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


class _Axes:
    """Minutes across, contacts up; both begin at zero."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        most = max((one.contacts for one in answers), default=0)
        self._ticks = sorted({one.minutes for one in answers})
        self._right = max(self._ticks, default=0) or 1
        self._step = _step(most)
        self._top = max(self._step * -(-most // self._step), self._step)

    def place(self, minutes: float, contacts: float) -> tuple[float, float]:
        return _LEFT + _ACROSS * minutes / self._right, _HEIGHT - _BOTTOM - _UP * contacts / self._top

    def drawn(self) -> Iterator[str]:
        for contacts in range(0, self._top + 1, self._step):
            x, y = self.place(0, contacts)
            yield f'<line x1="{x}" x2="{x + _ACROSS}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ea"/>'
            yield _text(x - 8, y + 4, f"{contacts:,}", "text-anchor:end")
        for minutes in self._ticks:
            x, y = self.place(minutes, 0)
            yield _text(x, y + 18, str(minutes), "text-anchor:middle")
        yield _text(_LEFT + _ACROSS / 2, _HEIGHT - 8, "minutes together", "text-anchor:middle")


def _step(most: int) -> int:
    """Return a round distance of the grid's lines: 1, 2 or 5 times a power of ten, about five lines."""
    size = 1
    while True:
        for step in _STEPS:
            if step * size * 6 >= most:
                return step * size
        size *= 10


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{escape(text)}</text>'
