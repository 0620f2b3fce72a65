"""The archive: visits as Parquet, a folder for each week of check-ins, each whole or not there.

`week=2021-07-05/visits.parquet` with its `manifest.json` (rows, SHA-256, fingerprint of the rows in the database). A
week that stands as it did is not written again, so an archive that was cut off goes on where it was, and late visits
renew their week. Stays over a day are in the week of their check-in, like all others.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyarrow import parquet

from schemas.errors import BadInput
from tracing.bulk.store import Connection, Week, stored_weeks, visits_of_week

SCHEMA: Final = pa.schema(
    [
        ("visit", pa.string()),
        ("person", pa.string()),
        ("facility", pa.int64()),
        ("facility_id", pa.string()),
        ("time_zone", pa.string()),
        ("check_in", pa.int64()),  # microseconds since 1970
        ("check_out", pa.int64()),
        ("recorded", pa.bool_()),  # somebody scanned the check-out
        ("check_in_estimated", pa.bool_()),
        ("role", pa.string()),
    ]
)
VISITS: Final = "visits.parquet"
MANIFEST: Final = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a week's folder holds."""

    week: str
    rows: int
    fingerprint: int
    sha256: str


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive did; `rows` are all of the database."""

    weeks: int
    written: int
    rows: int


def archive(conn: Connection, folder: Path, say: Callable[[str], None]) -> Archived:
    """Bring the archive to what the database holds.

    Args:
        conn: in a transaction that sees one state of the data.
        folder: of the archive; made if it is not there.
        say: told of each week written.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput("is a file", field="--out")
    folder.mkdir(parents=True, exist_ok=True)
    weeks = stored_weeks(conn)
    written = 0
    for week in weeks:
        if not _stands(folder / name_of(week), week):
            _write(conn, folder, week)
            written += 1
            say(f"{name_of(week)}: {week.rows:,} visits")
    for gone in {path.name for path in folder.glob("week=*")} - {name_of(week) for week in weeks}:
        shutil.rmtree(folder / gone)  # its visits were voided or moved to another week
    return Archived(weeks=len(weeks), written=written, rows=sum(week.rows for week in weeks))


def name_of(week: Week) -> str:
    """Return the name of a week's folder."""
    return f"week={week.monday.isoformat()}"


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a week's folder should hold; None where there is no whole one."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return None


def _stands(folder: Path, week: Week) -> bool:
    found = read_manifest(folder)
    if found is None or (found.rows, found.fingerprint) != (week.rows, week.fingerprint):
        return False
    path = folder / VISITS
    return path.is_file() and _sha256(path) == found.sha256


def _write(conn: Connection, folder: Path, week: Week) -> None:
    """Write a week beside its place and move it there when it is whole."""
    part = folder / f"part-{name_of(week)}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    rows = 0
    with parquet.ParquetWriter(part / VISITS, SCHEMA, compression="zstd") as writer:
        for batch in visits_of_week(conn, week.monday):
            rows += len(batch)
            writer.write_table(_table(batch))
    assert rows == week.rows, "a snapshot holds as many visits as it counts"
    manifest = Manifest(
        week=week.monday.isoformat(), rows=rows, fingerprint=week.fingerprint, sha256=_sha256(part / VISITS)
    )
    (part / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    place = folder / name_of(week)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _table(rows: list[tuple[Any, ...]]) -> Any:  # noqa: ANN401 — Arrow has no types
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
