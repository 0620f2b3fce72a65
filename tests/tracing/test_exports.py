"""Results appear whole or not at all, and no cell is a formula."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from tracing.exports import check_folder, safe_cell, whole_folder, write_csv

CELLS = st.text(st.sampled_from("=+-@\t\r\n '\",;07.eé\uff1d\u00a0"), max_size=6) | st.text(max_size=6)


def write_results(out: Path, *names: str, onto: Path | None = None) -> None:
    with whole_folder(out) as folder:
        for name in names:
            if onto is not None:
                (folder / name).symlink_to(onto)
            write_csv(folder / name, ["a"], [["1"]])


@pytest.mark.parametrize(
    "text", ["7", "-7", "-0.5", "007", "NA", "1e3", "TRUE", "", "a=b", "f 1", "'", "'a", "\u22121", " 7"]
)
def test_a_plain_number_or_a_harmless_text_is_not_touched(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+1",
        "-",
        "--1",
        "@x",
        "\tx",
        "\rx",
        " =1",
        "\u00a0=1",
        "\n=1",
        " \tx",
        "-1 ",
        " -1",
        "\uff1d1",
        "'=1",
    ],
)
def test_a_formula_gets_a_quote_before_it(text: str) -> None:
    assert safe_cell(text) == "'" + text


@settings(deadline=None, max_examples=300)
@given(CELLS, CELLS)
def test_two_ids_never_become_one_cell_and_none_is_a_formula(one: str, other: str) -> None:
    assert (safe_cell(one) == safe_cell(other)) == (one == other)
    assert one in safe_cell(one)
    begin = safe_cell(one).lstrip()[:1]
    assert begin not in {"=", "+", "@"}
    assert begin != "-" or float(safe_cell(one)) <= 0
    assert not safe_cell(one).startswith(("\t", "\r"))


@settings(deadline=None)
@given(st.lists(st.lists(CELLS.filter(lambda cell: cell < "\ud800"), min_size=2, max_size=3), max_size=4))
def test_what_is_written_is_what_a_csv_reader_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    assert write_csv(path, ["a", "b"], rows) == len(rows)
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file, strict=True)) == [["a", "b"], *rows]


def test_a_folder_and_its_parents_are_made_with_all_files_at_once(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with whole_folder(out) as folder:
        (folder / "x").write_text("1")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["x"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_results_replace_those_of_before_and_leave_other_files(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / "mine").write_text("mine")
    with whole_folder(tmp_path) as folder:
        (folder / "x").write_text("new")
        assert (tmp_path / "x").read_text() == "old"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x": "new", "mine": "mine"}


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    for out in (tmp_path, tmp_path / "new"):
        with pytest.raises(ZeroDivisionError), whole_folder(out) as folder:
            (folder / "x").write_text(str(1 // 0))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x": "old"}


def test_a_result_that_would_replace_a_folder_moves_no_file(tmp_path: Path) -> None:
    (tmp_path / "y").mkdir()
    with pytest.raises(BadInput, match="--out"):
        write_results(tmp_path, "x", "y")
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="field --out: cannot be written: No space left"):
        write_results(out, "x", onto=full)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_cannot_be_made_of_a_file_or_below_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for out in (tmp_path / "file", tmp_path / "file" / "deep" / "er", tmp_path / "broken"):
        with pytest.raises(BadInput, match="--out"):
            check_folder(out)
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "er")
    assert not (tmp_path / "new").exists()
