"""`jejak archive`: every visit once, whole weeks or nothing, and the same bytes for the same visits."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from ops.store import OPERATOR, OWNER, transaction
from schemas.errors import BadInput
from schemas.settings import Settings
from tracing.bulk.archive import MANIFEST, VISITS, Archived, archive, read_manifest

FACILITY = (
    "insert into facility (facility_id, name, kind, time_zone, district)"
    " values ('F', 'F', 'hospital', 'Asia/Jakarta', '36.71')"
)
VISIT = (
    "insert into {table} (key, person, check_in, check_out, visit_id, check_in_estimated, check_out_estimated, role)"
    " select f.facility_no * 8 + %s, gen_random_uuid(), %s, %s, gen_random_uuid(), false, %s, 'visitor' from facility f"
)
SHORT = [
    (0, "2026-03-01T23:59:59.999999Z", "2026-03-02T00:10Z", False),  # the last of a week
    (0, "2026-03-02T00:00Z", "2026-03-02T00:00Z", True),  # the first of the next, of no length
    (1, "2026-03-04T10:00Z", "2026-03-04T12:00:00.000001Z", False),
]
LONG = (4, "2026-03-03T10:00Z", "2026-03-12T10:00Z", False)


@pytest.fixture
def database(fresh_database: Callable[[], Settings]) -> Settings:
    settings = fresh_database()
    with transaction(settings, OWNER) as conn, conn.cursor() as cur:
        cur.execute(FACILITY)
        for day in ("2026-03-01", "2026-03-02"):
            cur.execute("select make_visit_partition(%s)", (day,))
        for row in SHORT:
            cur.execute(VISIT.format(table="visit"), row)
        cur.execute(VISIT.format(table="visit_long"), LONG)
    return settings


def archived(settings: Settings, folder: Path) -> Archived:
    with transaction(settings, OPERATOR) as conn:
        return archive(conn, folder, lambda _: None)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_visit_is_there_once_stays_over_a_day_in_the_week_of_their_check_in(
    database: Settings, tmp_path: Path
) -> None:
    assert archived(database, tmp_path) == Archived(weeks=2, written=2, rows=4)
    names = ["week=2026-02-23", "week=2026-03-02"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    tables = [parquet.read_table(tmp_path / name / VISITS) for name in names]
    assert [table.num_rows for table in tables] == [1, 3]
    lengths = [(row["check_out"] - row["check_in"], row["recorded"]) for table in tables for row in table.to_pylist()]
    minute = 60_000_000
    assert lengths == [
        (10 * minute + 1, True),
        (0, False),
        (9 * 24 * 60 * minute, True),
        (120 * minute + 1, True),
    ]


def test_the_same_visits_give_the_same_bytes_and_are_written_once(database: Settings, tmp_path: Path) -> None:
    archived(database, tmp_path / "one")
    before = files_of(tmp_path / "one")
    assert archived(database, tmp_path / "one").written == 0
    archived(database, tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == before


@pytest.mark.parametrize("harm", ["cut", "changed", "no manifest", "no visits"])
def test_a_week_that_is_not_whole_is_written_again(database: Settings, tmp_path: Path, harm: str) -> None:
    archived(database, tmp_path)
    whole = files_of(tmp_path)
    visits, manifest = (tmp_path / "week=2026-03-02" / name for name in (VISITS, MANIFEST))
    if harm in {"cut", "changed"}:
        data = visits.read_bytes()
        visits.write_bytes(data[:-1] if harm == "cut" else bytes([data[0] ^ 1]) + data[1:])
    else:
        (manifest if harm == "no manifest" else visits).unlink()
    (tmp_path / "part-week=2026-02-23").mkdir()  # as one that was killed left it
    assert archived(database, tmp_path).written == 1
    assert {name: data for name, data in files_of(tmp_path).items() if not name.startswith("part")} == whole


def test_a_late_or_changed_visit_renews_its_week_alone(database: Settings, tmp_path: Path) -> None:
    archived(database, tmp_path)
    with transaction(database, OWNER) as conn, conn.cursor() as cur:
        cur.execute("update visit set check_out = check_out + interval '1 microsecond' where check_in < '2026-03-02'")
    first = read_manifest(tmp_path / "week=2026-02-23")
    assert archived(database, tmp_path).written == 1
    assert read_manifest(tmp_path / "week=2026-02-23") != first
    with transaction(database, OWNER) as conn, conn.cursor() as cur:
        cur.execute("delete from visit where check_in < '2026-03-02'")
    assert archived(database, tmp_path) == Archived(weeks=1, written=0, rows=3)
    assert [path.name for path in tmp_path.iterdir()] == ["week=2026-03-02"]


def test_a_file_is_no_folder_of_an_archive(database: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="--out"):
        archived(database, tmp_path / "file")


def test_the_command_says_what_it_wrote(database: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops.cli", "archive", "--out", str(tmp_path / "a")]
    env = {
        "JEJAK_DATABASE": database.database,
        "JEJAK_SECRETS": str(database.secrets_dir),
        "JEJAK_HOME": str(database.home),
        "PATH": "",
    }
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    assert done.stdout == "4 visits in 2 weeks, 2 of them written\n"
