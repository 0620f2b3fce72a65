"""The trace of files on Spark: the same reading, the same package; whom the cases met is found by its workers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tracing.bulk import engine
from tracing.exposure import Direction, Visits, case_spans
from tracing.filetrace.decision import PAIRS_AT_ONCE, Asked, Found, Rows, Town, Trace, in_parts, joined
from tracing.rulesets import Rule


class SparkTrace(Trace):
    """Answers as `Trace` does. The driver keeps the file and the answer, as for any trace of files."""

    def __init__(
        self,
        session: Any,  # noqa: ANN401 — Spark's own
        folder: Path,
        town: Town,
        rule: Rule,
        time_zone: str,
        cases: Sequence[Asked],
    ) -> None:
        super().__init__(town, rule, time_zone, cases)
        path = folder / "visits.parquet"
        write_visits(path, town.visits)
        self._visits = session.read.parquet(str(path))

    def forward(self, degrees: int) -> Iterator[tuple[range, Found]]:
        """Yield cases and their exposures, those of second degree too where `degrees` is 2."""
        rows = self._rows_of(self._town.only(self._persons), self._persons, self.windows)
        found = self._find(rows, "forward")
        if degrees > 1:
            case, person, windows = self._contacts(found)
            theirs = self._rows_of(self._town.everybody, person, windows)
            found = joined([found, self._beyond(self._find(theirs, "forward"), case, found)])
        yield from self._in_parts(found)

    def backward(self) -> Iterator[tuple[range, Found]]:
        """Yield cases and the exposures by which they may have caught it; `from` is the possible source."""
        rows = self._rows_of(self._town.only(self._persons), self._persons, self.source_windows)
        found = self._find(rows, "backward")
        yield from self._in_parts(found._replace(from_row=found.to_row, to_row=found.from_row))

    def _find(self, rows: Rows, direction: Direction) -> Found:
        mine = rows.visits(self._town.visits)
        asked = engine.Asked(case_spans(self._rule, mine, rows.cases, direction), rows.group, mine.person)
        met = engine.met(self._visits, asked, self._rule, direction).select("one", "visit", "start", "end").toArrow()
        one, other, start, end = (column.to_numpy() for column in met.columns)
        order = np.lexsort((other, one))
        one = one[order]
        degree = np.ones(one.size, dtype=np.int64)
        return Found(rows.group[one], degree, rows.row[one], other[order], start[order], end[order])

    def _in_parts(self, found: Found) -> Iterator[tuple[range, Found]]:
        for cases in in_parts(np.bincount(found.case, minlength=self._persons.size), PAIRS_AT_ONCE):
            own = slice(*np.searchsorted(found.case, [cases.start, cases.stop]).tolist())
            yield cases, Found(*(column[own] for column in found))


def write_visits(path: Path, visits: Visits) -> None:
    """Write visits for Spark to read; a visit's id is its place in the file."""
    names = ("person", "facility", "check_in", "check_out", "recorded")
    columns = {"visit": np.arange(visits.person.size, dtype=np.int64), **dict(zip(names, visits, strict=True))}
    parquet.write_table(pa.table(columns), path, row_group_size=1_000_000)
