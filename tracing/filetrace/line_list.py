"""linelist.csv: every case and every candidate once, as epicontacts wants it; a case's extra columns stay with him."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from tracing.exports import safe_cell
from tracing.filetrace.case_file import FileCase
from tracing.filetrace.columns import CANDIDATE, CASE, LINE_COLUMNS
from tracing.instants import text_of
from tracing.rulesets import Rule
from tracing.windows import Window, contact_window


class Line(NamedTuple):
    """Where a person stands closest to a case: the smallest degree, then the first case id."""

    degree: int
    case: int
    met: tuple[int, int] | None = None  # of a contact of first degree: start of the first exposure, end of the last


class LineList:
    """Collects persons while the cases are decided."""

    def __init__(self, cases: Sequence[FileCase], windows: Sequence[Window], rule: Rule, time_zone: str) -> None:
        self._cases, self._windows, self._rule, self._time_zone = cases, windows, rule, time_zone
        self._lines: dict[str, Line] = {}
        for number, case in enumerate(cases):
            self.add(case.person_id, Line(0, number))

    def add(self, person_id: str, line: Line) -> None:
        """Add what a person is to a case; only the closest is kept."""
        before = self._lines.get(person_id)
        if before is None or line[:2] < before[:2]:
            self._lines[person_id] = line

    def persons(self) -> Iterator[tuple[str, int]]:
        """Yield every person and his degree, by person id."""
        for person_id in sorted(self._lines):
            yield person_id, self._lines[person_id].degree

    def rows(self, extra_columns: int) -> Iterator[list[str]]:
        """Yield the rows by case id, degree and person id."""
        key = sorted((self._cases[line.case].case_id, line.degree, person) for person, line in self._lines.items())
        for case_id, degree, person_id in key:
            line = self._lines[person_id]
            case = self._cases[line.case] if degree == 0 else None
            dates = (case.date_onset, case.date_specimen) if case else (None, None)
            yield [
                safe_cell(person_id),
                safe_cell(case_id),
                CANDIDATE if case is None else CASE,
                *map(_day, dates),
                *self._window(line),
                str(degree),
                _day(case.date_isolation) if case else "",
                *(map(safe_cell, case.extra) if case else [""] * extra_columns),
            ]

    def _window(self, line: Line) -> list[str]:
        """Return from when to when the person can pass it on, nothing where that is not known."""
        window = self._windows[line.case] if line.degree == 0 else None
        if line.met is not None:
            window = contact_window(self._rule, *line.met, self._time_zone)
        return [text_of(at, self._time_zone) for at in window] if window else ["", ""]


def columns(extra_columns: Sequence[str]) -> tuple[str, ...]:
    """Return the header; an extra column with a name that is taken gets `cases_` before it."""
    taken = set(LINE_COLUMNS)
    return (*LINE_COLUMNS, *(safe_cell(f"cases_{name}" if name in taken else name) for name in extra_columns))


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
