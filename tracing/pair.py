"""The fold without servers: a file of scans becomes visits.csv and counts.csv, by the same pairing and counting.

Every scan of the file is held in memory, about half a kilobyte each; nothing is written before all of it is read.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import BadInput
from schemas.events import Channel, Gate, Kind, Role
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.exports import check_folder, safe_cell, whole_folder, write_csv
from tracing.files import check_time_zone, choice, instant_us, read_rows
from tracing.instants import hour_text, text_of
from tracing.records import SeenScan
from tracing.visits import Visit, visits_of

SCAN_COLUMNS: Final = ("scan_id", "person_id", "facility_id", "kind", "zone", "gate", "at", "admitted")
SCAN_COLUMNS_OPTIONAL: Final = ("role", "channel")
VISIT_COLUMNS: Final = (
    "person_id",
    "facility_id",
    "check_in",
    "check_out",
    "check_in_estimated",
    "check_out_estimated",
)
COUNT_COLUMNS: Final = (
    "facility_id",
    "hour_start",
    "arrivals",
    "departures",
    "visitors",
    "person_minutes",
    "estimated",
    "refused",
)
PROGRESS_ROWS: Final = 20_000

_KINDS: Final = {kind.value: kind.value for kind in Kind}
_GATES: Final = {gate.value: gate.value for gate in Gate}
_ROLES: Final = {role.value: role.value for role in Role} | {"": Role.UNKNOWN.value}
_CHANNELS: Final = {channel.value: channel.value for channel in Channel} | {"": Channel.APP.value}
_ADMITTED: Final = {"true": True, "false": False}


class Paired(msgspec.Struct, frozen=True):
    """How much was read and written."""

    scans: int
    persons: int
    visits: int
    hours: int


def pair(scans_path: Path, out_dir: Path, time_zone: str, *, progress: Callable[[int], None] | None = None) -> Paired:
    """Write visits.csv and counts.csv of the scans in a file.

    Args:
        scans_path: S.csv, rows in any order; the first row of an identity stands, a repeat is dropped.
        out_dir: made if it is not there; holds both results or is left as it was.
        time_zone: of every facility, and of the instants written.
        progress: told the number of rows read so far, now and then.

    Raises:
        BadInput: names line and field, or the option.
    """
    check_time_zone(time_zone)
    check_folder(out_dir)
    persons = _read_scans(scans_path, time_zone, progress or (lambda _: None))
    scans = sum(map(len, persons.values()))
    visits: list[tuple[str, Visit]] = []
    counts: dict[FacilityHour, Counts] = {}
    for person, seen in persons.items():
        of_person = visits_of(seen.values())
        visits += [(person, visit) for visit in of_person]
        add(counts, counts_of(of_person, seen.values()))
    with whole_folder(out_dir) as folder:
        write_csv(folder / "visits.csv", VISIT_COLUMNS, _visit_rows(visits))
        hours = write_csv(folder / "counts.csv", COUNT_COLUMNS, _count_rows(counts, time_zone))
    return Paired(scans, len(persons), len(visits), hours)


def person_minutes(person_us: int) -> str:
    """Return microseconds as minutes with three decimals, rounded half up."""
    thousandths, rest = divmod(person_us, 60_000)
    thousandths += rest >= 30_000  # noqa: PLR2004 — half of it
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


class _Scans:
    """The scans of a file by person and scan id, checked row by row."""

    def __init__(self, time_zone: str) -> None:
        self.persons: dict[str, dict[str, SeenScan]] = {}
        self._time_zone = time_zone
        self._facilities: dict[str, tuple[str, str]] = {}  # one text and one kind for each
        self._zones: dict[str, str] = {}  # one text each: a file has many rows and few zones

    def add(self, line: int, row: dict[str, str]) -> None:
        for field in ("scan_id", "person_id", "facility_id"):
            if not row[field]:
                raise BadInput("is empty", field=field, line=line)
        scan = self._scan(line, row)
        if self.persons.setdefault(row["person_id"], {}).setdefault(scan.scan_id, scan) != scan:
            raise BadInput("is there before with another content", field="scan_id", line=line)

    def _scan(self, line: int, row: dict[str, str]) -> SeenScan:
        kind = choice(row["kind"], _KINDS, field="kind", line=line)
        return SeenScan(
            row["scan_id"],
            row["person_id"],
            self._facility(row["facility_id"], kind, line),
            kind,
            self._time_zone,
            choice(row["gate"], _GATES, field="gate", line=line),
            self._zones.setdefault(row["zone"], row["zone"]),
            instant_us(row["at"], field="at", line=line),
            choice(row["admitted"], _ADMITTED, field="admitted", line=line),
            choice(row.get("role", ""), _ROLES, field="role", line=line),
            choice(row.get("channel", ""), _CHANNELS, field="channel", line=line),
        )

    def _facility(self, facility: str, kind: str, line: int) -> str:
        known, known_kind = self._facilities.setdefault(facility, (facility, kind))
        if known_kind != kind:
            raise BadInput("is another kind than this facility had before", field="kind", line=line)
        return known


def _read_scans(path: Path, time_zone: str, progress: Callable[[int], None]) -> dict[str, dict[str, SeenScan]]:
    scans = _Scans(time_zone)
    rows = read_rows(path, option="--scans", required=SCAN_COLUMNS, optional=SCAN_COLUMNS_OPTIONAL)
    for number, (line, row) in enumerate(rows, start=1):
        scans.add(line, row)
        if number % PROGRESS_ROWS == 0:
            progress(number)
    return scans.persons


def _visit_rows(visits: list[tuple[str, Visit]]) -> Iterator[list[str]]:
    visits.sort(
        key=lambda found: (found[0], found[1].check_in, found[1].check_out, found[1].facility, found[1].visit_id)
    )
    for person, visit in visits:
        yield [
            safe_cell(person),
            safe_cell(str(visit.facility)),
            text_of(visit.check_in, visit.time_zone),
            text_of(visit.check_out, visit.time_zone),
            "true" if visit.check_in_estimated else "false",
            "true" if visit.check_out_estimated else "false",
        ]


def _count_rows(counts: dict[FacilityHour, Counts], time_zone: str) -> Iterator[list[str]]:
    """An hour that counts only what this file does not show (manual, flagged) has no row."""
    for (facility, hour), count in sorted(counts.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        shown = (count.arrivals, count.departures, count.visitors, count.estimated, count.refused)
        if not any(shown) and not count.person_us:
            continue
        yield [
            safe_cell(str(facility)),
            hour_text(hour, time_zone),
            *map(str, shown[:3]),
            person_minutes(count.person_us),
            *map(str, shown[3:]),
        ]
