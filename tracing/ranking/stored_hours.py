"""What went on around a meeting, from what a server has counted: the same as from all visits, without reading them."""

from typing import Final, NamedTuple

import numpy as np

from tracing.exposure import Ints, Visits
from tracing.ranking.crowds import Cells, Hours

_LATEST: Final = 1 << 61


class HourRows(NamedTuple):
    """What is counted of facilities by clock hour, each hour at most once; one that is not there counts nothing."""

    facility: Ints  # numbered from 0, as those of the visits
    hour: Ints  # since 1970
    came: Ints
    left: Ints
    person_us: Ints


class StoredHours(Hours):
    """Hours of a server, as many as are around the meetings that will be asked about."""

    def __init__(self, visits: Visits, rows: HourRows) -> None:
        """Take the hours; facilities are numbered from 0."""
        self._visits = visits
        self._number = np.arange(int(visits.facility.max(initial=-1)) + 1)
        self._first = int(rows.hour.min(initial=_LATEST))
        self._width = max(int(rows.hour.max(initial=0)) - self._first, 0) + 2
        cell = rows.facility * self._width + (rows.hour - self._first)
        order = np.argsort(cell)
        self._cells = _Kept(cell[order], rows.came[order], rows.left[order], rows.person_us[order])

    def _person_us(self, base: Ints, hour: Ints) -> Ints:
        time: Ints = self._cells.times[self._place(base, hour)]
        return time


class _Kept(Cells):
    """Sums over hours; `times` are of persons."""

    def __init__(self, cell: Ints, came: Ints, left: Ints, person_us: Ints) -> None:
        self.kept = cell
        self.came, self.left, self.times = (np.concatenate([[0], np.cumsum(of)]) for of in (came, left, person_us))
