"""A CSV file taken row by row: every good row is used, every bad one is named by its line, and none stops another.

Cells are parted by commas, or by semicolons where the header is: Indonesian spreadsheets keep the comma for decimals.
Where a quote is never closed, only the line it stands on is lost: reading goes on behind that line.
"""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Final, NamedTuple

from schemas.errors import BadInput
from tracing.files import check_header

LENGTH_MAX: Final = 1_000  # characters of a cell


class Row(NamedTuple):
    """A row and the line it begins at (the header is line 1): its cells by column, or why it cannot be read."""

    line: int
    cells: dict[str, str]
    fault: BadInput | None = None


def read_table(data: bytes, *, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yield a file's rows; columns in any order, more of them, a byte order mark, CRLF and blank lines are fine.

    A cell is without blanks around it. A column that is not there is an empty cell; more columns are not looked at.

    Raises:
        BadInput: the header lacks a column, or has one twice: then no row can be read.
    """
    lines = list(StringIO(data.decode("utf-8-sig", errors="surrogateescape"), newline=""))
    parted = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    try:
        header = [cell.strip() for cell in next(csv.reader(lines[:1], delimiter=parted), [])]
    except csv.Error as error:
        raise BadInput("is no line of column names", field="header", line=1) from error
    check_header(header, required, optional)
    missing = dict.fromkeys((*required, *optional), "")
    return (_judged(line, header, cells, missing) for line, cells in _rows(lines, len(header), parted))


def is_table(content_type: str) -> bool:
    """Say whether a body of this type is a CSV file."""
    return content_type.split(";", maxsplit=1)[0].strip().lower() == "text/csv"


def _rows(lines: Sequence[str], width: int, parted: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the rows behind the header that are not blank, each with its line; None for one that is no CSV."""
    at = 1
    while at < len(lines):
        reader, first = csv.reader(_from(lines, at), delimiter=parted, strict=True), at
        while at < len(lines):
            try:
                cells = next(reader)
            except (csv.Error, StopIteration):
                cells = None
            ends = first + reader.line_num
            if cells is None or (ends - at > 1 and len(cells) != width):  # a quote that swallowed other rows
                yield at + 1, None
                at += 1
                break
            if cells:
                yield at + 1, cells
            at = ends


def _from(lines: Sequence[str], at: int) -> Iterator[str]:
    return (lines[number] for number in range(at, len(lines)))


def _judged(line: int, header: list[str], cells: list[str] | None, missing: dict[str, str]) -> Row:
    if cells is None:
        return Row(line, {}, BadInput("has a quote or a line end that is not CSV", field="row", line=line))
    if len(cells) != len(header):
        return Row(line, {}, BadInput(f"has {len(cells)} fields, the header has {len(header)}", field="row", line=line))
    known = {column: cell for column, cell in zip(header, cells, strict=True) if column in missing}
    for column, cell in known.items():
        if len(cell) > LENGTH_MAX:
            return Row(line, {}, BadInput(f"is longer than {LENGTH_MAX:,} characters", field=column, line=line))
        if any("\udc80" <= letter <= "\udcff" for letter in cell):
            return Row(line, {}, BadInput("is not UTF-8", field=column, line=line))
    return Row(line, missing | {column: cell.strip() for column, cell in known.items()})
