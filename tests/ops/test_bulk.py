"""`jejak bulk`: the rows of the online trace and of the local engine; on real Spark with two cores."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pyarrow import parquet

from ops.store import OPERATOR, transaction
from schemas.settings import Settings
from tests.tracing.ward import FACILITIES, ONSET, Town, positive, somebody
from tracing.bulk.archive import archive
from tracing.bulk.writing import CONTACT_COLUMNS
from tracing.cases.lookup import find
from tracing.cases.rows import person_uuid
from tracing.instants import MINUTE_US, text_of, us_of
from tracing.overlaps import Spans, overlapping
from tracing.pair import person_minutes
from tracing.rulesets import rule_of
from tracing.visits import Visit
from tracing.windows import case_window

pytestmark = pytest.mark.timeout(900)  # Java starts in every test

DAY = "2026-11-12"
WHY = "the evening's list"
WEEK = "2026-W46"  # begins on 9 November
CASES = 8
PERSONS = [person_uuid(somebody(number)) for number in range(30)]
LENGTHS = (20, 60, 239, 1_440, 1_441, 4 * 1_440, 13 * 1_440)  # minutes
START = us_of(positive(somebody(0)).specimen_at) - 20 * 1_440 * MINUTE_US


def stays(random: Random, town: Town) -> list[Visit]:
    """Return visits around the cases' days, in two time zones, some over weeks, some of guessed ends."""
    made = []
    for _ in range(500):
        place = random.choice(("RS-1", "PKM-1", "RS-9"))
        check_in = START + random.randrange(40 * 1_440) * MINUTE_US + random.choice([0, random.randrange(MINUTE_US)])
        length = int(random.choice(LENGTHS) * random.random()) * MINUTE_US
        made.append(
            Visit(
                str(UUID(int=random.getrandbits(128))),
                random.choice(PERSONS),
                town.numbers[place],
                FACILITIES[place][1],
                FACILITIES[place][2],
                check_in,
                check_in + length,
                random.random() < 0.2,
                random.random() < 0.3,
                "visitor",
            )
        )
    return made


