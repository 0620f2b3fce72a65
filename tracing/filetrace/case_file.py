"""C.csv: the cases whose contacts are asked for. A person may have several; extra columns are kept."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import BadInput
from tracing.files import YEAR_MAX, YEAR_MIN, read_rows

OPTION: Final = "--cases"
CASE_COLUMNS: Final = ("case_id", "person_id", "date_onset", "date_specimen", "date_isolation")
_date = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class FileCase(NamedTuple):
    """A row of C.csv."""

    case_id: str
    person_id: str
    date_onset: date | None
    date_specimen: date | None
    date_isolation: date | None
    extra: tuple[str, ...]

    @property
    def day_zero(self) -> date:
        """The day that days are counted from: onset, else specimen."""
        day = self.date_onset or self.date_specimen
        assert day is not None
        return day

    @property
    def day_word(self) -> str:
        """What that day is."""
        return "onset" if self.date_onset else "specimen"


def read_cases(path: Path) -> tuple[list[FileCase], list[str]]:
    """Return the cases by case_id, and the names of the extra columns.

    Raises:
        BadInput: names line and field of the first row that cannot be used.
    """
    cases: dict[str, FileCase] = {}
    extra_columns: list[str] = []
    for line, row in read_rows(path, option=OPTION, required=CASE_COLUMNS):
        extra_columns = extra_columns or [name for name in row if name not in CASE_COLUMNS]
        case = _case(line, row, extra_columns)
        if case.case_id in cases:
            raise BadInput("is there before", field="case_id", line=line)
        cases[case.case_id] = case
    return [cases[case_id] for case_id in sorted(cases)], extra_columns


def _case(line: int, row: dict[str, str], extra_columns: Sequence[str]) -> FileCase:
    for field in ("case_id", "person_id"):
        if not row[field]:
            raise BadInput("is empty", field=field, line=line)
    onset, specimen, isolation = (_day(row[field], field, line) for field in CASE_COLUMNS[2:])
    if onset is None and specimen is None:
        raise BadInput("is empty, and so is date_specimen", field="date_onset", line=line)
    extra = tuple(row[name] for name in extra_columns)
    return FileCase(row["case_id"], row["person_id"], onset, specimen, isolation, extra)


def _day(text: str, field: str, line: int) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) if _date.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise BadInput("is not an ISO 8601 date", field=field, line=line)
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise BadInput(f"is outside the years {YEAR_MIN}–{YEAR_MAX}", field=field, line=line)
    return day
