"""`jejak pair`: what a file of scans becomes, and what happens when it cannot be used."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from schemas.errors import BadInput
from tests.tracing.naive_counts import naive_counts
from tests.tracing.naive_visits import naive_visits
from tests.tracing.persons import at, scans_of_one_person
from tracing.instants import text_of
from tracing.pair import PROGRESS_ROWS, SCAN_COLUMNS, Paired, pair, person_minutes
from tracing.records import SeenScan

HEADER = ",".join(SCAN_COLUMNS) + "\n"
GOOD = "s1,p,F,clinic,,entrance,2021-07-01T08:00:00+07:00,true\n"
VISITS_HEADER = "person_id,facility_id,check_in,check_out,check_in_estimated,check_out_estimated\n"
COUNTS_HEADER = "facility_id,hour_start,arrivals,departures,visitors,person_minutes,estimated,refused\n"


def paired(folder: Path, content: str | bytes, zone: str = "Asia/Jakarta") -> tuple[str, str]:
    """Return the text of visits.csv and counts.csv."""
    scans = folder / "S.csv"
    scans.write_bytes(content if isinstance(content, bytes) else content.encode())
    pair(scans, folder / "out", zone)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["counts.csv", "visits.csv"]
    return (folder / "out" / "visits.csv").read_bytes().decode(), (folder / "out" / "counts.csv").read_bytes().decode()


def test_scans_become_visits_and_counts(tmp_path: Path) -> None:
    visits, counts = paired(
        tmp_path,
        HEADER
        + GOOD
        + "s2,p,F,clinic,,exit,2021-07-01T02:30:00.5Z,true\n"
        + "s3,p,F,clinic,,entrance,2021-07-01T09:40:00+07:00,false\n"
        + "s1,a,R,laboratory,ward,zone,2021-07-01T23:59:59.999999+07:00,true\n",
    )
    assert visits == (
        VISITS_HEADER
        + "a,R,2021-07-01T23:59:59.999999+07:00,2021-07-02T00:59:59.999999+07:00,false,true\n"
        + "p,F,2021-07-01T08:00:00+07:00,2021-07-01T09:30:00.500000+07:00,false,false\n"
    )
    assert counts == (
        COUNTS_HEADER
        + "F,2021-07-01T08:00:00+07:00,1,0,1,60.000,0,0\n"
        + "F,2021-07-01T09:00:00+07:00,0,1,1,30.008,0,1\n"
        + "R,2021-07-01T23:00:00+07:00,1,0,1,0.000,0,0\n"
        + "R,2021-07-02T00:00:00+07:00,0,1,1,60.000,1,0\n"
    )


@pytest.mark.parametrize(
    ("microseconds", "minutes"),
    [
        (0, "0.000"),
        (29_999, "0.000"),
        (30_000, "0.001"),
        (89_999, "0.001"),
        (90_000, "0.002"),
        (150_000, "0.003"),
        (3_600_000_000, "60.000"),
        (59_999_970_000, "1000.000"),
        (123_456_789_012_345, "2057613.150"),
    ],
)
def test_minutes_are_rounded_half_up_to_three_decimals(microseconds: int, minutes: str) -> None:
    assert person_minutes(microseconds) == minutes


def test_zone_of_the_option_sets_hours_and_offsets(tmp_path: Path) -> None:
    visits, counts = paired(tmp_path, HEADER + GOOD, "Asia/Kathmandu")
    assert visits.splitlines()[1] == "p,F,2021-07-01T06:45:00+05:45,2021-07-01T08:45:00+05:45,false,true"
    assert [row.split(",")[1] for row in counts.splitlines()[1:]] == [
        "2021-07-01T06:00:00+05:45",
        "2021-07-01T07:00:00+05:45",
        "2021-07-01T08:00:00+05:45",
    ]


def test_ids_are_text_and_sorted_by_code_point(tmp_path: Path) -> None:
    ids = ["é", "a", "Z", "7", "007", "NA", "null", "1e3", "TRUE", " 7"]
    content = HEADER + "".join(GOOD.replace(",p,", f",{person},") for person in ids)
    visits, counts = paired(tmp_path, content)
    assert [row.split(",")[0] for row in visits.splitlines()[1:]] == sorted(ids)
    assert counts.splitlines()[1].endswith(",10,0,10,600.000,0,0")


def test_an_exported_cell_is_no_formula_and_the_id_stays_readable(tmp_path: Path) -> None:
    content = HEADER + GOOD.replace(",p,F,", ',"=cmd|\'x\'!A1,""q""",@F,') + GOOD.replace(",p,F,", ",-5,@F,")
    visits, counts = paired(tmp_path, content)
    rows = list(csv.reader(visits.splitlines()))
    assert [row[:2] for row in rows[1:]] == [["-5", "'@F"], ["'=cmd|'x'!A1,\"q\"", "'@F"]]
    assert {row.split(",")[0] for row in counts.splitlines()[1:]} == {"'@F"}