class Place:
    """A town with cases of a day, some isolated, and its archive."""

    def __init__(self, town: Town, folder: Path) -> None:
        random = Random(5)
        self.town, self.archive = town, folder / "archive"
        self.visits = stays(random, town)
        town.stays(self.visits)
        for number in range(CASES):
            isolation = None if number % 2 else ONSET + timedelta(days=random.randrange(5))
            town.take(positive(somebody(number), date_isolation=isolation))
        town.take(positive(somebody(CASES), received_at=positive("").received_at + timedelta(days=1)))  # of another day
        with transaction(town.settings, OPERATOR) as conn:
            archive(conn, self.archive, lambda _: None)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        settings: Settings = self.town.settings
        ours = {
            "JEJAK_DATABASE": settings.database,
            "JEJAK_SECRETS": str(settings.secrets_dir),
            "JEJAK_HOME": str(settings.home),
        }
        command = [sys.executable, "-m", "ops.cli", "bulk", "--cores", "2", "--memory", "1g", *words]
        return subprocess.run(command, env=os.environ | ours, check=False, capture_output=True, text=True)

    def online(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Return the rows of contacts.csv and exposures.csv that the online trace's own look-up makes."""
        rule, contacts, exposures = rule_of(), [], []
        rows = self.town.ask(
            'select case_id, person::text, date_onset, date_isolation from "case" where person = any(%s::uuid[])',
            PERSONS[:CASES],
        )
        with self.town.as_role("jejak_traces") as cur:
            for case_id, person, onset, isolation in rows:
                window_in = lambda zone, day=onset, end=isolation: case_window(rule, day, end, zone)  # noqa: E731 — of this case
                met: dict[str, list[Any]] = {}
                for one in find(cur, rule, person, window_in).exposures:
                    met.setdefault(one.to_person, []).append(one)
                    exposures.append(_exposure_row(case_id, one))
                contacts += [_contact_row(case_id, onset, found) for found in met.values()]
        return contacts, exposures


def _exposure_row(case_id: str, one: Any) -> dict[str, str]:
    zone = one.place.time_zone
    return {
        "case_id": case_id,
        "from_visit_id": one.from_visit,
        "to_visit_id": one.to_visit,
        "from": one.from_person,
        "to": one.to_person,
        "degree": "1",
        "start": text_of(one.start, zone),
        "end": text_of(one.end, zone),
    }


def _contact_row(case_id: str, onset: date, found: list[Any]) -> dict[str, str]:
    longest = min(found, key=lambda one: (one.start - one.end, one.start, one.end, one.from_visit, one.to_visit))
    zone = longest.place.time_zone
    day = date.fromisoformat(text_of(longest.start, zone)[:10])
    return {
        "from": longest.from_person,
        "to": longest.to_person,
        "case_id": case_id,
        "degree": "1",
        "facility_id": longest.place.facility_id,
        "first_overlap_start": text_of(min(one.start for one in found), zone),
        "last_overlap_end": text_of(max(one.end for one in found), zone),
        "overlap_minutes": person_minutes(sum(one.end - one.start for one in found)),
        "overlaps": str(len(found)),
        "days_from_onset": str((day - onset).days),
        "estimated": "true" if any(one.estimated_ends for one in found) else "false",
        "rule": "kmk-4641-2021",
    }


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def in_order(rows: list[dict[str, str]]) -> list[Mapping[str, str]]:
    return sorted(rows, key=lambda row: tuple(row.values()))


@pytest.fixture(scope="module")
def place(fresh_database: Callable[[], Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    town = Town(fresh_database())
    yield Place(town, tmp_path_factory.mktemp("bulk"))
    town.close()


def test_a_days_cases_from_the_archive_have_the_rows_of_the_online_trace(place: Place, tmp_path: Path) -> None:
    contacts, exposures = place.online()
    assert len({row["case_id"] for row in contacts}) == CASES
    done = place.run("--date", DAY, "--archive", str(place.archive), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"8 cases: {len(contacts):,} contacts by {len(exposures):,} exposures written\n"
    assert done.stderr.splitlines() == ["starting Spark", "looking for the contacts of 8 cases"]
    found = read(tmp_path / "out" / "contacts.csv")
    assert tuple(found[0]) == CONTACT_COLUMNS
    assert in_order(found) == in_order(contacts)
    assert in_order(read(tmp_path / "out" / "exposures.csv")) == in_order(exposures)
    order = [(row["case_id"], -float(row["overlap_minutes"]), row["to"]) for row in found]
    assert order == sorted(order)


def test_over_jdbc_the_same_rows_are_written_and_stored_once_however_often(place: Place, tmp_path: Path) -> None:
    contacts, exposures = place.online()
    for _ in range(2):
        done = place.run("--date", DAY, "--out", str(tmp_path), "--store", "--reason", WHY)
        assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"exposures written; {len(contacts):,} contacts stored\n")
    assert in_order(read(tmp_path / "contacts.csv")) == in_order(contacts)
    assert in_order(read(tmp_path / "exposures.csv")) == in_order(exposures)
    with place.town.as_role("jejak_ops") as cur:
        cur.execute(
            "select b.case_id, person::text, facility_id, overlap_us, exposures, estimated, day::text, rule"
            " from bulk_contact b join facility f using (facility_no)"
        )
        stored = [(*row[:3], person_minutes(row[3]), str(row[4]), str(row[5]).lower(), *row[6:]) for row in cur]
    seen = place.town.ask("select object from audit where action = 'traced with its day' and reason = %s", WHY)
    assert sorted(seen) == sorted(2 * [(case_id,) for case_id in {row["case_id"] for row in contacts}])
    names = ("case_id", "to", "facility_id", "overlap_minutes", "overlaps", "estimated")
    assert sorted(stored) == sorted((*(row[name] for name in names), DAY, "kmk-4641-2021") for row in contacts)


def test_all_pairs_of_a_week_are_those_of_the_local_engine(place: Place, tmp_path: Path) -> None:
    done = place.run(
        "--week", WEEK, "--pairs", "--minutes", "30", "--archive", str(place.archive), "--out", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    columns = zip(*((one.facility, one.check_in, one.check_out) for one in place.visits), strict=True)
    spans = Spans(*(np.array(column, dtype=np.int64) for column in columns))
    begin, expected = us_of(datetime(2026, 11, 9, tzinfo=UTC)), set()
    for one, other in zip(*(side.tolist() for side in overlapping(spans, spans)), strict=True):
        a, b = place.visits[one], place.visits[other]
        start, end = max(a.check_in, b.check_in), min(a.check_out, b.check_out)
        in_week = begin <= start < begin + 7 * 1_440 * MINUTE_US
        if a.visit_id < b.visit_id and a.person != b.person and end - start >= 30 * MINUTE_US and in_week:
            expected.add((a.facility, a.visit_id, b.visit_id, a.person, b.person, start, end))
    found = [tuple(row.values()) for row in parquet.read_table(tmp_path).to_pylist()]
    assert len(found) > 100
    assert sorted(found) == sorted(expected)
    assert done.stdout == f"{len(found):,} pairs of visits together for 30 minutes or more\n"
    again = place.run("--week", WEEK, "--pairs", "--archive", str(place.archive), "--out", str(tmp_path))
    assert again.returncode == 2
    assert again.stderr == "jejak: field --out: is not empty: pairs of two runs are not to be mixed\n"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--out", "x"], "--date"),
        (["--date", DAY, "--week", WEEK, "--pairs", "--out", "x"], "--date"),
        (["--date", DAY], "--out"),
        (["--week", WEEK, "--out", "x"], "--week"),
        (["--date", DAY, "--pairs", "--out", "x"], "--week"),
        (["--week", "2026-W54", "--pairs", "--out", "x"], "--week"),
        (["--week", "46", "--pairs", "--out", "x"], "--week"),
        (["--week", WEEK, "--pairs", "--store"], "--store"),
        (["--date", DAY, "--out", "x", "--rule", "custom"], "minutes"),
        (["--date", DAY, "--out", "x", "--timezone", "Mars/Olympus"], "--timezone"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_nothing_starts(place: Place, words: list[str], field: str) -> None:
    done = place.run(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"jejak: field {field}: ")
    assert done.stderr.count("\n") == 1


def test_the_script_for_a_cluster_runs_on_this_machine(place: Place, tmp_path: Path) -> None:
    contacts, _ = place.online()
    rows = place.town.ask(
        "select case_id, person::text, date_onset, '', coalesce(date_isolation::text, '') from \"case\""
        " where person = any(%s::uuid[])",
        PERSONS[:CASES],
    )
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "C.csv").write_text("case_id,person_id,date_onset,date_specimen,date_isolation\n" + "\n".join(lines))
    script = Path(__file__).parents[2] / "docs" / "guides" / "spark-submit.sh"
    words = ["bulk", "--cases", "C.csv", "--archive", str(place.archive), "--out", "out"]
    done = subprocess.run(
        [str(script), *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHON": sys.executable, "DRIVER_MEMORY": "1g", "PARTITIONS": "4"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert in_order(read(tmp_path / "out" / "contacts.csv")) == in_order(contacts)
