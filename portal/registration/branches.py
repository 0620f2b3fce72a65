"""A file of branches: every row is judged on its own, and named by its line; a bad one stops no other."""

import csv
from io import StringIO
from typing import Final, NamedTuple

from portal.registration.fields import NAMES, Applied, check_fields
from portal.web.pages import FormError

COLUMNS: Final = NAMES
ROWS_MAX: Final = 1_000
LINE_MAX: Final = 10_000


class Row(NamedTuple):
    """A row of the file; what was applied for, or what is wrong with which field (a key of the words)."""

    line: int
    name: str
    applied: Applied | None
    errors: dict[str, str]


def read_branches(data: bytes) -> list[Row]:
    """Return the rows of a CSV file, in any order of columns; a byte order mark, CRLF and blank lines are fine.

    Semicolons or tabs may stand between the cells: a spreadsheet in Indonesian writes semicolons.

    Raises:
        FormError: it is no CSV in UTF-8, a column is missing or there twice, or there are more than a thousand rows.
    """
    try:
        rows = list(_lines(data.decode("utf-8-sig")))
    except (UnicodeDecodeError, csv.Error):
        raise FormError({"file": "branches.not_csv"}) from None
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise FormError({"file": "branches.missing"}, missing=", ".join(missing))
    if len(set(header)) != len(header):
        raise FormError({"file": "branches.twice"})
    if len(rows) - 1 > ROWS_MAX:
        raise FormError({"file": "branches.too_many"})
    return [_judged(line, header, cells) for line, cells in rows[1:]]


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Return the rows that are not blank, each with the line it begins at."""
    between = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), strict=True, delimiter=between)
    found, begins = [], 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            found.append((begins, cells))
        begins = reader.line_num + 1
    return found


def _judged(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header) or any(len(cell) > LINE_MAX for cell in cells):
        return Row(line, "", None, {"": "branches.fields"})
    form = dict(zip(header, cells, strict=True))
    try:
        return Row(line, form["name"].strip()[:128], check_fields(form), {})
    except FormError as error:
        return Row(line, "" if "name" in error.errors else form["name"].strip(), None, error.errors)
