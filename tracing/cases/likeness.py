"""How likely somebody was truly close, online: the shape of the visits behind his exposures. Pure.

The same numbers and the same model as for files: where both know the same, both say the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from tracing.cases.candidates import Exposure, Standing
from tracing.cases.places import Stay, zone_at
from tracing.exposure import Ints, Visits
from tracing.instants import HOUR_US
from tracing.overlaps import Spans
from tracing.ranking.crowds import BEFORE_HOURS, DAY_HOURS, Floats, Meetings
from tracing.ranking.model import SCALE, millionths_of, shipped_model
from tracing.ranking.shapes import Shapes, Stays, shapes_of
from tracing.ranking.stored_hours import HourRows, StoredHours
from tracing.ranking.words import Counted, words_of

StayKey: TypeAlias = tuple[str, str]  # person, visit
Met: TypeAlias = Sequence[Exposure]  # of one pair, in the order of time
Kept: TypeAlias = Mapping[StayKey, Stay]  # visits as they are stored now
_Row: TypeAlias = tuple[Exposure, Stay, Stay]

NOT_PROVEN: Final = "identity not proven"
BANDS: Final = ((0.2, "20+"), (0.05, "5-19"), (0.01, "1-4"), (0.0, "<1"))  # percent


class Likely(NamedTuple):
    """How likely a pair was close, and what counted."""

    millionths: int
    counted: Counted

    @property
    def probability(self) -> float:
        """Return it as a number between 0 and 1."""
        return self.millionths / SCALE

    @property
    def band(self) -> str:
        """Return it as an office is told it."""
        return next(name for least, name in BANDS if self.probability >= least)

    @property
    def words(self) -> list[str]:
        """Return what counted for or against."""
        return words_of(self.counted)


class Known(NamedTuple):
    """What is read of a candidate when somebody looks at him."""

    likely: Likely | None = None  # none: his visits are not kept, as of who only rode together
    unproven: bool = False  # each of his meetings rests on a scan that proves nobody's identity

    @property
    def standing(self) -> Standing:
        """Return what decides where he stands."""
        return Standing(self.unproven) if self.likely is None else Standing(self.unproven, self.likely.millionths)

    @property
    def words(self) -> list[str]:
        """Return what counted for or against."""
        return [NOT_PROVEN] * self.unproven + (self.likely.words if self.likely else [])


def keys_of(one: Exposure) -> tuple[StayKey, StayKey]:
    """Return whose visits an exposure is of."""
    return (one.from_person, one.from_visit), (one.to_person, one.to_visit)


def hours_needed(pairs: Sequence[Met], stays: Kept) -> Spans:
    """Return of which facilities (by their number) which clock hours tell what went on around; spans may overlap."""
    spans = []
    for one, stay, other in (row for met in pairs for row in _known(met, stays)):
        number = stay.place.facility_no
        spans.append((number, one.start, max(one.end, one.start + 1)))
        for ends in ((stay.check_in, other.check_in), (stay.check_out, other.check_out)):
            begin = (min(ends) // HOUR_US - BEFORE_HOURS) * HOUR_US
            spans.append((number, begin, max(begin + DAY_HOURS * HOUR_US, max(ends) + 1)))
    places, start, end = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    return Spans(places, start // HOUR_US * HOUR_US, -(-end // HOUR_US) * HOUR_US)


def likely(pairs: Sequence[Met], stays: Kept, rows: HourRows) -> list[Likely | None]:
    """Return how likely each pair was close; None where none of their visits is known (any more).

    Args:
        pairs: the exposures of each.
        stays: the visits of these, and others.
        rows: what was counted in the hours needed; facilities have their own numbers.
    """
    known = [_known(met, stays) for met in pairs]
    said: list[Likely | None] = [None] * len(pairs)
    by_zone: dict[str, list[int]] = {}
    for number, met in enumerate(known):
        if met:
            by_zone.setdefault(met[0][1].place.time_zone, []).append(number)
    town = _Town(known, rows)
    for zone, numbers in by_zone.items():
        shapes = town.shapes([known[number] for number in numbers], zone)
        columns = [getattr(shapes, name).tolist() for name in Counted._fields]
        millionths = millionths_of(shipped_model(), shapes).tolist()
        for number, one, values in zip(numbers, millionths, zip(*columns, strict=True), strict=True):
            said[number] = Likely(one, Counted(*values))
    return said


class _Town:
    """The visits of some pairs as columns, and what went on around them."""

    def __init__(self, known: Sequence[Sequence[_Row]], rows: HourRows) -> None:
        stays = {key: stay for met in known for one in met for key, stay in zip(keys_of(one[0]), one[1:], strict=True)}
        self._row = {key: row for row, key in enumerate(stays)}
        every = list(stays.values())
        facilities, number = np.unique([stay.place.facility_no for stay in every], return_inverse=True)
        visits = Visits(
            np.zeros(len(every), dtype=np.int64),
            number.astype(np.int64),
            np.array([stay.check_in for stay in every], dtype=np.int64),
            np.array([stay.check_out for stay in every], dtype=np.int64),
            np.array([not stay.check_out_estimated for stay in every], dtype=np.bool_),
        )
        came = np.array([not stay.check_in_estimated for stay in every], dtype=np.bool_)
        self._stays = Stays(visits, np.zeros(len(every), dtype=np.int64), 0, came)
        own = np.flatnonzero(np.isin(rows.facility, facilities))
        rows = HourRows(*(column[own] for column in rows))
        self._hours = StoredHours(visits, rows._replace(facility=np.searchsorted(facilities, rows.facility)))

    def shapes(self, known: Sequence[Sequence[_Row]], time_zone: str) -> Shapes:
        """Return the shape of each pair; where they were is asked for the time when they met."""
        rows = [[self._row[key] for key in keys_of(one)] + [one.start, one.end] for met in known for one, _, _ in met]
        met = Meetings(*np.array(rows, dtype=np.int64).T)
        begins: Ints = np.cumsum([0, *(len(one) for one in known)], dtype=np.int64)[:-1]
        shapes = shapes_of(self._stays, met, self._hours.around(met), begins, time_zone)
        same, other = zip(*map(_zones, known), strict=True)
        return shapes._replace(same_zone=_floats(same), other_zone=_floats(other))


def _known(met: Met, stays: Kept) -> list[_Row]:
    """Return the exposures of one facility whose visits are both stored, with them."""
    rows = []
    for one in met:
        own, other = (stays.get(key) for key in keys_of(one))
        if own is not None and other is not None and own.place.facility_no == other.place.facility_no:
            rows.append((one, own, other))
    return sorted(rows, key=lambda row: row[0].start)


def _zones(met: Sequence[_Row]) -> tuple[float, float]:
    """Return in which part of their meetings they began in one known zone, and in which in two."""
    both = [(zone_at(one.zones, exposure.start), zone_at(other.zones, exposure.start)) for exposure, one, other in met]
    known = [pair for pair in both if all(pair)]
    same = sum(one == other for one, other in known)
    return same / len(both), (len(known) - same) / len(both)


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)
