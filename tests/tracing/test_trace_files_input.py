"""What files of visits and cases may look like, and the one line that says where one cannot be used."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from tests.tracing.trace_cases import CASES, VISITS, ZONES, read_table
from tracing.files import instant_us, read_header
from tracing.filetrace.arrow_texts import hashes, instants
from tracing.filetrace.instant_columns import instants_us, texts_of
from tracing.filetrace.package import Question
from tracing.filetrace.plain_rows import NotPlainError, plain_rows
from tracing.filetrace.run import trace_files
from tracing.filetrace.visit_columns import VISIT_COLUMNS, Columns, read_plain, read_strictly
from tracing.filetrace.visit_file import VisitFile
from tracing.instants import HOUR_US, SECOND_US, text_of, us_of
from tracing.rulesets import rule_of

V_HEADER = ",".join(VISITS) + "\n"
C_HEADER = ",".join(CASES) + "\n"
V_ROWS = (
    "v1,A,F,ward,2021-11-03T08:00:00+07:00,2021-11-03T10:00:00+07:00\n"
    "v2,B,F,,2021-11-03T09:00:00+07:00,2021-11-03T09:42:00+07:00\n"
)
C_ROWS = "K1,A,2021-11-04,,\n"


def silent(_: int) -> None:
    """Hear of progress and say nothing."""


def traced(folder: Path, visits: str | bytes, cases: str | bytes = C_HEADER + C_ROWS) -> list[dict[str, str]]:
    """Return the rows of contacts.csv."""
    for name, content in (("V.csv", visits), ("C.csv", cases)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    question = Question(rule=rule_of(), asked_at=datetime(2021, 11, 9, tzinfo=UTC))
    trace_files(folder / "V.csv", folder / "C.csv", folder / "out", question)
    return read_table(folder / "out" / "contacts.csv")


def refused(folder: Path, visits: str | bytes, cases: str | bytes = C_HEADER + C_ROWS) -> str:
    """Return what is said of files that cannot be used; nothing may be written."""
    with pytest.raises(BadInput) as caught:
        traced(folder, visits, cases)
    assert sorted(path.name for path in folder.iterdir()) == ["C.csv", "V.csv"]
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("v2", "", "line 3, field visit_id: is empty (in --visits)"),
        ("B,", ",", "line 3, field person_id: is empty (in --visits)"),
        ("B,F", "B,", "line 3, field facility_id: is empty (in --visits)"),
        ("v2", "v1", "line 3, field visit_id: is there before (in --visits)"),
        ("2021-11-03T09:00:00+07:00", "", "line 3, field check_in: is empty (in --visits)"),
        ("T09:00:00+07:00", "T09:00:00", "line 3, field check_in: has no offset (in --visits)"),
        ("T09:00:00+07:00", "T24:00:00+07:00", "line 3, field check_in: is not an ISO 8601 instant (in --visits)"),
        ("2021-11-03T09:42", "2021-11-31T09:42", "line 3, field check_out: is not an ISO 8601 instant (in --visits)"),
        ("T09:42:00", "T08:59:59.999999", "line 3, field check_out: is before check_in (in --visits)"),
        (
            "2021-11-03T09:42",
            "2200-11-03T09:42",
            "line 3, field check_out: is outside the years 1800–2199 (in --visits)",
        ),
        (
            "2021-11-03T09:00",
            "1799-11-03T09:00",
            "line 3, field check_in: is outside the years 1800–2199 (in --visits)",
        ),
        (",,2021", ",2021", "line 3, field check_out: the row has 5 fields, the header has 6 (in --visits)"),
        (
            "T09:42:00+07:00",
            "T09:42:00+07:00,x",
            "line 3, field check_out: the row has 7 fields, the header has 6 (in --visits)",
        ),
        (",,2021", ",\0,2021", "line 3, field zone: holds a NUL (in --visits)"),
        (",,2021", "," + "z" * 65_537 + ",2021", "line 3, field zone: is longer than 64 KiB (in --visits)"),
        (",,2021", ',"z,2021', "line 3, field zone: has a quote or a line end that is not CSV (in --visits)"),
        ("v2,", "\nv2,", "line 3, field visit_id: the row has 0 fields, the header has 6 (in --visits)"),
        ("zone", "place", "line 1, field zone: column is missing (in --visits)"),
        ("zone", "check_in", "line 1, field zone: column is missing (in --visits)"),
    ],
)
def test_a_row_of_visits_that_cannot_be_used_is_named_by_line_and_field(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    head, tail = (V_HEADER + V_ROWS).rsplit(old, 1) if old != "zone" else (V_HEADER + V_ROWS).split(old, 1)
    assert refused(tmp_path, head + new + tail) == said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("K1,A,,,\n", "line 2, field date_onset: is empty, and so is date_specimen (in --cases)"),
        (",A,2021-11-04,,\n", "line 2, field case_id: is empty (in --cases)"),
        ("K1,,2021-11-04,,\n", "line 2, field person_id: is empty (in --cases)"),
        (C_ROWS + C_ROWS, "line 3, field case_id: is there before (in --cases)"),
        ("K1,A,2021-02-29,,\n", "line 2, field date_onset: is not an ISO 8601 date (in --cases)"),
        ("K1,A,2021-11-04,20211105,\n", "line 2, field date_specimen: is not an ISO 8601 date (in --cases)"),
        ("K1,A,2021-11-04,,yesterday\n", "line 2, field date_isolation: is not an ISO 8601 date (in --cases)"),
        ("K1,A,2200-01-01,,\n", "line 2, field date_onset: is outside the years 1800–2199 (in --cases)"),
        ("K1,A,2021-11-04,\n", "line 2, field date_isolation: the row has 4 fields, the header has 5 (in --cases)"),
    ],
)
def test_a_row_of_cases_that_cannot_be_used_is_named_by_line_and_field(tmp_path: Path, row: str, said: str) -> None:
    assert refused(tmp_path, V_HEADER + V_ROWS, C_HEADER + row) == said


def test_no_utf_8_is_named_by_line_and_field(tmp_path: Path) -> None:
    content = (V_HEADER + V_ROWS).encode().replace(b"ward", b"\xff")
    assert refused(tmp_path, content) == "line 2, field zone: is not UTF-8 (in --visits)"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n",
        lambda text: text.replace("A", '"A"').replace("B", '"B"'),
        lambda text: "\n".join(",".join(["x", *reversed(line.split(","))]) for line in text.splitlines()) + "\n",
    ],
    ids=["byte order mark", "CRLF", "no last newline", "a blank last line", "quotes", "order and extra column"],
)
def test_files_are_accepted_as_other_programs_write_them(tmp_path: Path, change: Callable[[str], str]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert traced(tmp_path / "one", change(V_HEADER + V_ROWS), change(C_HEADER + C_ROWS)) == traced(
        tmp_path / "two", V_HEADER + V_ROWS
    )


def test_extra_columns_of_visits_and_cases_are_kept(tmp_path: Path) -> None:
    visits = V_HEADER.strip() + ",note,id\n" + V_ROWS.replace(":00\n", ':00,"=a,b",7\n')
    cases = C_HEADER.strip() + ",sex,degree\n" + C_ROWS.strip() + ",f,high\n"
    traced(tmp_path, visits, cases)
    (row,) = read_table(tmp_path / "out" / "exposures.csv")
    assert (row["from_note"], row["to_note"], row["from_id"], row["to_id"]) == ("'=a,b", "'=a,b", "7", "7")
    case, candidate = read_table(tmp_path / "out" / "linelist.csv")
    assert (case["id"], case["sex"], case["cases_degree"], case["degree"]) == ("A", "f", "high", "0")
    assert (candidate["id"], candidate["sex"], candidate["cases_degree"], candidate["degree"]) == ("B", "", "", "1")


def test_empty_files_and_persons_without_visits_are_no_error(tmp_path: Path) -> None:
    assert traced(tmp_path, V_HEADER) == []
    assert traced(tmp_path, V_HEADER + V_ROWS, C_HEADER) == []
    assert traced(tmp_path, V_HEADER + V_ROWS, C_HEADER + "K1,nobody,2021-11-04,,\n") == []


def test_an_isolation_before_the_window_leaves_no_contacts(tmp_path: Path) -> None:
    assert traced(tmp_path, V_HEADER + V_ROWS, C_HEADER + "K1,A,2021-11-04,,2021-01-01\n") == []


def test_visits_may_come_through_a_pipe(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    expected = traced(tmp_path / "one", V_HEADER + V_ROWS)
    pipe, cases = tmp_path / "two" / "V", tmp_path / "one" / "C.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(V_HEADER + V_ROWS,))
    writer.start()
    question = Question(rule=rule_of(), asked_at=datetime(2021, 11, 9, tzinfo=UTC))
    trace_files(pipe, cases, tmp_path / "out", question)
    writer.join()
    assert read_table(tmp_path / "out" / "contacts.csv") == expected


CELLS = st.sampled_from(
    [
        "v",
        "",
        "F",
        "é",
        '"q"',
        '"a,b"',
        '"a\nb"',
        'x"',
        " ",
        "2021-11-03T08:00Z",
        "2021-11-03 08:00:00,5+0700",
        "\0",
        "\r",
    ]
)
TIMES = st.sampled_from(
    [
        "2021-11-03T08:00:00+07:00",
        "2021-11-03T08:00:00.25Z",
        "2021-11-03 09:00:00.000001-00:30",
        "2021-11-03T10:00+0700",
        "2021-11-03T11:00:00+07:00:01",
        "1800-01-01T00:00:00+23:59",
        "2199-12-31T23:59:59,999999-23:59",
    ]
)


@st.composite
def any_visits(draw: st.DrawFn) -> bytes:
    """Draw a file that may be good: most cells are, and no two visits have one id."""
    columns = draw(st.permutations([*VISITS, "note"]))
    lines = [",".join(columns)]
    for number in range(draw(st.integers(0, 5))):
        first, last = sorted([draw(TIMES), draw(TIMES)])
        row = {
            "visit_id": f"v{number}",
            "person_id": draw(st.sampled_from(["A", "é", '"a ""b"""', "\u2028"])),
            "facility_id": draw(st.sampled_from(["F", '"F"', '"F,G"'])),
            "zone": draw(st.sampled_from(["", "z"])),
            "check_in": first,
            "check_out": draw(st.sampled_from([last, ""])),
            "note": "",
        }
        if draw(st.integers(0, 4)) == 0:
            row[draw(st.sampled_from(columns))] = draw(CELLS)
        lines.append(
            ",".join(row[name] if "," not in row[name] or row[name][0] == '"' else f'"{row[name]}"' for name in columns)
        )
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return (newline.join(lines) + draw(st.sampled_from(["", newline, 2 * newline, 3 * newline]))).encode()


