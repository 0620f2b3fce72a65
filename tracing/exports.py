"""Results as files: whole folders or nothing, and no cell that a spreadsheet takes for a formula."""

import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from schemas.errors import BadInput

BUFFER_BYTES: Final = 1 << 18  # a file of many short rows is written in parts of this size
_needs_quotes = re.compile('[,"\r\n]')
_formula = re.compile(r"'*\s*[=+\-@\t\r＝＋－＠]")  # noqa: RUF001 — spreadsheets take the full-width signs for formulas too
_plain_number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def check_folder(out: Path) -> None:
    """Raise BadInput if no folder can be made at `out`; makes nothing."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists() or path.is_symlink())
    if not nearest.is_dir():
        raise BadInput("is a file, a folder is needed" if nearest == out else "lies below a file", field="--out")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder whose files appear in `out` when the block ends well, and never when it fails.

    Files of other names that `out` already holds stay.
    """
    here = out.is_dir()
    draft = (out if here else out.parent) / f".{out.name}-{secrets.token_hex(8)}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        try:
            yield draft
            if here:
                _move_files(draft, out)
            else:
                draft.rename(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--out") from error


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file as `write_csv` writes it; cells are safe already."""
    return "".join(map(_csv_line, (header, *rows))).encode()


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a CSV file in UTF-8, one line feed after each row; return the number of rows."""
    with CsvFile(path, header) as file:
        file.write_all(rows)
    return file.rows


class CsvFile:
    """A CSV file being written row by row, as `write_csv` does."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.name = path.name
        self.rows = 0
        self._file = path.open("w", BUFFER_BYTES, encoding="utf-8", newline="")
        self._file.write(_csv_line(header))

    def write(self, row: Sequence[str]) -> None:
        """Add a row; its cells are safe already."""
        self._file.write(_csv_line(row))
        self.rows += 1

    def write_all(self, rows: Iterable[Sequence[str]]) -> None:
        """Add rows."""
        for row in rows:
            self.write(row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def safe_cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: a quote before it, unless it is a plain number.

    A text that only a quote divides from a formula gets one more, so two ids never become one cell.
    """
    if text[:1].isalnum():  # nearly every cell
        return text
    if _formula.match(text) and not _plain_number.fullmatch(text):
        return "'" + text
    return text


def _move_files(draft: Path, out: Path) -> None:
    files = sorted(draft.iterdir())
    for file in files:
        if (out / file.name).is_dir():
            raise BadInput("holds a folder with the name of a result", field="--out")
    for file in files:
        file.replace(out / file.name)


def _csv_line(cells: Sequence[str]) -> str:
    line = ",".join(cells)
    if '"' in line or "\n" in line or "\r" in line:
        line = ",".join([_quoted(cell) if _needs_quotes.search(cell) else cell for cell in cells])
    elif line.count(",") >= len(cells):  # reasons hold commas, and nothing else of this
        line = ",".join([_quoted(cell) if "," in cell else cell for cell in cells])
    return line + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
