"""Reads a visits file (V.csv) as stays to replay, by the strict reader of the commands without servers."""

from pathlib import Path
from typing import Final

from producers.replay import Stay
from schemas.errors import BadInput
from tracing.files import instant_us, read_rows
from tracing.instants import utc_of

COLUMNS: Final = ("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out")
MAY_BE_EMPTY: Final = {"zone", "check_in", "check_out"}  # check_in is read as an instant, which says so itself


def read_stays(path: Path) -> list[Stay]:
    """Return the stays of a file, in its order.

    Raises:
        BadInput: names line and field.
    """
    stays: list[Stay] = []
    seen: set[str] = set()
    for line, row in read_rows(path, option="VISITS.csv", required=COLUMNS):
        stay = _stay(line, row)
        if stay.visit_id in seen:
            raise BadInput("is there twice", field="visit_id", line=line)
        seen.add(stay.visit_id)
        stays.append(stay)
    return stays


def _stay(line: int, row: dict[str, str]) -> Stay:
    for field in COLUMNS:
        if not row[field] and field not in MAY_BE_EMPTY:
            raise BadInput("is empty", field=field, line=line)
    check_in = utc_of(instant_us(row["check_in"], field="check_in", line=line))
    check_out = utc_of(instant_us(row["check_out"], field="check_out", line=line)) if row["check_out"] else None
    if check_out is not None and check_out < check_in:
        raise BadInput("is before check_in", field="check_out", line=line)
    return Stay(
        visit_id=row["visit_id"],
        person_id=row["person_id"],
        facility_id=row["facility_id"],
        zone=row["zone"],
        check_in=check_in,
        check_out=check_out,
    )
