"""The package of a trace: tables that epicontacts reads, graphs that networkx reads back, a header that says it all."""

import csv
import hashlib
import json
import re
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing.naive_trace import Row
from tests.tracing.trace_cases import Town, contacts_in, exposures_in, read_table, run, sources_in, towns
from tracing.filetrace.graph_files import GraphFiles, Meeting, Person
from tracing.rulesets import rule_of

IDS = [
    "7",
    "007",
    "NA",
    "null",
    "1e3",
    "TRUE",
    "=cmd|'x'!A1",
    "+62",
    "-5",
    "@x",
    'q"',
    "<&>",
    "x\x01",
    "x\\x01",
    "ward\nB",
]


def visit(visit_id: str, person: str, check_in: str, check_out: str, facility: str = "F", zone: str = "") -> Row:
    """Return a visit of November 2021 in Jakarta; times are `DD HH:MM`."""
    times = [f"2021-11-{at[:2]}T{at[3:]}:00+07:00" if at else "" for at in (check_in, check_out)]
    values = (visit_id, person, facility, zone, *times)
    return dict(zip(("visit_id", "person_id", "facility_id", "zone", "check_in", "check_out"), values, strict=True))


def case(case_id: str, person: str, onset: str = "", specimen: str = "", isolation: str = "") -> Row:
    """Return a case of November 2021."""
    days = [f"2021-11-{day}" if day else "" for day in (onset, specimen, isolation)]
    values = (case_id, person, *days)
    return dict(zip(("case_id", "person_id", "date_onset", "date_specimen", "date_isolation"), values, strict=True))


def town(visits: list[Row], *cases: Row) -> Town:
    """Return it in Jakarta."""
    return Town("Asia/Jakarta", tuple(visits), cases)


def everybody_meets(ids: list[str]) -> Town:
    """Return a day on which all these persons are in one place; the first is a case."""
    visits = [visit(f"={number}", person, "03 08:00", "03 10:00", "-F", "+z") for number, person in enumerate(ids)]
    return town(visits, case("@K", ids[0], onset="04"))


def test_no_cell_is_a_formula_and_ids_stay_text(tmp_path: Path) -> None:
    out = run(tmp_path, everybody_meets(IDS), rule_of(), degrees=2, direction="both")
    for file in out.glob("*.csv"):
        for row in csv.reader(file.open(encoding="utf-8", newline="")):
            for cell in row:
                assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell) or not re.match(r"\s*[=+\-@\t\r]", cell), file.name
    assert {row["to"].removeprefix("'") for row in read_table(out / "contacts.csv")} == set(IDS[1:])
    assert {row["id"].removeprefix("'") for row in read_table(out / "linelist.csv")} == set(IDS)


def test_both_graphs_are_read_back_with_every_person_and_meeting(tmp_path: Path) -> None:
    readable = [person for person in IDS if "\x01" not in person and "\\" not in person]
    out = run(tmp_path, everybody_meets(IDS), rule_of(), degrees=2)
    for graph in (nx.read_graphml(out / "graph.graphml"), nx.read_gexf(out / "graph.gexf")):
        assert set(graph.nodes) == {*readable, "x\\x01", "x\\\\x01"}
        assert graph.nodes["7"]["degree"] == 0
        assert graph.nodes["007"]["is_case"] is False
        assert set(graph["7"]) == set(graph.nodes) - {"7"}
        assert graph.edges["7", "007"]["overlap_minutes"] == 120.0
        assert graph.edges["7", "<&>"]["case_id"] == "@K"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=2, unique=True
    )
)
def test_any_ids_are_different_nodes_of_graphs_that_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("graph")
    with GraphFiles(folder) as graph:
        for person in ids[1:]:
            graph.add(Meeting(ids[0], person, ids[0], 1, "15.000", ids[0]))
        graph.finish(Person(person, int(person != ids[0])) for person in ids)
    for read in (nx.read_graphml(folder / "graph.graphml"), nx.read_gexf(folder / "graph.gexf")):
        assert (len(read.nodes), len(read.edges)) == (len(ids), len(ids) - 1)
        if all(person.isalnum() for person in ids):
            assert set(read.nodes) == set(ids)
    assert sorted(path.name for path in folder.iterdir()) == ["graph.gexf", "graph.graphml"]


