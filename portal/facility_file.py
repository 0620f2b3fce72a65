"""A file of facilities, read strictly: every row is usable, or the first one that is not is named."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from portal import store
from portal.nik import known_regions
from portal.store import Connection, FacilityRow
from schemas.errors import BadInput
from schemas.events import Kind
from tracing.files import choice, read_rows

COLUMNS: Final = ("facility_id", "name", "kind", "owner", "time_zone", "district")
TEXT_MAX: Final = 128
OWNERS: Final = {"government": "government", "private": "private"}
KINDS: Final = {kind.value: kind.value for kind in Kind}

_control = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_facilities(path: Path) -> list[tuple[int, FacilityRow]]:
    """Return the facilities of a CSV file, each with its line.

    Raises:
        BadInput: names the line and the field.
    """
    rows: list[tuple[int, FacilityRow]] = []
    seen: set[str] = set()
    for line, cells in read_rows(path, option="FILE.csv", required=COLUMNS):
        row = _facility(cells, line)
        if row.facility_id in seen:
            raise BadInput("is there twice", field="facility_id", line=line)
        seen.add(row.facility_id)
        rows.append((line, row))
    return rows


def put_all(conn: Connection, rows: Sequence[tuple[int, FacilityRow]]) -> None:
    """Store all of them; the caller commits.

    Raises:
        BadInput: a facility that is there has another kind or time zone.
    """
    present = {row.facility_id: row for row in store.list_facilities(conn)}
    for line, row in rows:
        before = present.get(row.facility_id, row)
        for field in ("kind", "time_zone"):
            if getattr(before, field) != getattr(row, field):
                raise BadInput("never changes: issue a new facility_id", field=field, line=line)
        store.put_facility(conn, row)


def _facility(cells: Mapping[str, str], line: int) -> FacilityRow:
    for field in ("facility_id", "name"):
        text = cells[field]
        if not text.strip():
            raise BadInput("is empty", field=field, line=line)
        if len(text) > TEXT_MAX:
            raise BadInput(f"is longer than {TEXT_MAX} characters", field=field, line=line)
        if _control.search(text):
            raise BadInput("holds a control character", field=field, line=line)
    if cells["time_zone"] not in available_timezones():
        raise BadInput("is not a known time zone", field="time_zone", line=line)
    if cells["district"] not in known_regions().districts:
        raise BadInput("is not the code of a district, like 36.71", field="district", line=line)
    return FacilityRow(
        facility_no=0,
        facility_id=cells["facility_id"],
        name=cells["name"],
        kind=choice(cells["kind"], KINDS, field="kind", line=line),
        owner=choice(cells["owner"], OWNERS, field="owner", line=line),
        time_zone=cells["time_zone"],
        district=cells["district"],
    )
