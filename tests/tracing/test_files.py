"""What the strict reader accepts and how it says what it does not."""

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from tests.tracing.persons import at
from tracing.files import FIELD_BYTES_MAX, LINE_BYTES_MAX, check_time_zone, choice, instant_us, read_rows


def rows(tmp_path: Path, content: bytes) -> list[tuple[int, dict[str, str]]]:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    return list(read_rows(path, option="--rows", required=("id", "at"), optional=("note",)))


def refusal(tmp_path: Path, content: bytes) -> tuple[int | None, str]:
    with pytest.raises(BadInput) as refused:
        rows(tmp_path, content)
    assert "\n" not in str(refused.value)
    return refused.value.line, refused.value.field


@pytest.mark.parametrize(
    "content",
    [
        b"id,at\n7,x\n",
        b"id,at\r\n7,x\r\n",
        b"id,at\n7,x",
        b"id,at\n7,x\n\n",
        b"id,at\r\n7,x\r\n\r\n",
        b"id,at\n7,x\n\n\n",
        b"\xef\xbb\xbfid,at\n7,x\n",
        b'\xef\xbb\xbf"id","at"\n"7","x"\n',
        b"at,id\nx,7\n",
    ],
)
def test_line_ends_marks_quotes_and_column_order_do_not_matter(tmp_path: Path, content: bytes) -> None:
    assert rows(tmp_path, content) == [(2, {"id": "7", "at": "x"})]


def test_extra_columns_are_kept_even_without_a_name(tmp_path: Path) -> None:
    assert rows(tmp_path, b"x,id,,at,\n1,7,2,a,3\n")[0][1].items() >= {"x": "1", "id": "7", "at": "a"}.items()


def test_ids_are_text(tmp_path: Path) -> None:
    ids = ["7", "007", "NA", "null", "1e3", "TRUE", " 7", "7 ", "é"]
    content = "id,at\n" + "".join(f"{text},x\n" for text in ids)
    assert [row["id"] for _, row in rows(tmp_path, content.encode())] == ids


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path, b"id,at\n") == rows(tmp_path, b"id,at") == rows(tmp_path, b"id,at\n\n") == []


def test_lines_are_physical_lines(tmp_path: Path) -> None:
    content = b'id,at\n"a\nb\n",x\n"c\r\nd",y\r\n7,z\n'
    assert [(line, row["at"]) for line, row in rows(tmp_path, content)] == [(2, "x"), (5, "y"), (7, "z")]
    assert rows(tmp_path, content)[0][1]["id"] == "a\nb\n"
    assert refusal(tmp_path, content + b"8\n") == (8, "at")


@pytest.mark.parametrize(
    ("content", "line", "field"),
    [
        (b"", 1, "id"),
        (b"\n", 1, "id"),
        (b"at\nx\n", 1, "id"),
        (b"id,AT\n7,x\n", 1, "at"),
        (b"id,at,id\n7,x,8\n", 1, "id"),
        (b"id,at,note,note\n7,x,8,9\n", 1, "note"),
        (b"id,at\n7\n", 2, "at"),
        (b"id,at\n7,x,y\n", 2, "at"),
        (b"id,at\n7,x\n\n8,y\n", 3, "id"),
        (b"id,at\n7,x\n\n\n8,y\n\n", 3, "id"),
        (b"id,at\n7,x\n ", 3, "at"),
        (b"id,at\n7,x\n,\n\n8\n", 4, "id"),
        (b"id,at\n7,x\n8,\0\n", 3, "at"),
        (b"id,at\n\0,x\n", 2, "id"),
        (b"id,at\n7,\xff\n", 2, "at"),
        (b"id,at\n7,\xed\xa0\x80\n", 2, "at"),
        (b"id,at,more\n7,x,\xc3\n", 2, "more"),
        (b"i\0d,at\n7,x\n", 1, "header"),
        (b"\xff,at\n7,x\n", 1, "header"),
        (b'id,at\n"7,x\n8,y\n', 2, "id"),
        (b'id,at\n7,"x"y\n', 2, "at"),
        (b"id,at\n7,x\ry\n", 2, "at"),
        (b'id"\n', 1, "id"),
    ],
)
def test_what_cannot_be_used_is_named_by_line_and_field(tmp_path: Path, content: bytes, line: int, field: str) -> None:
    assert refusal(tmp_path, content) == (line, field)


@pytest.mark.parametrize("size", [FIELD_BYTES_MAX + 1, 3 * FIELD_BYTES_MAX, 40 * FIELD_BYTES_MAX])
def test_a_field_over_64_kib_is_named(tmp_path: Path, size: int) -> None:
    long = b"x" * size
    assert refusal(tmp_path, b"id,at,note\n7,x,\n7," + long + b",\n") == (3, "at")
    assert refusal(tmp_path, b'id,at,note\n7,x,"a,b\n' + long + b'"\n') == (2, "note")