@settings(max_examples=25, deadline=None)
@given(towns())
def test_the_line_list_has_everybody_once_where_he_is_closest_to_a_case(
    tmp_path_factory: pytest.TempPathFactory, some: Town
) -> None:
    out = run(tmp_path_factory.mktemp("lines"), some, rule_of("who-2022", latent_hours=0), degrees=2)
    lines = {row["id"]: (int(row["degree"]), row["case_id"]) for row in read_table(out / "linelist.csv")}
    closest = {row["person_id"]: [(0, row["case_id"])] for row in some.cases}
    for row in some.cases:
        closest[row["person_id"]].append((0, row["case_id"]))
    for contact in contacts_in(out):
        closest.setdefault(contact.person, []).append((contact.degree, contact.case_id))
    assert lines == {person: min(some_of) for person, some_of in closest.items()}
    assert len(read_table(out / "linelist.csv")) == len(lines)


def test_a_reason_is_a_sentence_that_names_place_minutes_day_and_what_was_estimated(tmp_path: Path) -> None:
    visits = [
        visit("1", "A", "03 08:00", "03 10:00", "Puskesmas X", "ward B"),
        visit("2", "B", "03 09:18", "", "Puskesmas X", "hall"),
        visit("3", "C", "03 09:00", "03 09:15", "Puskesmas X"),
        visit("4", "C", "03 09:30", "03 10:00", "Puskesmas X"),
    ]
    out = run(tmp_path, town(visits, case("K", "A", onset="04", specimen="05")), rule_of())
    rows = read_table(out / "contacts.csv")
    assert [row["reason"] for row in rows] == [
        (
            "Puskesmas X, ward B, 30 min together on 3 Nov, day −1 of onset; 2 meetings, 45 min in all;"  # noqa: RUF001 — a real minus
            " left within minutes of each other; few others present"
        ),
        (
            "Puskesmas X, ward B, 42 min together on 3 Nov, day −1 of onset; different zones; few others present;"  # noqa: RUF001 — a real minus
            " check-out estimated"
        ),
    ]
    assert [(row["to"], row["estimated"], row["zone"], row["overlaps"]) for row in rows] == [
        ("C", "false", "ward B", "2"),
        ("B", "true", "ward B", "1"),
    ]
    assert [row["probability"] for row in rows] == sorted((row["probability"] for row in rows), reverse=True)


def test_a_contact_passes_it_on_only_after_the_latent_hours_and_until_his_last_midnight(tmp_path: Path) -> None:
    visits = [
        visit("1", "A", "01 23:00", "02 00:00"),
        visit("2", "B", "01 23:00", "02 00:00"),
        visit("3", "B", "03 22:00", "03 23:30", "G"),  # 48 hours after 23:00 of the first
        visit("4", "early", "03 22:00", "03 23:14", "G"),
        visit("5", "late", "03 23:00", "03 23:30", "G"),
        visit("6", "B", "16 23:00", "17 01:00", "H"),  # the end at 00:00 belongs to the 2nd: until the 16th ends
        visit("7", "last", "16 23:45", "17 01:00", "H"),
        visit("8", "after", "17 00:00", "17 01:00", "H"),
        visit("9", "A", "16 23:00", "17 01:00", "H"),
    ]
    out = run(tmp_path, town(visits, case("K", "A", onset="01", isolation="02")), rule_of(), degrees=2)
    assert [(row.degree, row.rank, row.source, row.person) for row in contacts_in(out)] == [
        (1, 1, "A", "B"),
        (2, 1, "B", "last"),
        (2, 2, "B", "late"),
    ]
    assert [row["infectious_to"] for row in read_table(out / "linelist.csv")][1] == "2021-11-17T00:00:00+07:00"


