"""All pairs of a week: the visits of it, as Parquet and as arrays."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from bench.trace.town import FIRST_US, WEEKS
from tracing.bulk.weeks import WEEK_US, week_of
from tracing.exposure import Ints, Visits
from tracing.overlaps import Spans

WEEK: Final = int(week_of(np.array([FIRST_US + WEEKS // 2 * WEEK_US]))[0])  # one in the middle


def write_week(folder: Path, visits: Visits) -> int:
    """Write the visits whose check-in is in the week, so that every pair begins in it; return how many."""
    rows = np.flatnonzero((week_of(visits.check_in) == WEEK) & (visits.check_in < visits.check_out))
    names = ("person", "facility", "check_in", "check_out", "recorded")
    columns = dict(zip(names, (column[rows] for column in visits), strict=True))
    table = pa.table({"visit": np.arange(rows.size, dtype=np.int64), **columns})
    parquet.write_table(table, folder / "week.parquet")
    return int(rows.size)


def read_week(folder: Path) -> tuple[Spans, Ints]:
    """Return the spans of the week and whose they are; a visit's id is its place."""
    table = parquet.read_table(folder / "week.parquet")
    columns = [table.column(name).to_numpy() for name in ("facility", "check_in", "check_out", "person")]
    return Spans(*columns[:3]), columns[3]