def shown(columns: Columns, file: VisitFile) -> list[tuple[object, ...]]:
    """Return every row as plain values."""
    visits = columns.visits
    details = file.details(np.arange(visits.person.size))
    each = zip(
        visits.person.tolist(), visits.facility.tolist(), columns.zone.tolist(), visits.check_in.tolist(),
        visits.check_out.tolist(), visits.recorded.tolist(), details, strict=True,
    )  # fmt: skip
    return [(columns.persons[p], columns.facilities[f], columns.zones[z], *rest) for p, f, z, *rest in each]


@settings(max_examples=300, deadline=None)
@given(any_visits())
def test_what_the_fast_reader_reads_the_strict_one_reads_too(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    header, begins = read_header(path, option="--visits", required=VISIT_COLUMNS)
    try:
        plain = read_plain(path, header, begins, silent)
    except NotPlainError:
        return
    strict = read_strictly(path, begins, silent)
    assert shown(plain, VisitFile(path, header, plain)) == shown(strict, VisitFile(path, header, strict))


def test_the_fast_reader_reads_good_files_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "V.csv"
    plain = V_HEADER + V_ROWS
    quoted = plain.replace("ward", '"ward, 3"').replace("\n", "\r\n")
    for content in (plain, quoted, plain + "\n", quoted + "\r\n\r\n"):
        path.write_bytes(content.encode())
        header, begins = read_header(path, option="--visits", required=VISIT_COLUMNS)
        assert read_plain(path, header, begins, silent).persons == ["A", "B"]


@given(st.lists(st.sampled_from(["a,b", "é,", '"x",y', ",", '"p,q",r']), max_size=12), st.integers(1, 9))
def test_parts_of_any_size_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], part_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "parts.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    whole = [row for part in plain_rows(path, 0, 2) for row in zip(*part.columns, strict=True)]
    parts = list(plain_rows(path, 0, 2, part_bytes))
    assert [row for part in parts for row in zip(*part.columns, strict=True)] == whole
    ends = [end for part in parts for end in part.ends.tolist()]
    assert ends == np.cumsum([len(f"{line}\n".encode()) for line in lines]).tolist()