def test_a_repeated_row_is_dropped_also_in_another_offset(tmp_path: Path) -> None:
    again = "s1,p,F,clinic,,entrance,2021-07-01T01:00:00Z,true\n"
    assert paired(tmp_path, HEADER + GOOD + again) == paired(tmp_path, HEADER + GOOD)


def test_the_same_scan_id_of_another_person_is_another_scan(tmp_path: Path) -> None:
    assert len(paired(tmp_path, HEADER + GOOD + GOOD.replace(",p,", ",q,"))[0].splitlines()) == 3


def test_role_and_channel_may_be_given_and_may_be_empty(tmp_path: Path) -> None:
    header = HEADER.strip() + ",channel,role,note\n"
    inpatient = GOOD.strip().replace("clinic", "hospital") + ",officer,inpatient,x\n"
    visits, _ = paired(tmp_path, header + inpatient + "s,q,G,clinic,,exit,2021-07-01T08:00:00+07:00,true,,,\n")
    assert visits.splitlines()[1:] == [
        "p,F,2021-07-01T08:00:00+07:00,2021-07-31T08:00:00+07:00,false,true",
        "q,G,2021-07-01T06:00:00+07:00,2021-07-01T08:00:00+07:00,true,false",
    ]


def test_an_hour_that_counts_only_what_is_not_shown_has_no_row(tmp_path: Path) -> None:
    header = HEADER.strip() + ",channel\n"
    entrances = [
        f"s{minute},p,L,laboratory,,entrance,2021-07-01T08:{minute:02}:00+07:00,true,app\n"
        for minute in range(50, 60, 9)
    ]
    ignored = "s9,q,F,clinic,,exit,2021-07-01T10:05:00+07:00,true,officer\n"
    closing = "s8,q,F,clinic,,exit,2021-07-01T09:58:00+07:00,true,app\n"
    _, counts = paired(tmp_path, header + "".join(entrances) + closing + ignored)
    assert "F,2021-07-01T09:00:00+07:00" in counts
    assert "T10:00:00" not in counts


def test_scans_of_the_nineteenth_century_have_clock_hours(tmp_path: Path) -> None:
    content = HEADER + GOOD.replace("2021-07-01T08:00:00+07:00", "1850-01-01T08:30:00+07:07:12")
    visits, counts = paired(tmp_path, content)
    assert "p,F,1850-01-01T08:30:00+07:07:12,1850-01-01T10:30:00+07:07:12,false,true" in visits
    assert "F,1850-01-01T08:00:00+07:07:12,1,0,1,30.000,0,0" in counts


@pytest.mark.parametrize("content", [HEADER, HEADER.strip(), "\ufeff" + HEADER.replace("\n", "\r\n")])
def test_no_scans_make_two_files_with_a_header_only(tmp_path: Path, content: str) -> None:
    assert paired(tmp_path, content) == (VISITS_HEADER, COUNTS_HEADER)


@settings(deadline=None, max_examples=40)
@given(scans_of_one_person(size_max=8))
def test_a_file_gives_what_the_naive_fold_gives(
    tmp_path_factory: pytest.TempPathFactory, scans: list[SeenScan]
) -> None:
    lines = [
        f"{s.scan_id},{s.person},{s.facility},{s.kind},{s.zone},{s.gate},"
        f"{text_of(s.at, s.time_zone)},{str(s.admitted).lower()}\n"
        for s in scans
    ]
    visits, counts = paired(tmp_path_factory.mktemp("pair"), HEADER + "".join(lines), "Asia/Makassar")
    plain = [
        SeenScan(s.scan_id, s.person, s.facility, s.kind, "Asia/Makassar", s.gate, s.zone, s.at, s.admitted)
        for s in scans
    ]
    naive = naive_visits(plain)
    assert len(visits.splitlines()) == 1 + len(naive)
    recount = naive_counts(naive, plain, {str(s.facility): s.time_zone for s in plain})
    rows = {(row["facility_id"], row["hour_start"]): row for row in csv.DictReader(counts.splitlines())}
    assert len(rows) == len(recount)
    for (facility, hour), count in recount.items():
        row = rows[facility, text_of(hour, "Asia/Makassar")]
        for name in ("arrivals", "departures", "visitors", "estimated", "refused"):
            assert int(row[name]) == count[name]


def changed(**fields: str) -> str:
    return ",".join({**dict(zip(SCAN_COLUMNS, GOOD.strip().split(","), strict=True)), **fields}.values()) + "\n"


