"""Visits as columns: those asked about, and those the database gives back as binary COPY. Pure.

Persons are two halves of 128 bits here, never texts: a second degree has hundreds of thousands of rows.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import numpy as np
import numpy.typing as npt

from tracing.copies import END, HEADER, PG_EPOCH_US
from tracing.exposure import Cases, Flags, Ints, Visits
from tracing.overlaps import Spans

Records: TypeAlias = npt.NDArray[np.void]
Uints: TypeAlias = npt.NDArray[np.uint64]
Row: TypeAlias = "np.dtype[np.void]"

_HALF: Final = (1 << 64) - 1


def _row(*fields: tuple[str, Any]) -> Row:
    """Return a row as COPY BINARY sends it: the number of its fields, then each one's length and bytes."""
    parts = [part for name, kind in fields for part in ((f"_{name}", ">i4"), (name, kind))]
    return np.dtype([("fields", ">i2"), *parts])


_PERSON: Final = np.dtype([("high", ">u8"), ("low", ">u8")])
MET_ROW: Final = _row(("key", ">i4"), ("person", _PERSON), ("check_in", ">i8"), ("check_out", ">i8"))
WHOLE_ROW: Final = _row(
    ("key", ">i4"),
    ("person", _PERSON),
    ("check_in", ">i8"),
    ("check_out", ">i8"),
    ("visit", _PERSON),
    ("role", ">i2"),
    ("in_estimated", "?"),
    ("out_estimated", "?"),
    ("zoned", "?"),
)
STAY_ROW: Final = _row(
    ("number", ">i4"), ("key", ">i4"), ("check_in", ">i8"), ("check_out", ">i8"), ("out_estimated", "?")
)


class Met(NamedTuple):
    """Visits as the index holds them, each once."""

    key: Ints
    high: Uints  # of the person
    low: Uints
    check_in: Ints
    check_out: Ints
    rest: Records | None = None  # rows of `WHOLE_ROW`, where the visits were read whole

    def person(self, row: int) -> str:
        """Return the person of a row."""
        return id_texts(self.high[row : row + 1], self.low[row : row + 1])[0]

    def without(self, person: str) -> "Met":
        """Return the visits of everybody else."""
        high, low = halves([person])
        return self.rows(np.flatnonzero((self.high != high[0]) | (self.low != low[0])))

    def rows(self, chosen: Ints) -> "Met":
        """Return some of them."""
        columns: list[Any] = [None if column is None else column[chosen] for column in self]
        return Met(*columns)


class Asked(NamedTuple):
    """Visits that are asked about, one entry per visit and group."""

    key: Ints
    high: Uints
    low: Uints
    check_in: Ints
    check_out: Ints
    recorded: Flags  # the check-out was scanned
    group: Ints  # each is judged on its own
    start: Ints  # of its window
    end: Ints

    @property
    def cases(self) -> Cases:
        """Return groups and windows as the decision wants them."""
        return Cases(self.group, self.start, self.end)

    @property
    def met(self) -> Met:
        """Return the visits as somebody would meet them."""
        return Met(self.key, self.high, self.low, self.check_in, self.check_out)

    def visits(self, person: Ints) -> Visits:
        """Return the visits as the decision wants them, with these numbers for persons."""
        return Visits(person, self.key >> 3, self.check_in, self.check_out, self.recorded)

    def rows(self, chosen: Ints | Flags) -> "Asked":
        """Return some of them."""
        columns: Sequence[Any] = self
        return Asked(*(column[chosen] for column in columns))


def records_of(copied: bytes, row: Row) -> Records:
    """Return the rows of a binary COPY, which all have one width."""
    count = (len(copied) - len(HEADER) - len(END)) // row.itemsize
    return np.frombuffer(copied, row, count, len(HEADER))


def met_of(found: Records) -> Met:
    """Return the visits that a look-up gave, each once, in the order of place and time."""
    key, check_in, check_out = (found[name].astype(np.int64) for name in ("key", "check_in", "check_out"))
    high, low = (found["person"][half].astype(np.uint64) for half in ("high", "low"))
    rest = found if found.dtype == WHOLE_ROW else None
    met = Met(key, high, low, check_in + PG_EPOCH_US, check_out + PG_EPOCH_US, rest)
    met = met.rows(np.lexsort((low, high, check_in, key)))
    if not key.size:
        return met
    columns: Sequence[Any] = met[:5]
    differs = [column[1:] != column[:-1] for column in columns]
    if all(np.logical_or.reduce(differs)):
        return met
    return met.rows(np.flatnonzero(np.r_[True, np.logical_or.reduce(differs)]))


def asked_of(found: Records, persons: Sequence[str], starts: Ints, ends: Ints) -> Asked:
    """Return the visits of persons, each in his own span; the group is the person's place in the list."""
    which = found["number"].astype(np.int64) - 1
    high, low = halves(persons)
    return Asked(
        found["key"].astype(np.int64),
        high[which],
        low[which],
        found["check_in"].astype(np.int64) + PG_EPOCH_US,
        found["check_out"].astype(np.int64) + PG_EPOCH_US,
        ~found["out_estimated"],
        which,
        starts[which],
        ends[which],
    )


def merged(spans: Spans, before: int = 0, after: int = 0) -> Spans:
    """Return spans, widened, as the fewest that cover the same: of one place none overlaps another; empty ones go."""
    rows = np.flatnonzero(spans.start < spans.end)
    if not rows.size:
        return Spans(spans.facility[rows], spans.start[rows], spans.end[rows])
    order = rows[np.lexsort((spans.start[rows], spans.facility[rows]))]
    place, start, end = spans.facility[order], spans.start[order] - before, spans.end[order] + after
    # One running maximum over all places: each place's instants are lifted above those of the place before.
    _, number = np.unique(place, return_inverse=True)
    low = int(start.min())
    lift = number * (int(end.max()) - low + 1)
    reach = np.maximum.accumulate(end - low + lift)
    first = np.flatnonzero(np.r_[True, (start - low + lift)[1:] > reach[:-1]])
    last = np.r_[first[1:], order.size] - 1
    return Spans(place[first], start[first], reach[last] - lift[last] + low)


def codes_of(high: Uints, low: Uints) -> Ints:
    """Return one number per person, in the order of the persons' bits."""
    order = np.lexsort((low, high))
    new = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
    codes = np.empty(order.size, dtype=np.int64)
    codes[order] = np.cumsum(np.r_[False, new][: order.size])
    return codes


def halves(persons: Sequence[str]) -> tuple[Uints, Uints]:
    """Return persons as columns."""
    numbers = [UUID(person).int for person in persons]
    high = np.array([number >> 64 for number in numbers], dtype=np.uint64)
    return high, np.array([number & _HALF for number in numbers], dtype=np.uint64)


def id_texts(high: Uints, low: Uints) -> list[str]:
    """Return persons, or visits, as the database writes them."""
    both = np.empty(high.size, dtype=_PERSON)
    both["high"], both["low"] = high, low
    digits = both.tobytes().hex()
    return [
        f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-{digits[at + 12 : at + 16]}-{digits[at + 16 : at + 20]}"
        f"-{digits[at + 20 : at + 32]}"
        for at in range(0, len(digits), 32)
    ]
