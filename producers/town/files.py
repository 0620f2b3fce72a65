"""The town as files: scans for `jejak pair`, facilities for `jejak facilities import`, and who the people are.

And as bodies for the gate.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from producers.gate_scans import GateScan
from producers.town.people import Town
from producers.town.places import OFFSET_HOURS, TIME_ZONE
from producers.town.scanning import SECOND_US, TownScan
from schemas.errors import BadInput

SCAN_COLUMNS: Final = (
    "scan_id",
    "person_id",
    "facility_id",
    "kind",
    "zone",
    "gate",
    "at",
    "admitted",
    "role",
    "channel",
)
FACILITY_COLUMNS: Final = ("facility_id", "name", "kind", "owner", "time_zone", "district")
SUBJECT_COLUMNS: Final = ("person_id", "subject_type", "subject_value", "district")
DAY_S: Final = 24 * 60 * 60


def write_scans(path: Path, town: Town, scans: Iterable[TownScan], *, progress: Callable[[int], None]) -> int:
    """Write S.csv in the order of `scans`; returns the number of rows. The file is whole or not there."""

    def rows() -> Iterator[tuple[str, ...]]:
        for number, scan in enumerate(scans, start=1):
            place = town.places[scan.place]
            person_id = town.people[scan.person].person_id
            admitted = "true" if scan.admitted else "false"
            at = iso(scan.at_us)
            yield (
                *(scan.scan_id, person_id, place.facility_id, place.kind, scan.zone, scan.gate, at, admitted),
                *(scan.role, scan.channel),
            )
            if number % 10_000 == 0:
                progress(number)

    return _write(path, SCAN_COLUMNS, rows())


def write_facilities(path: Path, town: Town) -> int:
    """Write facilities.csv."""
    return _write(
        path,
        FACILITY_COLUMNS,
        ((p.facility_id, p.name, p.kind, p.owner, TIME_ZONE, p.district) for p in town.places),
    )


def write_subjects(path: Path, town: Town) -> int:
    """Write subjects.csv: who each person of the scans file is at the gate."""
    return _write(
        path,
        SUBJECT_COLUMNS,
        ((p.person_id, p.subject.type, p.subject.value, p.subject.district) for p in town.people),
    )


def gate_scan(town: Town, scan: TownScan) -> GateScan:
    """Return the scan as it is sent to the gate."""
    return GateScan(
        scan_id=scan.scan_id,
        subject=town.people[scan.person].subject,
        facility_id=town.places[scan.place].facility_id,
        gate=scan.gate,
        at=iso(scan.at_us),
        zone=scan.zone,
        group_id=scan.group_id,
        admitted=scan.admitted,
        refused_reason=scan.refused_reason,
        role=scan.role,
        channel=scan.channel,
        assurance=scan.assurance,
        device_id=scan.device_id,
    )


def iso(at_us: int) -> str:
    """Return an instant of the town, which is a whole second, with the town's offset."""
    second = at_us // SECOND_US + OFFSET_HOURS * 3600
    rest = second % DAY_S
    return f"{_day(second // DAY_S)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}+{OFFSET_HOURS:02d}:00"


@lru_cache(maxsize=1_000)
def _day(number: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> int:
    new = path.with_name(f".{path.name}.new")
    number = 0
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for number, row in enumerate(rows, start=1):  # noqa: B007 — the count is the result
                writer.writerow(row)
        new.replace(path)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--out") from error
    finally:
        new.unlink(missing_ok=True)
    return number