NIK = "3671015507900001"
BAD_ROWS = [
    (changed(scan_id="", person_id=NIK), "scan_id"),
    (changed(person_id=""), "person_id"),
    (changed(facility_id="", person_id=NIK), "facility_id"),
    (changed(kind="cinema", person_id=NIK), "kind"),
    (changed(kind="Clinic"), "kind"),
    (changed(scan_id="s2", kind="hospital", person_id=NIK), "kind"),
    (changed(gate="door", person_id=NIK), "gate"),
    (changed(gate=""), "gate"),
    (changed(admitted="yes", person_id=NIK), "admitted"),
    (changed(admitted="True"), "admitted"),
    (changed(admitted=""), "admitted"),
    (changed(at="", person_id=NIK), "at"),
    (changed(at="2021-07-01T08:00:00", person_id=NIK), "at"),
    (changed(at="2021-07-01T08:00:00.1234567+07:00"), "at"),
    (changed(at="1799-12-31T23:00:00+07:00"), "at"),
    (changed(at="2200-01-01T00:00:00+07:00"), "at"),
    (changed(at=NIK), "at"),
    (changed(zone="A"), "scan_id"),
    (changed(admitted="false"), "scan_id"),
    (changed(facility_id="G"), "scan_id"),
    (changed(at="2021-07-01T08:00:00.000001+07:00"), "scan_id"),
    (changed(person_id=NIK).strip() + ",more\n", "admitted"),
    (f"s2,{NIK},F\n", "kind"),
    (changed(person_id=f"{NIK}\0"), "person_id"),
    (changed(facility_id="x" * 65_537, person_id=NIK), "facility_id"),
    ("\n", "scan_id"),
]


@pytest.mark.parametrize(("row", "field"), BAD_ROWS)
def test_a_bad_row_is_named_by_line_and_field_and_nothing_is_written(tmp_path: Path, row: str, field: str) -> None:
    two_lines = changed(scan_id="s0", zone='"a\nb"')
    with pytest.raises(BadInput) as refused:
        paired(tmp_path, HEADER + GOOD + two_lines + row + GOOD)
    assert (refused.value.line, refused.value.field) == (5, field)
    assert NIK not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["S.csv"]


@pytest.mark.parametrize(("column", "value"), [("role", "nurse"), ("channel", "fax"), ("role", "Staff")])
def test_an_unknown_role_or_channel_is_a_bad_row(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"line 2, field {column}"):
        paired(tmp_path, f"{HEADER.strip()},{column}\n{GOOD.strip()},{value}\n")


@pytest.mark.parametrize("column", SCAN_COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    columns = [name for name in SCAN_COLUMNS if name != column]
    with pytest.raises(BadInput, match=f"line 1, field {column}: column is missing"):
        paired(tmp_path, ",".join(columns) + "\n")


def test_invalid_utf8_is_a_bad_row(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 2, field zone: is not UTF-8"):
        paired(tmp_path, (HEADER + changed(zone="\xe9")).encode("latin-1"))


def test_a_bad_row_leaves_earlier_results_as_they_were(tmp_path: Path) -> None:
    before = paired(tmp_path, HEADER + GOOD)
    with pytest.raises(BadInput):
        paired(tmp_path, HEADER + changed(gate="door"))
    assert (tmp_path / "out" / "visits.csv").read_bytes().decode() == before[0]


def test_progress_is_told_now_and_then(tmp_path: Path) -> None:
    scans = tmp_path / "S.csv"
    scans.write_text(HEADER + GOOD * (2 * PROGRESS_ROWS + 1))
    told: list[int] = []
    assert pair(scans, tmp_path / "out", "Asia/Jakarta", progress=told.append) == Paired(1, 1, 1, 3)
    assert told == [PROGRESS_ROWS, 2 * PROGRESS_ROWS]


def jejak_pair(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ops.cli", "pair", *arguments]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_answers_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "S.csv").write_text(HEADER + GOOD)
    done = jejak_pair(tmp_path, "--scans", "S.csv", "--out", "results")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"1 scans .*\n", done.stdout)
    assert (tmp_path / "results" / "visits.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scans", "S.csv", "--out", "out"), "line 2, field gate"),
        (("--scans", "S.csv", "--out", "S.csv"), "field --out"),
        (("--scans", "S.csv", "--out", "out", "--timezone", "Asia/Nowhere"), "field --timezone"),
        (("--scans", "missing.csv", "--out", "out"), "field --scans"),
    ],
)
def test_the_command_refuses_in_one_line_with_exit_2(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "S.csv").write_text(HEADER + changed(gate="door", person_id=NIK))
    done = jejak_pair(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"jejak: {said}: [^\n]*\n", done.stderr)
    assert NIK not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["S.csv"]


def test_scans_may_come_in_any_order(tmp_path: Path) -> None:
    rows = [
        GOOD,
        changed(scan_id="s2", gate="exit", at="2021-07-01T09:00:00+07:00"),
        changed(person_id="q", scan_id="é"),
    ]
    assert paired(tmp_path, HEADER + "".join(rows)) == paired(tmp_path, HEADER + "".join(reversed(rows)))
    assert at("09:00") - at("08:00") == 3_600_000_000
