"""Pictures of the report as inline SVG: chains on an axis of onset, and the distribution of offspring."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

import numpy as np

from tracing.chains.generations import NO_GENERATION, NO_PARENT, Generations
from tracing.chains.tables import NO_DAY, Ints, Tables, day_text

NODES_MAX: Final = 150  # of one cluster; a picture of more is a black square
WIDTH: Final = 1000
ROW: Final = 17
AXIS: Final = 26
PANEL_ROWS: Final = 66  # what fits on a printed page
_LEFT: Final = 190  # right of those without an onset
_UNKNOWN_X: Final = 125  # with their names left of them, where no line goes
_RIGHT: Final = 120  # room for the last labels
_LABEL_MAX: Final = 18
_STEPS: Final = (1, 2, 7, 14, 28, 56, 91, 182, 365)
_TICKS_MAX: Final = 10
_BAR_HEIGHT: Final = 170
_BAR_TOP: Final = 24
_COLOURS: Final = ("#7a1f3d", "#c0392b", "#d9822b", "#b59a1a", "#4f8a5b", "#2f7d8c", "#38598b", "#5b4b8a")


class Span(NamedTuple):
    """The days that all pictures share."""

    first: int
    last: int

    def x(self, day: int) -> float:
        """Return where a day is; what has no day stands at the left."""
        if day == NO_DAY:
            return _UNKNOWN_X
        return _LEFT + (day - self.first) / max(self.last - self.first, 1) * (WIDTH - _LEFT - _RIGHT)


def span_of(tables: Tables) -> Span:
    """Return the first and the last onset of those in the contacts."""
    days = tables.onset_day[tables.in_contacts & (tables.onset_day != NO_DAY)]
    return Span(int(days.min()), int(days.max())) if len(days) else Span(0, 0)


def drawn_of(tables: Tables, members: Ints, generations: Generations) -> Ints:
    """Return the ids of a cluster that are drawn: the first generations, in each the first to fall ill.

    A parent is of the generation before, so whoever is drawn has his parent drawn.
    """
    generation = generations.generation[members]
    day = tables.onset_day[members]
    late = np.where(day == NO_DAY, np.iinfo(np.int64).max, day)
    deep = np.where(generation == NO_GENERATION, np.iinfo(np.int64).max, generation)
    return members[np.lexsort((members, late, deep))][:NODES_MAX]


def chain(tables: Tables, members: Ints, generations: Generations, span: Span, name: str) -> str:
    """Return the picture of a cluster: a row for each id, children below their parent, in pieces that fit on paper."""
    drawn = [int(member) for member in drawn_of(tables, members, generations)]
    rows = {member: row for row, member in enumerate(_in_order(drawn, generations.parent))}
    content = _grid(span, len(rows)) + _links(tables, rows, generations.parent, span)
    offspring = tables.out_degree
    for member, row in rows.items():
        content += _node(tables, member, row, int(offspring[member]), int(generations.generation[member]), span)
    panels = []
    size = math.ceil(len(rows) / math.ceil(len(rows) / PANEL_ROWS))  # as even as it goes
    for first in range(0, len(rows), size):
        height = min(size, len(rows) - first) * ROW + 4
        whole = f'<g id="{name}">{content}</g>' if first == 0 else f'<use href="#{name}"/>'
        view = f"0 {first * ROW} {WIDTH} {height}"
        panels.append(
            f'<div class="panel"><svg viewBox="0 0 {WIDTH} {AXIS}" role="presentation">{_axis(span)}</svg>'
            f'<svg viewBox="{view}" role="img" aria-label="chain of infection">{whole}</svg></div>'
        )
    return "".join(panels)


def histogram(observed: Sequence[int], expected: Sequence[float], last: str) -> str:
    """Return bars of how many ids have 0, 1, … offspring, and dots where the fitted distribution expects them.

    Heights are square roots, so that few superspreaders are seen beside many with none; each bar has its number.
    """
    top = math.sqrt(max([*observed, *expected, 1]))
    step = (WIDTH - 40) / len(observed)
    floor = _BAR_TOP + _BAR_HEIGHT
    parts = [f'<svg viewBox="0 0 {WIDTH} {floor + 24}" role="img" aria-label="distribution of offspring">']
    for number, (ids, fitted) in enumerate(zip(observed, expected, strict=True)):
        left, height = 20 + number * step, _BAR_HEIGHT * math.sqrt(ids) / top
        middle, dot = left + step / 2, floor - _BAR_HEIGHT * math.sqrt(fitted) / top
        label = last if number == len(observed) - 1 else str(number)
        parts.append(
            f'<rect class="bar" x="{left + 2:.1f}" y="{floor - height:.1f}" width="{step - 4:.1f}" '
            f'height="{height:.1f}"/>'
            f'<text x="{middle:.1f}" y="{min(floor - height, dot) - 6:.1f}" text-anchor="middle">{ids or ""}</text>'
            f'<circle class="fit" cx="{middle:.1f}" cy="{dot:.1f}" r="3.5"/>'
            f'<text x="{middle:.1f}" y="{floor + 16}" text-anchor="middle">{label}</text>'
        )
    return "".join(parts) + f'<line x1="20" x2="{WIDTH - 20}" y1="{floor}" y2="{floor}"/></svg>'


def _in_order(drawn: list[int], parent: Ints) -> list[int]:
    """Return the ids so that each is followed by those he infected; `drawn` says in which order siblings come."""
    children: dict[int, list[int]] = {}
    for member in drawn:
        children.setdefault(int(parent[member]), []).append(member)
    order: list[int] = []
    waiting = children.get(NO_PARENT, [])[::-1]
    while waiting:
        member = waiting.pop()
        order.append(member)
        waiting += children.get(member, [])[::-1]
    return order


def _y(row: int) -> float:
    return row * ROW + ROW / 2 + 2


def _ticks(span: Span) -> range:
    length = span.last - span.first
    step = next((step for step in _STEPS if length / step < _TICKS_MAX), length // _TICKS_MAX + 1)
    return range(span.first, span.last + 1, step)


def _axis(span: Span) -> str:
    texts = [f'<text x="{_UNKNOWN_X}" y="17" text-anchor="middle">awitan ?</text>']
    texts += [
        f'<text x="{span.x(day):.1f}" y="17" text-anchor="middle">{day_text(np.int64(day))}</text>'
        for day in _ticks(span)
    ]
    return "".join(texts)


def _grid(span: Span, rows: int) -> str:
    bottom = rows * ROW + 4
    return "".join(
        f'<line class="grid" x1="{span.x(day):.1f}" x2="{span.x(day):.1f}" y1="0" y2="{bottom}"/>'
        for day in _ticks(span)
    )


def _links(tables: Tables, rows: dict[int, int], parent: Ints, span: Span) -> str:
    """Return the links between the drawn, each pair once: along the tree as corners, others as thin curves."""
    here = np.zeros(len(tables.ids), np.bool_)
    here[list(rows)] = True
    inside = here[tables.source] & here[tables.target] & (tables.source != tables.target)
    parts = []
    for source, target in sorted(set(zip(tables.source[inside].tolist(), tables.target[inside].tolist(), strict=True))):
        days = int(tables.onset_day[source]), int(tables.onset_day[target])
        x1, x2 = span.x(days[0]), span.x(days[1])
        y1, y2 = _y(rows[source]), _y(rows[target])
        wrong = " wrong" if NO_DAY not in days and days[1] < days[0] else ""
        if parent[target] == source:
            parts.append(f'<path class="link{wrong}" d="M{x1:.1f} {y1:.1f}V{y2:.1f}H{x2:.1f}"/>')
        else:
            bend = min(x1, x2) - 18
            path = f"M{x1:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
            parts.append(f'<path class="link other{wrong}" d="{path}"/>')
    return "".join(parts)


def _node(tables: Tables, member: int, row: int, offspring: int, generation: int, span: Span) -> str:
    day = int(tables.onset_day[member])
    name = tables.ids[member]
    short = name if len(name) <= _LABEL_MAX else name[: _LABEL_MAX - 1] + "…"
    colour = "#6b7280" if generation == NO_GENERATION else _COLOURS[min(generation, len(_COLOURS) - 1)]
    radius = 3.5 + min(math.sqrt(offspring), 4.5)
    fill = colour if day != NO_DAY else "#fff"
    told = f"{name}: {day_text(np.int64(day)) or '?'}, {offspring} →"
    x, y = span.x(day), _y(row)
    label = f'x="{x + radius + 4:.1f}"' if day != NO_DAY else f'x="{x - radius - 4:.1f}" text-anchor="end"'
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" stroke="{colour}" stroke-width="1.5">'
        f"<title>{escape(told)}</title></circle>"
        f'<text {label} y="{y + 4:.1f}">{escape(short)}</text>'
    )
