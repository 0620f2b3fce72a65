"""V.csv as columns and a way back to its rows: ten million visits need half a gigabyte, their texts are read again."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import StringIO
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np

from tracing.exposure import Ints
from tracing.files import read_header
from tracing.filetrace.likeness import Surroundings
from tracing.filetrace.plain_rows import NotPlainError
from tracing.filetrace.visit_columns import OPTION, VISIT_COLUMNS, Columns, Progress, read_plain, read_strictly

_READ_BYTES: Final = 1 << 15  # of many cases the next row is near, of one it is far


class Detail(NamedTuple):
    """The texts of a row that are not kept as columns."""

    visit_id: str
    extra: tuple[str, ...]


class VisitFile:
    """The visits of a file: columns, the texts behind their numbers, and what else the rows say."""

    def __init__(self, path: Path, header: Sequence[str], columns: Columns) -> None:
        self.path = path
        self._id_place = header.index("visit_id")
        self._extra_places = [place for place, name in enumerate(header) if name not in VISIT_COLUMNS]
        self.extra_columns = [header[place] for place in self._extra_places]
        self.columns = columns

    @property
    def rows(self) -> int:
        """How many visits the file has."""
        return self.columns.visits.person.size

    @cached_property
    def surroundings(self) -> Surroundings:
        """What was going on where somebody was; sorted when first asked for."""
        columns = self.columns
        unknown = columns.zones.index("") if "" in columns.zones else -1
        return Surroundings(columns.visits, columns.zone.astype(np.int64), unknown)

    def details(self, rows: Ints) -> list[Detail]:
        """Return the texts of these rows; the order of the file is the fastest."""
        details = []
        begins, ends = self.columns.begins[rows], self.columns.begins[rows + 1]
        with self.path.open("rb", _READ_BYTES) as file:
            for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
                file.seek(begin)
                fields = _fields(file.read(end - begin).decode())
                details.append(Detail(fields[self._id_place], tuple([fields[place] for place in self._extra_places])))
        return details


@contextmanager
def read_visits(path: Path, progress: Progress) -> Iterator[VisitFile]:
    """Yield the visits of a file, which is read again while the block runs.

    Raises:
        BadInput: names line and field of the first row that cannot be used.
    """
    with _lasting(path) as file:
        header, begins = read_header(file, option=OPTION, required=VISIT_COLUMNS)
        try:
            columns = read_plain(file, header, begins, progress)
        except NotPlainError:
            columns = read_strictly(file, begins, progress)
        yield VisitFile(file, header, columns)


def _fields(row: str) -> list[str]:
    if '"' in row:
        return next(csv.reader(StringIO(row, newline="")))
    return row.rstrip("\r\n").split(",")


@contextmanager
def _lasting(path: Path) -> Iterator[Path]:
    """Yield a file that can be read more than once: what comes through a pipe is copied first."""
    if not path.is_fifo():
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as pipe, copy.open("wb") as file:
            copyfileobj(pipe, file)
        yield copy
