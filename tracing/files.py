"""The strict reader of CSV files for the commands that work without servers.

Every error names the physical line (header = 1) and the field, never a value. Ids are text. Accepted: a byte
order mark, CRLF, any column order, extra columns, no last newline, blank lines at the end (and nowhere else).
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import BadInput
from tracing.instants import us_of

T = TypeVar("T")

YEAR_MIN: Final = 1800
YEAR_MAX: Final = 2199
FIELD_BYTES_MAX: Final = 64 * 1024
LINE_BYTES_MAX: Final = 16 * 1024 * 1024  # so that a file without line ends is refused before it fills the memory
FRACTION_DIGITS_MAX: Final = 6  # microseconds

_BOM: Final = b"\xef\xbb\xbf"
_unusable = re.compile("[\0\udc80-\udcff]")  # NUL, or a byte that is no UTF-8 (as surrogateescape shows it)
_instant = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,](?P<fraction>[0-9]+))?)?"
    r"(?P<offset>Z|[+-][0-9]{2}(?::?[0-5][0-9](?::?[0-5][0-9])?)?)?"
)
_field = re.compile(r'(?:"(?:[^"]|"")*"|[^,"\r\n][^,\r\n]*|)(?=,|\r?\n|\Z)')


def read_rows(
    path: Path, *, option: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (physical line where the row begins, row by column name), extra columns too.

    Args:
        path: of a CSV file in UTF-8 with a header.
        option: the command's option that named the file, for an error of the file as a whole.
        required: columns that must be there.
        optional: columns that may be there, but not twice.

    Raises:
        BadInput: at the first row that cannot be used.
    """
    for line, _, row in read_placed_rows(path, option=option, required=required, optional=optional):
        yield line, row


def read_placed_rows(
    path: Path, *, option: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Yield what `read_rows` yields, and between line and row the byte at which the row begins."""
    try:
        with path.open("rb") as file:
            rows = _Rows(file)
            rows.read_header(required, optional)
            while row := rows.read():
                line, fields = row
                if not fields and rows.only_blank_lines_follow():
                    return
                if len(fields) != len(rows.header):
                    raise _wrong_length(line, fields, rows.header)
                yield line, rows.begins, dict(zip(rows.header, fields, strict=True))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field=option) from error


def read_header(path: Path, *, option: str, required: Sequence[str]) -> tuple[list[str], int]:
    """Return the columns of the file and the byte at which its first row begins, or raise BadInput."""
    try:
        with path.open("rb") as file:
            rows = _Rows(file)
            rows.read_header(required, ())
            return rows.header, rows.ends
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field=option) from error


def instant_us(text: str, *, field: str, line: int) -> int:
    """Return an ISO 8601 instant with offset as microseconds since 1970.

    Raises:
        BadInput: it is empty, malformed, without offset, finer than a microsecond or outside 1800–2199 as written.
    """
    if not text:
        raise BadInput("is empty", field=field, line=line)
    form = _instant.fullmatch(text)
    if form is None:
        raise BadInput("is not an ISO 8601 instant", field=field, line=line)
    if form["offset"] is None:
        raise BadInput("has no offset", field=field, line=line)
    if form["fraction"] and len(form["fraction"]) > FRACTION_DIGITS_MAX:
        raise BadInput("is finer than a microsecond", field=field, line=line)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("is not an ISO 8601 instant", field=field, line=line) from None
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise BadInput(f"is outside the years {YEAR_MIN}–{YEAR_MAX}", field=field, line=line)
    return us_of(at)


def choice(text: str, allowed: Mapping[str, T], *, field: str, line: int) -> T:
    """Return what `text` stands for, or raise BadInput."""
    try:
        return allowed[text]
    except KeyError:
        reason = "is not one of the allowed values" if text else "is empty"
        raise BadInput(reason, field=field, line=line) from None


def check_time_zone(name: str) -> None:
    """Raise BadInput unless `name` is a zone of the tz database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput("is not a known time zone", field="--timezone") from None


class _Lines:
    """The physical lines of a file as text; remembers those of the row being read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self.bytes_read = 0
        self.pending: list[str] = []
        self.suspect = False  # a field of this row may be unusable: look closely

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LINE_BYTES_MAX + 1)
        if not raw:
            raise StopIteration
        self._number += 1
        self.bytes_read += len(raw)
        if self._number == 1:
            raw = raw.removeprefix(_BOM)
        if len(raw) > LINE_BYTES_MAX:
            raise BadInput("is longer than 16 MiB", field="row", line=self._number)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode(errors="surrogateescape")
            self.suspect = True
        if self.pending or len(raw) > FIELD_BYTES_MAX or b"\0" in raw:
            self.suspect = True
        self.pending.append(text)
        return text


def check_header(header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
    """Check that a file has every required column, and none of those that are known twice.

    Raises:
        BadInput: names the column.
    """
    for column in required:
        if column not in header:
            raise BadInput("column is missing", field=column, line=1)
    for column in (*required, *optional):
        if header.count(column) > 1:
            raise BadInput("column is there twice", field=column, line=1)


class _Rows:
    """The rows of a CSV file, each with the physical line on which it begins."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Lines(file)
        self._reader = csv.reader(self._lines, strict=True)
        self.header: list[str] = []
        self.begins = 0  # the byte at which the row read last begins

    @property
    def ends(self) -> int:
        """The byte behind the row read last."""
        return self._lines.bytes_read

    def read_header(self, required: Sequence[str], optional: Sequence[str]) -> None:
        _, header = self.read() or (1, [])
        check_header(header, required, optional)
        self.header = header

    def read(self) -> tuple[int, list[str]] | None:
        lines = self._lines
        lines.pending.clear()
        lines.suspect = False
        self.begins = lines.bytes_read
        line = self._reader.line_num + 1
        try:
            fields = next(self._reader, None)
        except csv.Error:
            index, reason = _fault("".join(lines.pending))
            raise self._bad(index, line, reason) from None
        if fields is not None and lines.suspect:
            self._look_closely(line, fields)
        return None if fields is None else (line, fields)

    def only_blank_lines_follow(self) -> bool:
        """Say whether the file is over but for line ends; where it is not, no row can be read any more."""
        return not any(text.strip("\r\n") for text in self._lines)

    def _look_closely(self, line: int, fields: list[str]) -> None:
        for index, text in enumerate(fields):
            if _unusable.search(text):
                raise self._bad(index, line, "holds a NUL" if "\0" in text else "is not UTF-8")
            if _is_too_long(text):
                raise self._bad(index, line, "is longer than 64 KiB")

    def _bad(self, index: int, line: int, reason: str) -> BadInput:
        field = self.header[index] if index < len(self.header) else "row" if self.header else "header"
        return BadInput(reason, field=field, line=line)


def _is_too_long(text: str) -> bool:
    return len(text.encode(errors="surrogateescape")) > FIELD_BYTES_MAX


def _fault(row: str) -> tuple[int, str]:
    """Return the index of the field at which the csv module gave up, and why."""
    index = position = 0
    while (field := _field.match(row, position)) and not _is_too_long(field[0]) and row.startswith(",", field.end()):
        index += 1
        position = field.end() + 1
    too_long = field is not None and _is_too_long(field[0])
    return index, "is longer than 64 KiB" if too_long else "has a quote or a line end that is not CSV"


def _wrong_length(line: int, fields: list[str], header: list[str]) -> BadInput:
    field = header[len(fields)] if len(fields) < len(header) else header[-1]
    return BadInput(f"the row has {len(fields)} fields, the header has {len(header)}", field=field, line=line)
