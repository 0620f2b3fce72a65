"""How likely a file's contacts were truly close: the visits of the file, as the ranking wants to see them. Pure."""

from functools import cached_property

import numpy as np

from tracing.exposure import Ints, Visits
from tracing.filetrace.decision import Found
from tracing.ranking.crowds import Around, Hours, Meetings
from tracing.ranking.shapes import Shapes, Stays, shapes_of


class Surroundings:
    """Who came, was there and left, in the facilities that are asked about."""

    def __init__(self, visits: Visits, zone: Ints, unknown_zone: int) -> None:
        self._stays = Stays(visits, zone, unknown_zone, np.ones(visits.person.size, dtype=np.bool_))
        self._few: Hours | None = None

    def shapes(self, found: Found, begins: Ints, time_zone: str) -> Shapes:
        """Return the shape of each pair; `found` is in the order of pairs, then of time, and `begins` not empty."""
        met = Meetings(found.from_row, found.to_row, found.start, found.end)
        return shapes_of(self._stays, met, self._around(met), begins, time_zone)

    def _around(self, met: Meetings) -> Around:
        """Return what was counted; the facilities first asked about are sorted alone, others bring all with them."""
        visits = self._stays.visits
        if self._few is None:
            self._few = Hours(visits, visits.facility[met.one])
        if self._few.knows(visits.facility[met.one]):
            return self._few.around(met)
        return self._all.around(met)

    @cached_property
    def _all(self) -> Hours:
        return Hours(self._stays.visits)