def test_a_field_of_64_kib_counts_in_bytes(tmp_path: Path) -> None:
    fits = "é".encode() * (FIELD_BYTES_MAX // 2)
    assert len(rows(tmp_path, b"id,at\n7," + fits + b"\n")) == 1
    assert refusal(tmp_path, b"id,at\n7," + fits + b"x\n") == (2, "at")
    lines = b"id,at\n7,'" + b'"' + b"y\n" * (FIELD_BYTES_MAX // 2) + b'"\n'
    assert refusal(tmp_path, lines.replace(b"'", b"")[:-2] + b'yy"\n') == (2, "at")


def test_a_file_without_line_ends_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"id,at\n" + b"x," * (LINE_BYTES_MAX // 2) + b"x\n") == (2, "row")


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from([b"id", b"at", b",", b'"', b"\n", b"\r\n", b"\r", b"\0", b"\xff", "é".encode(), b"7"])))
def test_any_bytes_are_the_rows_the_csv_module_reads_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    content = b"id,at\n" + b"".join(pieces)
    found: list[tuple[int, dict[str, str]]] | None = None
    with suppress(BadInput):
        found = rows(tmp_path_factory.mktemp("csv"), content)
    if found is not None:
        reader = csv.reader(io.StringIO(content.decode(), newline="\n"), strict=True)
        expected = list(reader)[1:]
        while expected and not expected[-1]:
            expected.pop()  # a blank line at the end
        assert [list(row.values()) for _, row in found] == expected


def test_rows_before_a_bad_one_are_not_held_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"id,at\n7,x\n8\n")
    reading = read_rows(path, option="--rows", required=("id",))
    assert next(reading)[0] == 2
    with pytest.raises(BadInput):
        next(reading)


def test_a_file_that_cannot_be_read_is_named_by_its_option(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(BadInput) as refused:
            list(read_rows(path, option="--rows", required=("id",)))
        assert (refused.value.line, refused.value.field) == (None, "--rows")


@pytest.mark.parametrize(
    "text",
    [
        "2021-07-01T08:00:00+07:00",
        "2021-07-01 08:00+07:00",
        "2021-07-01T01:00:00Z",
        "2021-07-01T08:00:00.000000+0700",
        "2021-07-01T08:00:00,0+07",
        "2021-06-30T20:00:00-05:00",
        "2021-07-01T08:07:12+07:07:12",
    ],
)
def test_an_instant_may_be_written_in_any_offset(text: str) -> None:
    assert instant_us(text, field="at", line=2) == at("08:00")


def test_an_instant_is_exact_to_the_microsecond_in_every_year_a_file_may_hold() -> None:
    assert instant_us("2021-07-01T08:00:00.000001+07:00", field="at", line=2) == at("08:00") + 1
    first = instant_us("1800-01-01T00:00:00+07:00", field="at", line=2)
    last = instant_us("2199-12-31T23:59:59.999999+07:00", field="at", line=2)
    assert last - first == (400 * 365 + 97) * 24 * 60 * 60 * 1_000_000 - 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("2021-07-01T08:00:00", "no offset"),
        ("2021-07-01", "not an ISO 8601 instant"),
        ("2021-07-01T08:00:00.0000001+07:00", "finer than a microsecond"),
        ("1799-12-31T23:59:59+07:00", "outside the years"),
        ("2200-01-01T00:00:00+07:00", "outside the years"),
        ("0000-01-01T00:00:00+07:00", "not an ISO 8601 instant"),
        ("2021-02-29T08:00:00+07:00", "not an ISO 8601 instant"),
        ("2021-07-01T24:00:00+07:00", "not an ISO 8601 instant"),
        ("2021-07-01T08:00:60+07:00", "not an ISO 8601 instant"),
        ("2021-07-01T08:00:00+24:00", "not an ISO 8601 instant"),
        ("2021-07-01T08:00:00+07:60", "not an ISO 8601 instant"),
        ("2021-07-01x08:00:00+07:00", "not an ISO 8601 instant"),
        ("2021-W26-4T08:00:00+07:00", "not an ISO 8601 instant"),
        ("20210701T080000+0700", "not an ISO 8601 instant"),
        (" 2021-07-01T08:00:00+07:00", "not an ISO 8601 instant"),
        ("2021-07-01T08:00:00+07:00\n", "not an ISO 8601 instant"),
        ("٢٠٢١-07-01T08:00:00+07:00", "not an ISO 8601 instant"),
        ("1625101200", "not an ISO 8601 instant"),
    ],
)
def test_an_instant_that_cannot_be_used_says_why_and_not_what(text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=f"line 9, field at: is {reason}|line 9, field at: has {reason}") as refused:
        instant_us(text, field="at", line=9)
    assert not text or text not in str(refused.value)


def test_a_choice_is_exact() -> None:
    assert choice("true", {"true": True}, field="admitted", line=2) is True
    for text in ("True", "TRUE", "1", " true", ""):
        with pytest.raises(BadInput, match="line 2, field admitted"):
            choice(text, {"true": True}, field="admitted", line=2)


@pytest.mark.parametrize("name", ["Asia/Jakarta", "UTC", "Australia/Lord_Howe"])
def test_a_zone_of_the_database_is_known(name: str) -> None:
    check_time_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Asia", "Asia/Nowhere", "../UTC", "/etc/localtime", "asia/jakarta/x", "WIB", "a\0b", "é"]
)
def test_any_other_name_is_no_time_zone(name: str) -> None:
    with pytest.raises(BadInput, match="--timezone"):
        check_time_zone(name)