def test_a_case_that_could_pass_it_on_comes_first_and_one_that_could_not_yet_last(tmp_path: Path) -> None:
    visits = [
        visit("1", "A", "03 08:00", "03 20:00"),
        visit("2", "long", "03 08:00", "03 20:00"),
        visit("3", "case", "03 08:00", "03 08:20"),
        visit("4", "later", "03 09:00", "03 19:00"),
    ]
    cases = case("K", "A", onset="10"), case("L", "case", specimen="05"), case("M", "later", onset="20")
    out = run(tmp_path, town(visits, *cases), rule_of(), direction="backward")
    assert [(row.source, row.plausible) for row in sources_in(out) if row.case_id == "K"] == [
        ("case", True),
        ("long", True),
        ("unknown", True),
        ("later", False),
    ]
    first = read_table(out / "sources.csv")[0]
    assert (first["source_case_id"], first["days_from_onset"]) == ("L", "-7")
    assert [row[3:5] for row in exposures_in(out, "source_exposures.csv") if row[0] == "K"] == [
        ("case", "A"),
        ("long", "A"),
        ("later", "A"),
    ]


def test_the_header_says_what_was_asked_of_what_and_what_came_out(tmp_path: Path) -> None:
    rule = rule_of("cdc-2020", minutes=20)
    out = run(tmp_path, everybody_meets(["A", "B"]), rule, asked_by="dr. A", reason="cluster", degrees=2)
    header = json.loads((out / "trace.json").read_text())
    assert header["rule"]["id"] == "cdc-2020"
    assert (header["rule"]["minutes"], header["rule"]["count"], header["degrees"]) == (20, "24h", 2)
    assert (header["asked_by"], header["reason"]) == ("dr. A", "cluster")
    assert header["high_water_mark"] == "2021-11-03T10:00:00+07:00"
    assert header["rows"] | {"nodes": 2} == header["rows"]
    assert {"jejak", "python", "numpy"} == set(header["versions"])
    assert header["cases"] == [
        {
            "case_id": "@K",
            "day_zero": "2021-11-04",
            "day_zero_is": "onset",
            "window": ["2021-11-02T00:00:00+07:00", "2021-11-15T00:00:00+07:00"],
            "contacts": {"1": 1, "2": 0},
        }
    ]
    for name, said in header["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == said["sha256"]
        if name.endswith(".csv"):
            assert header["rows"][name] == len(read_table(out / name))
    assert header["inputs"]["visits"]["rows"] == 2
    assert sorted(header["files"]) == sorted(path.name for path in out.iterdir() if path.name != "trace.json")


def test_many_small_parts_of_the_work_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [
        visit(str(n), f"p{n * 7 % 23}", f"0{3 + n % 5} 0{n % 7}:00", f"0{3 + n % 5} 0{1 + n % 7}:30", f"F{n % 3}")
        for n in range(120)
    ]
    some = town(crowd, *(case(f"K{n}", f"p{n}", onset="04") for n in range(5)))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    rule = rule_of(latent_hours=0)
    whole = run(tmp_path / "one", some, rule, degrees=2, direction="both")
    monkeypatch.setattr("tracing.filetrace.decision.PAIRS_AT_ONCE", 3)
    monkeypatch.setattr("tracing.filetrace.decision.FIRST_PAIRS_AT_ONCE", 2)
    parts = run(tmp_path / "two", some, rule, degrees=2, direction="both")
    assert {row.degree for row in contacts_in(whole)} == {1, 2}
    for file in whole.iterdir():
        if file.name != "trace.json":
            assert file.read_bytes() == (parts / file.name).read_bytes()


def test_what_cwa_derives_from_a_stay_reaches_into_a_window_that_the_stay_did_not(tmp_path: Path) -> None:
    visits = [visit("1", "A", "01 23:00", "01 23:50"), visit("2", "B", "02 00:10", "02 01:00")]
    out = run(tmp_path, town(visits, case("K", "A", onset="04")), rule_of("cwa"))
    assert [row[6:] for row in exposures_in(out)] == [("2021-11-01T17:10:00+00:00", "2021-11-01T17:20:00+00:00")]