ANY_TIME = st.datetimes(datetime(1800, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001 — a clock's face; its offset is written beside it


ISO_TEXTS = st.builds(
    lambda at, digits, point, t, offset: (
        at.isoformat(t, "microseconds").replace(".", point)[: 20 + digits - (digits == 0)] + offset
    ),
    ANY_TIME,
    st.integers(0, 6),
    st.sampled_from([".", ","]),
    st.sampled_from(["T", " "]),
    st.sampled_from(["Z", "+07:00", "-03:30", "+0700", "+07", "-23:59", "+05:30:15"]),
)


@given(st.lists(ISO_TEXTS, max_size=5))
def test_many_instants_at_once_are_each_what_it_is_alone(texts: list[str]) -> None:
    assert instants_us(texts).tolist() == [instant_us(text, field="at", line=1) for text in texts]


@given(st.lists(ANY_TIME, max_size=6), st.booleans(), st.sampled_from(sorted(ZONES)))
def test_many_instants_are_written_as_each_is_alone(times: list[datetime], whole: bool, zone: str) -> None:  # noqa: FBT001 — drawn
    middle = us_of(ZONES[zone])
    found = [us_of(at.replace(tzinfo=UTC)) for at in times] + [middle + hour * HOUR_US for hour in range(-30, 30)]
    found = [at // SECOND_US * SECOND_US if whole else at for at in found]
    assert texts_of(np.array(found, dtype=np.int64), zone) == [text_of(at, zone) for at in found]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2021-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2021-00-01T00:00:00Z",
        "2021-13-01T00:00:00Z",
        "2021-01-00T00:00:00Z",
        "2021-01-01T24:00:00Z",
        "2021-01-01T00:60:00Z",
        "2021-01-01T00:00:60Z",
        "2021-01-01T00:00:00",
        "2021-01-01T00:00:00+24:00",
        "2021-01-01T00:00:00+07:60",
        "2021-01-01T00:00:00.1234567Z",
        "2021-01-01T00:00:00.Z",
        "1799-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2021-01-01t00:00:00Z",
        "2021-01-01T00:00:00z",
        "2021/01/01T00:00:00Z",
        "2O21-01-01T00:00:00Z",
        "2021-01-01T00:00:00;1Z",
    ],
)
def test_an_instant_that_cannot_be_used_is_refused_among_many_too(text: str) -> None:
    with pytest.raises(BadInput):
        instants_us(["2021-01-01T00:00:00Z", text])


def test_every_day_of_four_centuries_is_counted_right() -> None:
    days = [date.fromordinal(day) for day in range(date(1800, 1, 1).toordinal(), date(2200, 1, 1).toordinal())]
    since = np.array([(day - date(1970, 1, 1)).days for day in days]) * 86_400_000_000
    assert np.array_equal(instants_us([f"{day}T00:00:00Z" for day in days]), since)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rule", "custom"], "jejak: field minutes: rule custom needs it\n"),
        (
            ["--rule", "kmk"],
            "jejak: field rule: is none of cdc-2020, cwa, kmk-413-2020, kmk-4641-2021, who-2022, custom\n",
        ),
        (["--timezone", "Asia/Nowhere"], "jejak: field --timezone: is not a known time zone\n"),
        (["--minutes", "-1"], "jejak: Invalid value for '--minutes': -1 is not in the range 0<=x<=10000000.\n"),
        (["--tail-minutes", "x"], "jejak: Invalid value for '--tail-minutes': 'x' is not a valid integer range.\n"),
        (["--degrees", "3"], "jejak: Invalid value for '--degrees': '3' is not one of '1', '2'.\n"),
        (["--out", "V.csv"], "jejak: field --out: is a file, a folder is needed\n"),
        (["--visits", "none.csv"], "jejak: field --visits: cannot be read: No such file or directory\n"),
        (["--cases", "none.csv"], "jejak: field --cases: cannot be read: No such file or directory\n"),
    ],
)
def test_an_option_that_cannot_be_used_ends_the_command_with_2_and_one_line(
    tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "V.csv").write_text(V_HEADER + V_ROWS)
    (tmp_path / "C.csv").write_text(C_HEADER + C_ROWS)
    done = command(tmp_path, *options)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["C.csv", "V.csv"]


