"""`jejak chains` as a command: bad input, and the graph files."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadInput
from tests.tracing.naive_chains import naive_components
from tests.tracing.test_chains import table
from tracing.chains.graphs import xml_names
from tracing.chains.reading import PROGRESS_ROWS
from tracing.chains.writing import chains

NIK = "3671015507900001"
GOOD_LIST = "id,date_onset\nP1,2021-07-01\nP2,\n"
GOOD_LINKS = "from,to\nP1,P2\n"
RESULTS = ["analysis.json", "graph.gexf", "graph.graphml", "report.html", "summary.json"]


def chained(folder: Path, linelist: str | bytes, links: str | bytes) -> Path:
    """Return the folder of the results."""
    for name, content in (("L.csv", linelist), ("K.csv", links)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    chains(folder / "L.csv", folder / "K.csv", folder / "out")
    return folder / "out"


def analysed(folder: Path, linelist: str, links: str) -> dict[str, Any]:
    analysis: dict[str, Any] = json.loads((chained(folder, linelist, links) / "analysis.json").read_text())
    return analysis


BAD_LISTS = [
    (f"{NIK},2021-13-01\n", 4, "date_onset"),
    (f"{NIK},2021-02-29\n", 4, "date_onset"),
    ("P3,01/07/2021\n", 4, "date_onset"),
    ("P3,20210701\n", 4, "date_onset"),
    ("P3,2021-7-1\n", 4, "date_onset"),
    ("P3,2021-07-01T08:00:00+07:00\n", 4, "date_onset"),
    ("P3, \n", 4, "date_onset"),
    ("P3,NA\n", 4, "date_onset"),
    ("P3,1799-12-31\n", 4, "date_onset"),
    ("P3,2200-01-01\n", 4, "date_onset"),
    (f"P3,{NIK}\n", 4, "date_onset"),
    (",2021-07-01\n", 4, "id"),
    ("P1,2021-07-01\n", 4, "id"),
    (f"{NIK}\n", 4, "date_onset"),
    (f"{NIK},2021-07-01,x\n", 4, "date_onset"),
    ("\nP3,\n", 4, "id"),
    (f"{NIK}\0,\n", 4, "id"),
    ("x" * 65_537 + ",\n", 4, "id"),
]
BAD_LINKS = [
    (f",{NIK}\n", 3, "from"),
    (f"{NIK},\n", 3, "to"),
    (",\n", 3, "from"),
    (f"{NIK}\n", 3, "to"),
    (f"P1,{NIK},x\n", 3, "to"),
    ("\nP1,P2\n", 3, "from"),
    (f"P1,{NIK}\0\n", 3, "to"),
    ('P1,"P2\n', 3, "to"),
]


def refusal(folder: Path, linelist: str | bytes, links: str | bytes) -> BadInput:
    """Return why it was refused; nothing may have been written."""
    with pytest.raises(BadInput) as refused:
        chained(folder, linelist, links)
    assert sorted(path.name for path in folder.iterdir()) == ["K.csv", "L.csv"]
    assert NIK not in str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize(("row", "line", "field"), BAD_LISTS)
def test_a_bad_row_of_the_line_list_is_named(tmp_path: Path, row: str, line: int, field: str) -> None:
    refused = refusal(tmp_path, GOOD_LIST + row, GOOD_LINKS)
    assert (refused.line, refused.field) == (line, field)


@pytest.mark.parametrize(("row", "line", "field"), BAD_LINKS)
def test_a_bad_row_of_the_contacts_is_named(tmp_path: Path, row: str, line: int, field: str) -> None:
    refused = refusal(tmp_path, GOOD_LIST, GOOD_LINKS + row)
    assert (refused.line, refused.field) == (line, field)


@pytest.mark.parametrize(
    ("linelist", "links", "field"),
    [
        ("id\nP1\n", GOOD_LINKS, "date_onset"),
        ("date_onset\n\n", GOOD_LINKS, "id"),
        ("", GOOD_LINKS, "id"),
        (GOOD_LIST, "from\nP1\n", "to"),
        (GOOD_LIST, "to\nP1\n", "from"),
        (GOOD_LIST, "", "from"),
        ("id,date_onset,id\n", GOOD_LINKS, "id"),
        (GOOD_LIST, "from,to,facility_id,facility_id\n", "facility_id"),
        ("id,date_onset,classification,classification\n", GOOD_LINKS, "classification"),
    ],
)
def test_a_missing_or_double_column_is_named(tmp_path: Path, linelist: str, links: str, field: str) -> None:
    refused = refusal(tmp_path, linelist, links)
    assert (refused.line, refused.field) == (1, field)


def test_invalid_utf8_is_a_bad_row(tmp_path: Path) -> None:
    refused = refusal(tmp_path, GOOD_LIST, b"from,to\nP1,\xe9\n")
    assert (refused.line, refused.field) == (2, "to")


def test_what_spreadsheets_write_is_accepted(tmp_path: Path) -> None:
    plain = (chained(tmp_path, GOOD_LIST, GOOD_LINKS) / "summary.json").read_text()
    linelist = "\ufeffage,date_onset,id\r\n7,2021-07-01,P1\r\n,,P2"
    links = "\ufeffnote,to,from\r\nx,P2,P1"
    assert (chained(tmp_path, linelist, links) / "summary.json").read_text() == plain


def jejak_chains(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ops.cli", "chains", *arguments]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_answers_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "L.csv").write_text(GOOD_LIST)
    (tmp_path / "K.csv").write_text(GOOD_LINKS)
    done = jejak_chains(tmp_path, "--linelist", "L.csv", "--contacts", "K.csv", "--out", "results")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 contacts of 2 ids in 1 components: R 0.5, k unknown, 0 implausible links\n"
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == RESULTS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--linelist", "L.csv", "--contacts", "K.csv", "--out", "out"), "line 3, field to"),
        (("--linelist", "L.csv", "--contacts", "K.csv", "--out", "L.csv"), "field --out"),
        (("--linelist", "none.csv", "--contacts", "K.csv", "--out", "out"), "field --linelist"),
        (("--linelist", "L.csv", "--contacts", ".", "--out", "out"), "field --contacts"),
    ],
)
def test_the_command_refuses_in_one_line_with_exit_2(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "L.csv").write_text(GOOD_LIST)
    (tmp_path / "K.csv").write_text(GOOD_LINKS + f"{NIK},\n")
    done = jejak_chains(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"jejak: {said}: [^\n]*\n", done.stderr)
    assert NIK not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["K.csv", "L.csv"]


def test_progress_is_told_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "L.csv").write_text(GOOD_LIST)
    (tmp_path / "K.csv").write_text("from,to\n" + "P1,P2\n" * (PROGRESS_ROWS + 1))
    told: list[int] = []
    done = chains(tmp_path / "L.csv", tmp_path / "K.csv", tmp_path / "out", progress=told.append)
    assert told == [PROGRESS_ROWS]
    assert done.offspring.share_80 == 0.5


def graphs_of(out: Path) -> list[Any]:
    return [nx.read_graphml(out / "graph.graphml", force_multigraph=True), nx.read_gexf(out / "graph.gexf")]


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=8), st.lists(names, unique=True, max_size=3))
def test_networkx_reads_back_every_id_and_every_row(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[str, str]], alone: list[str]
) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    linelist = table("id,date_onset", [(quoted(person), "") for person in alone])
    contacts = table("from,to", [(quoted(one), quoted(other)) for one, other in links])
    out = chained(tmp_path_factory.mktemp("chains"), linelist, contacts)
    ids = sorted({end for link in links for end in link} | set(alone))
    shown = dict(zip(ids, xml_names(ids), strict=True))
    for graph in graphs_of(out):
        assert set(graph.nodes) == set(shown.values())
        assert sorted((one, other) for one, other, *_ in graph.edges) == sorted(
            (shown[one], shown[other]) for one, other in links
        )
        degree = {end: sum(one == end for one, _ in links) for end in ids}
        assert {shown[end]: degree[end] for end in ids} == nx.get_node_attributes(graph, "out_degree")
        component = nx.get_node_attributes(graph, "component")
        groups = naive_components(set(ids), links)
        assert len({component[shown[end]] for end in ids}) == len(groups)
        assert all(len({component[shown[end]] for end in group}) == 1 for group in groups)


def test_graphs_carry_what_both_tables_say(tmp_path: Path) -> None:
    linelist = "id,date_onset\nP1,2021-07-05\n<&\"'>,2021-07-01\nalone,\n"
    links = "from,to,facility_id\nP1,<&\"'>,RS <A>\nP1,X,\nP1,X,B\n"
    for graph in graphs_of(
        chained(tmp_path, linelist.replace("<&\"'>", '"<&""\'>"'), links.replace("<&\"'>", '"<&""\'>"'))
    ):
        node = graph.nodes["P1"]
        assert {key: node[key] for key in ("date_onset", "in_linelist", "out_degree", "generation")} == {
            "date_onset": "2021-07-05",
            "in_linelist": True,
            "out_degree": 3,
            "generation": 0,
        }
        assert "date_onset" not in graph.nodes["X"]
        assert graph.nodes["X"]["in_linelist"] is False
        assert graph.nodes["alone"]["component"] == 2
        (link,) = graph.get_edge_data("P1", "<&\"'>").values()
        assert (link["onset_interval_days"], link["implausible"], link["facility_id"]) == (-4, True, "RS <A>")
        assert sorted(one.get("facility_id", "") for one in graph.get_edge_data("P1", "X").values()) == ["", "B"]


def test_characters_that_xml_cannot_hold_never_make_two_ids_one() -> None:
    ids = ["a\x01", "a<U+0001>", "a<U+0001>'", "a\ufffe", "b\n"]
    found = xml_names(ids)
    assert len(set(found)) == len(ids)
    assert found[1:3] == ids[1:3]
    assert found[3:] == ["a<U+FFFE>", "b\n"]
