"""Facility-weeks, worked on apart: a visit is given to every week it touches, an overlap is kept in one. Pure."""

from typing import Final

import numpy as np

from tracing.exposure import Ints
from tracing.instants import DAY_US
from tracing.overlaps import Index, Spans

WEEK_US: Final = 7 * DAY_US
FIRST_US: Final = 4 * DAY_US  # 1970-01-05 was a Monday


def week_of(at: Ints) -> Ints:
    """Return the number of the week, Monday to Sunday in UTC; 0 began on 1970-01-05."""
    return (at - FIRST_US) // WEEK_US


def touched(spans: Spans) -> tuple[Ints, Ints]:
    """Return (row, week) for every week that a span touches with more than no time."""
    rows = np.flatnonzero(spans.start < spans.end)
    first, last = week_of(spans.start[rows]), week_of(spans.end[rows] - 1)
    counts = last - first + 1
    row = np.repeat(rows, counts)
    step = np.arange(row.size, dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, np.repeat(first, counts) + step


def overlaps_by_week(ones: Spans, one_week: Ints, others: Spans, other_week: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return (one, other, start, end) of the overlaps that begin in the week for which both were given.

    So of two spans that share several weeks, one of these finds their overlap, wherever the weeks are worked on.
    """
    whole = np.concatenate([ones.facility, others.facility]), np.concatenate([one_week, other_week])
    _, facility = np.unique(whole[0], return_inverse=True)
    weeks, week = np.unique(whole[1], return_inverse=True)
    code = facility.astype(np.int64) * weeks.size + week
    size = ones.start.size
    index = Index(Spans(code[size:], others.start, others.end))
    one, other, start, end = index.overlaps(Spans(code[:size], ones.start, ones.end))
    kept = week_of(start) == one_week[one]
    return one[kept], other[kept], start[kept], end[kept]
