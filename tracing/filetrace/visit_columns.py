"""The rows of V.csv as columns of numbers, by a fast reader or, where a file is not plain, by the strict one.

The strict reader alone decides what an error is and where; a law holds both readers equal.
"""

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.errors import BadInput
from tracing.exposure import Ints, Visits
from tracing.files import instant_us, read_placed_rows
from tracing.filetrace.instant_columns import instants_us
from tracing.filetrace.plain_rows import NotPlainError, Part, plain_rows
from tracing.instants import MINUTE_US

OPTION: Final = "--visits"
VISIT_COLUMNS: Final = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
ASSUMED_STAY_US: Final = 120 * MINUTE_US  # of a visit without check-out
PROGRESS_ROWS: Final = 20_000
_ANY_INSTANT: Final = "1970-01-01T00:00:00Z"
_OPEN: Final = np.iinfo(np.int64).min  # stands for a check-out that is not there

Progress: TypeAlias = Callable[[int], None]


class Columns(NamedTuple):
    """What a file of visits says; persons, facilities and zones are numbers of texts."""

    visits: Visits
    zone: npt.NDArray[np.int32]
    begins: Ints  # byte at which each row begins, and the end of the last
    persons: list[str]
    facilities: list[str]
    zones: list[str]


def read_plain(path: Path, header: Sequence[str], begins: int, progress: Progress) -> Columns:
    """Return the visits of a plain file without an error.

    Raises:
        NotPlainError: it is not plain, or something in it is wrong.
    """
    builder = _Builder(begins)
    hashes = []
    for part in plain_rows(path, begins, len(header)):
        try:
            hashes.append(_add_part(builder, part, header))
        except (ValueError, BadInput):  # an instant that cannot be used
            raise NotPlainError from None
        progress(builder.rows)
    if "" in builder.persons or "" in builder.facilities or _has_repeats(hashes):
        raise NotPlainError
    return builder.columns()


def read_strictly(path: Path, begins: int, progress: Progress) -> Columns:
    """Return the visits of any file that can be used; its first row begins at the byte `begins`.

    Raises:
        BadInput: names line and field of the first row that cannot.
    """
    builder = _Builder(begins)
    rows = _Rows(builder)
    for number, (line, row_begins, row) in enumerate(
        read_placed_rows(path, option=OPTION, required=VISIT_COLUMNS), start=1
    ):
        rows.add(line, row_begins, row)
        if number % PROGRESS_ROWS == 0:
            progress(number)
    rows.finish(path.stat().st_size)
    return builder.columns()


def _add_part(builder: "_Builder", part: Part, header: Sequence[str]) -> Ints:
    """Add rows and return the hashes of their visit ids."""
    visit_id, person, facility, zone, check_in, check_out = (part.columns[header.index(name)] for name in VISIT_COLUMNS)
    begin = instants_us(check_in)
    end = instants_us([text or _ANY_INSTANT for text in check_out])
    is_open = np.fromiter(map("".__eq__, check_out), np.bool_, len(check_out))
    end[is_open] = _OPEN
    if "" in visit_id or (end < begin)[~is_open].any():
        raise NotPlainError
    builder.add(
        builder.persons.of(person), builder.facilities.of(facility), builder.zones.of(zone), begin, end, part.ends
    )
    return np.fromiter(map(hash, visit_id), np.int64, len(visit_id))


def _has_repeats(hashes: Sequence[Ints]) -> bool:
    """Say whether two are equal; of two different ids they hardly ever are, and then the strict reader finds none."""
    each = np.concatenate([np.empty(0, dtype=np.int64), *hashes])
    each.sort()
    return bool((each[1:] == each[:-1]).any())


class _Numbers(dict[str, int]):
    """One number for each text, in the order in which they come."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number

    def of(self, texts: Sequence[str]) -> Ints:
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


class _Builder:
    """Collects columns part by part."""

    _kinds = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.int32, np.int64)

    def __init__(self, begins: int) -> None:
        self.rows = 0
        self.persons, self.facilities, self.zones = _Numbers(), _Numbers(), _Numbers()
        self._parts: list[list[npt.NDArray[Any]]] = [[] for _ in self._kinds]
        self._parts[6].append(np.array([begins], dtype=np.int64))

    def add(self, person: Ints, facility: Ints, zone: Ints, check_in: Ints, check_out: Ints, ends: Ints) -> None:
        """Add rows of ids, both instants (no check-out: `_OPEN`) and the byte behind each row."""
        recorded = check_out != _OPEN
        out = np.where(recorded, check_out, check_in + ASSUMED_STAY_US)
        self.rows += person.size
        for parts, kind, column in zip(
            self._parts, self._kinds, (person, facility, check_in, out, recorded, zone, ends), strict=True
        ):
            parts.append(column.astype(kind, copy=False))

    def columns(self) -> Columns:
        """Return everything added, and let go of it."""
        whole = [self._whole(place) for place in range(len(self._kinds))]
        return Columns(
            Visits(whole[0], whole[1], whole[2], whole[3], whole[4]),
            whole[5],
            whole[6],
            list(self.persons),
            list(self.facilities),
            list(self.zones),
        )

    def _whole(self, place: int) -> npt.NDArray[Any]:
        column = np.concatenate([np.empty(0, dtype=self._kinds[place]), *self._parts[place]])
        self._parts[place].clear()
        return column


class _Rows:
    """Checks rows one by one."""

    def __init__(self, builder: _Builder) -> None:
        self._builder = builder
        self._visit_ids: set[str] = set()
        self._columns = [array("q") for _ in range(6)]

    def add(self, line: int, begins: int, row: dict[str, str]) -> None:
        """Add a row, or raise BadInput."""
        for field in ("visit_id", "person_id", "facility_id"):
            if not row[field]:
                raise BadInput("is empty", field=field, line=line)
        if row["visit_id"] in self._visit_ids:
            raise BadInput("is there before", field="visit_id", line=line)
        self._visit_ids.add(row["visit_id"])
        check_in = instant_us(row["check_in"], field="check_in", line=line)
        check_out = instant_us(row["check_out"], field="check_out", line=line) if row["check_out"] else _OPEN
        if check_in > check_out != _OPEN:
            raise BadInput("is before check_in", field="check_out", line=line)
        values = (
            self._builder.persons[row["person_id"]],
            self._builder.facilities[row["facility_id"]],
            self._builder.zones[row["zone"]],
            check_in,
            check_out,
            begins,
        )
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def finish(self, end: int) -> None:
        """Give the rows to the builder; `end` is the byte behind the last."""
        self._visit_ids.clear()
        person, facility, zone, check_in, check_out, begins = (
            np.array(column, dtype=np.int64) for column in self._columns
        )
        ends = np.append(begins, end)[1:] if begins.size else begins
        self._builder.add(person, facility, zone, check_in, check_out, ends)
