"""A file row by row: whatever is wrong with one row, every other row is read, and each is named by its line."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.tables import Row, is_table, read_table
from schemas.errors import BadInput

CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def rows(text: str) -> list[Row]:
    return list(read_table(text.encode(), required=("a", "b"), optional=("c",)))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_wrote_is_read_in_order(written: list[tuple[str, str]], end: str) -> None:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *written])
    assert [(row.cells["a"], row.cells["b"], row.cells["c"]) for row in rows(text.getvalue())] == [
        (a.strip(), b.strip(), "") for a, b in written
    ]


def test_a_bad_row_is_named_and_every_other_one_is_read() -> None:
    found = rows('a,b\n1,2\n3\n"open,4\n5,6\n\n7,8,9\n10,"11\nand 12"\n')
    assert [(row.line, row.fault.field if row.fault else row.cells["a"]) for row in found] == [
        (2, "1"), (3, "row"), (4, "row"), (5, "5"), (7, "row"), (8, "10"),
    ]  # fmt: skip
    assert found[-1].cells["b"] == "11\nand 12"


def test_a_quote_that_is_closed_lines_later_swallows_no_row() -> None:
    found = rows('a,b\n1,"2\n3,4\n5",6,7\n8,9\n')
    assert [(row.line, row.fault is None) for row in found] == [(2, False), (3, True), (4, False), (5, True)]


def test_semicolons_part_cells_where_they_part_the_header() -> None:
    found = rows('\ufeffa;b\r\n1;"2;3"\r\n4,5;6\r\n7;8;9\r\n')
    assert [row.fault.field if row.fault else (row.cells["a"], row.cells["b"]) for row in found] == [
        ("1", "2;3"), ("4,5", "6"), "row",
    ]  # fmt: skip
    assert rows("a,b\n1;2,3\n")[0].cells["a"] == "1;2"


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [("text/csv", True), ("Text/CSV; charset=utf-8", True), ("application/fhir+json", False), ("text/csvx", False)],
)
def test_a_table_is_told_by_its_type_however_it_is_written(kind: str, is_one: bool) -> None:  # noqa: FBT001 — a test's parameter
    assert is_table(kind) == is_one


def test_bytes_that_are_no_text_spoil_their_own_cell_only() -> None:
    found = list(read_table(b"\xef\xbb\xbfb,a\n\xff,1\n2,3", required=("a", "b")))
    assert [(row.line, row.fault.field if row.fault else row.cells) for row in found] == [
        (2, "b"), (3, {"a": "3", "b": "2"}),
    ]  # fmt: skip


def test_what_stands_in_other_columns_is_nobody_s_fault_and_nobody_s_answer() -> None:
    (row,) = read_table(b"a,b,\xffmore\n1,2," + b"\xff" * 2_000 + b"\n", required=("a", "b"), optional=("c",))
    assert row == Row(2, {"a": "1", "b": "2", "c": ""})


@pytest.mark.parametrize(
    ("text", "field"), [("", "a"), ("a\n1\n", "b"), ("a,b,a\n", "a"), ("a,b,c,c\n", "c"), ("a" * 200_000, "header")]
)
def test_a_header_that_says_not_what_is_what_is_refused_whole(text: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        rows(text)
    assert (refused.value.line, refused.value.field) == (1, field)


def test_ten_thousand_open_quotes_do_not_take_for_ever() -> None:
    assert len(rows("a,b\n" + '"x,y\n' * 10_000)) == 10_000