def test_the_command_says_what_it_read_and_wrote(tmp_path: Path) -> None:
    (tmp_path / "V.csv").write_text(V_HEADER + V_ROWS)
    (tmp_path / "C.csv").write_text(C_HEADER + C_ROWS)
    done = command(tmp_path, "--minutes", "42", "--count", "24h", "--by", "dr. A", "--reason", "cluster")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 visits, 1 cases: 1 contacts by 1 exposures, 0 possible sources\n"


def command(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `jejak trace` in a folder that holds V.csv and C.csv."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", "trace", "--visits", "V.csv", "--cases", "C.csv", "--out", "out", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("length", [3, 8, 9, 36, 64, 65])
def test_equal_ids_have_equal_hashes_and_others_differ_wherever_they_stand(length: int) -> None:
    ids = ["x" * place + "y" + "x" * (length - place - 1) for place in range(length)] + ["x" * length, "x", ""]
    texts = pa.array(["before", *ids, *ids], pa.string())[1:]
    first, second = np.split(hashes(texts), 2)
    assert np.array_equal(first, second)
    assert np.unique(first).size == len(ids)


@given(st.lists(ISO_TEXTS, min_size=1, max_size=5))
def test_instants_of_a_column_are_each_what_it_is_alone_whether_of_one_shape_or_not(texts: list[str]) -> None:
    for column in (texts, *([text, text] for text in texts)):
        assert instants(pa.array(column)).tolist() == [instant_us(text, field="at", line=1) for text in column]


@pytest.mark.parametrize(
    "text", ["2021-02-29T10:00:00Z", "2021-07-01T24:00:00+07:00", "2021-07-01T10:00:60Z", "2021-07-01T10:00:00+24:00"]
)
def test_a_column_of_one_shape_with_an_instant_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises((BadInput, ValueError)):
        instants(pa.array([text, text]))
