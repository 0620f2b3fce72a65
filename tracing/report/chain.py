"""Who may have infected whom, on an axis of days: sources left of the case, candidates right. Pure.

Candidates who met in the same place for the first time on the same day are one node: a fan of sixty says nothing more.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from tracing.look import MAIN
from tracing.report.facts import Case, Group
from tracing.report.svg import circle, line, picture, text
from tracing.report.words import Language, signed

WIDTH: Final = 1000
ROW: Final = 26
AXIS: Final = 40
ROWS_MAX: Final = 32  # what fits on a printed page
SOURCES_MAX: Final = 6
_LEFT: Final = 30
_RIGHT: Final = 330  # room for the labels of the last day
_DEGREES: Final = (MAIN, "#c04f00", "#0067a5")
_TICKS_MAX: Final = 16


class _Node(NamedTuple):
    day: date
    label: str
    radius: float
    colour: str
    filled: bool
    parent: int  # which node infects it, -1 for none


class Chain:
    """The picture of one case."""

    def __init__(self, case: Case, language: Language) -> None:
        self._case, self._say = case, language
        self._facilities = {facility.facility_id: facility for facility in case.facilities}
        self._nodes = list(self._all_nodes())
        self.left_out = max(len(self._nodes) - ROWS_MAX, 0)
        self._nodes = self._nodes[:ROWS_MAX]
        days = [node.day for node in self._nodes]
        self._first, self._last = min(days), max(days)

    def drawing(self) -> str:
        """Return the picture."""
        say, case = self._say, self._case
        height = AXIS + ROW * len(self._nodes) + 8
        content = self._grid(height) + "".join(map(self._link, range(len(self._nodes))))
        content += "".join(map(self._node, range(len(self._nodes))))
        described = say.say("chain_desc", one=case.candidates[0], two=case.candidates[1])
        return picture(WIDTH, height, say.say("chain_title", case=case.case_id), described, content)

    def _all_nodes(self) -> Iterator[_Node]:
        case, say = self._case, self._say
        sources = [source for source in case.sources if source.plausible and source.case_id][:SOURCES_MAX]
        for source in sources:
            label = say.say("chain_source", person=_short(source.person_id), case=source.case_id)
            yield _Node(source.onset or case.day_zero, label, 7, _DEGREES[0], True, -1)
        own = len(sources)
        label = say.say("chain_case", person=_short(case.person_id), day=say[f"day_{case.day_word}"])
        yield _Node(case.day_zero, label, 9, _DEGREES[0], True, 0 if sources else -1)
        place: dict[int, int] = {-1: own}
        for number, group in _in_order(case.groups):
            place[number] = own + len(place)
            yield self._of_group(group, place[group.parent])

    def _of_group(self, group: Group, parent: int) -> _Node:
        say = self._say
        facility = self._facilities.get(group.facility_id)
        where = f"{facility.letter} · {_short(facility.title)}" if facility else _short(group.facility_id)
        colour = _DEGREES[min(group.degree, 2)]
        if group.case_id:
            known = say.day(group.onset) if group.onset else "?"
            label = say.say("chain_own_case", case=group.case_id, day=known, where=where)
            return _Node(group.onset or group.day, label, 7, colour, True, parent)
        phrase = "chain_group_1" if group.degree == 1 else "chain_group_2"
        return _Node(
            group.day,
            say.say(phrase, n=group.people, where=where),
            3.5 + min(group.people**0.5, 7),
            colour,
            False,
            parent,
        )

    def _x(self, day: date) -> float:
        return _LEFT + (day - self._first).days / max((self._last - self._first).days, 1) * (WIDTH - _LEFT - _RIGHT)

    def _grid(self, height: float) -> str:
        say, case = self._say, self._case
        length = (self._last - self._first).days
        step = next(step for step in (1, 2, 7, 14, 28, 91, 365, 36_500) if length / step < _TICKS_MAX)
        parts = [line(0, AXIS - 4, WIDTH, AXIS - 4, "rule")]
        for number in range(0, length + 1, step):
            day = self._first + timedelta(days=number)
            since, x = (day - case.day_zero).days, self._x(day)
            parts.append(line(x, AXIS - 4, x, height, "zero" if since == 0 else "grid"))
            parts.append(text(x, 14, signed(since), anchor="middle", kind="tick zero" if since == 0 else "tick"))
            parts.append(text(x, 28, say.short_day(day), anchor="middle", kind="soft"))
        parts.append(text(WIDTH, 14, say[f"axis_{case.day_word}"], anchor="end", kind="soft"))
        return "".join(parts)

    def _link(self, place: int) -> str:
        node = self._nodes[place]
        if node.parent < 0 or node.parent == place:
            return ""
        parent = self._nodes[node.parent]
        x1, x2, y1, y2 = self._x(parent.day), self._x(node.day), self._y(node.parent), self._y(place)
        return f'<path class="link" d="M{x1:.1f} {y1:.1f}V{y2:.1f}H{x2:.1f}"/>'

    def _node(self, place: int) -> str:
        node = self._nodes[place]
        x, y = self._x(node.day), self._y(place)
        dot = circle(x, y, node.radius, fill=node.colour if node.filled else "#fff", stroke=node.colour)
        right = max(x, self._x(self._nodes[node.parent].day) if node.parent >= 0 else x)  # no line runs through a label
        return dot + text(right + node.radius + 6, y + 4, node.label, most=70)

    @staticmethod
    def _y(place: int) -> float:
        return AXIS + ROW * place + ROW / 2


def _in_order(groups: Sequence[Group]) -> Iterator[tuple[int, Group]]:
    """Yield the groups so that each comes after the one that infected it, with its number."""
    children: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        children.setdefault(group.parent, []).append(number)

    def key(number: int) -> tuple[date, int, str]:
        return groups[number].day, -groups[number].people, groups[number].facility_id

    waiting = sorted(children.get(-1, []), key=key, reverse=True)
    while waiting:
        number = waiting.pop()
        yield number, groups[number]
        waiting += sorted(children.get(number, []), key=key, reverse=True)


def _short(said: str, most: int = 30) -> str:
    """Return a name cut, and marked so that one written from right to left turns nothing around it."""
    short = said if len(said) <= most else said[: most - 1] + "…"
    return f"\N{FIRST STRONG ISOLATE}{short}\N{POP DIRECTIONAL ISOLATE}"
