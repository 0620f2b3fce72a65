"""The rows of V.csv as columns of numbers, by a fast reader or, where a file is not plain, by the strict one.

The strict reader alone decides what an error is and where; a law holds both readers equal.
"""

from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from pyarrow import compute as pc

from schemas.errors import BadInput
from tracing.exposure import Ints, Visits
from tracing.files import instant_us, read_placed_rows
from tracing.filetrace.arrow_texts import hashes, instants, numbered
from tracing.filetrace.plain_rows import THREADS, NotPlainError, Part, worked_parts
from tracing.instants import MINUTE_US

OPTION: Final = "--visits"
VISIT_COLUMNS: Final = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
ASSUMED_STAY_US: Final = 120 * MINUTE_US  # of a visit without check-out
PROGRESS_ROWS: Final = 20_000
_OPEN: Final = np.iinfo(np.int64).min  # stands for a check-out that is not there

Progress: TypeAlias = Callable[[int], None]
Numbers: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.int32]


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
    parts = []
    rows = 0
    for part in worked_parts(path, begins, len(header), lambda part: _plain_part(part, header)):
        parts.append(part)
        rows += part.check_in.size
        progress(rows)
    with ThreadPoolExecutor(THREADS) as pool:
        person = pool.submit(numbered, [part.person for part in parts])
        repeats = pool.submit(_has_repeats, [part.id_hash for part in parts])
        facility = pool.submit(numbered, [part.facility for part in parts])
        zone = pool.submit(numbered, [part.zone for part in parts])
        persons, facilities, zones = person.result(), facility.result(), zone.result()
        if "" in persons[1] or "" in facilities[1] or repeats.result():
            raise NotPlainError
    check_in = _joined([part.check_in for part in parts])
    check_out = _joined([part.check_out for part in parts])
    builder = _Builder(begins)
    builder.texts = persons[1], facilities[1], zones[1]
    builder.add(persons[0], facilities[0], zones[0], check_in, check_out, _joined([part.ends for part in parts]))
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


class _PlainPart(NamedTuple):
    """Rows of a part; ids as Arrow arrays of texts."""

    person: Any
    facility: Any
    zone: Any
    id_hash: npt.NDArray[np.uint64]
    check_in: Ints
    check_out: Ints
    ends: Ints


def _plain_part(part: Part, header: Sequence[str]) -> _PlainPart:
    visit_id, person, facility, zone, check_in, check_out = (part.columns[header.index(name)] for name in VISIT_COLUMNS)
    closed = pc.greater(pc.binary_length(check_out), 0)
    is_closed = closed.to_numpy(zero_copy_only=False)
    end = np.full(is_closed.size, _OPEN)
    try:
        begin = instants(check_in)
        end[is_closed] = instants(check_out.filter(closed))
    except (ValueError, BadInput):  # an instant that cannot be used
        raise NotPlainError from None
    if (end < begin)[is_closed].any() or pc.equal(pc.binary_length(visit_id), 0).true_count:
        raise NotPlainError
    return _PlainPart(person, facility, zone, hashes(visit_id), begin, end, part.ends)


def _has_repeats(parts: Sequence[npt.NDArray[np.uint64]]) -> bool:
    """Say whether two are equal; of two different ids they hardly ever are, and then the strict reader finds none."""
    each = np.concatenate([np.empty(0, dtype=np.uint64), *parts])
    each.sort()
    return bool((each[1:] == each[:-1]).any())


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


class _Numbers(dict[str, int]):
    """One number for each text, in the order in which they come."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class _Builder:
    """Collects columns part by part."""

    _kinds = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.int32, np.int64)

    def __init__(self, begins: int) -> None:
        self.texts: tuple[list[str], list[str], list[str]] = [], [], []
        self._parts: list[list[npt.NDArray[Any]]] = [[] for _ in self._kinds]
        self._parts[6].append(np.array([begins], dtype=np.int64))

    def add(
        self, person: Numbers, facility: Numbers, zone: Numbers, check_in: Ints, check_out: Ints, ends: Ints
    ) -> None:
        """Add rows of ids, both instants (no check-out: `_OPEN`) and the byte behind each row."""
        recorded = check_out != _OPEN
        out = np.where(recorded, check_out, check_in + ASSUMED_STAY_US)
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
            *self.texts,
        )

    def _whole(self, place: int) -> npt.NDArray[Any]:
        column = np.concatenate([np.empty(0, dtype=self._kinds[place]), *self._parts[place]])
        self._parts[place].clear()
        return column


class _Rows:
    """Checks rows one by one."""

    def __init__(self, builder: _Builder) -> None:
        self._builder = builder
        self._persons, self._facilities, self._zones = _Numbers(), _Numbers(), _Numbers()
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
            self._persons[row["person_id"]],
            self._facilities[row["facility_id"]],
            self._zones[row["zone"]],
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
        self._builder.texts = list(self._persons), list(self._facilities), list(self._zones)
        self._builder.add(person, facility, zone, check_in, check_out, ends)
