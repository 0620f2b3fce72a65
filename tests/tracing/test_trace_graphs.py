"""The graph files declare what they hold: every value has a declared attribute and is of its type."""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import networkx as nx
import pytest

from tests.tracing.test_trace_files_output import everybody_meets
from tests.tracing.trace_cases import read_table, run
from tracing.rulesets import rule_of

GEXF = "{http://www.gexf.net/1.2draft}"
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"
KINDS: Final[dict[str, Callable[[str], object]]] = {
    "string": str,
    "int": int,
    "integer": int,
    "double": float,
    "boolean": {"true": True, "false": False}.__getitem__,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a trace of two degrees."""
    return run(tmp_path, everybody_meets(["7", "a", "=b", "<c>"]), rule_of(), degrees=2)


def test_gexf_is_version_1_2_with_every_value_declared_and_of_its_type(out: Path) -> None:
    root = ET.parse(out / "graph.gexf").getroot()  # noqa: S314 — written by us a moment ago
    assert (root.tag, root.get("version")) == (f"{GEXF}gexf", "1.2")
    (graph,) = root
    assert [child.tag.removeprefix(GEXF) for child in graph] == ["attributes", "attributes", "nodes", "edges"]
    assert (graph.get("defaultedgetype"), graph.get("mode")) == ("directed", "static")
    for thing in ("node", "edge"):
        (declared,) = [one for one in graph.findall(f"{GEXF}attributes") if one.get("class") == thing]
        kinds = {one.get("id"): KINDS[one.attrib["type"]] for one in declared}
        things = list(graph.iter(f"{GEXF}{thing}"))
        assert len({one.get("id") for one in things}) == len(things) > 0
        for one in things:
            values = {value.attrib["for"]: value.attrib["value"] for value in one.iter(f"{GEXF}attvalue")}
            assert set(values) == set(kinds)
            for name, value in values.items():
                kinds[name](value)
    nodes = {one.get("id") for one in graph.iter(f"{GEXF}node")}
    assert {end for one in graph.iter(f"{GEXF}edge") for end in (one.get("source"), one.get("target"))} <= nodes
    assert all(float(one.attrib["weight"]) > 0 for one in graph.iter(f"{GEXF}edge"))


def test_graphml_has_every_value_declared_and_of_its_type(out: Path) -> None:
    root = ET.parse(out / "graph.graphml").getroot()  # noqa: S314 — written by us a moment ago
    kinds = {
        (one.attrib["for"], one.attrib["id"]): KINDS[one.attrib["attr.type"]] for one in root.iter(f"{GRAPHML}key")
    }
    for thing in ("node", "edge"):
        for one in root.iter(f"{GRAPHML}{thing}"):
            values = {value.attrib["key"]: value.text or "" for value in one}
            assert set(values) == {key for of, key in kinds if of == thing}
            for key, value in values.items():
                kinds[thing, key](value)


def test_networkx_reads_types_and_every_row_of_contacts(out: Path) -> None:
    rows = read_table(out / "contacts.csv")
    for graph in (nx.read_graphml(out / "graph.graphml"), nx.read_gexf(out / "graph.gexf")):
        assert graph.is_directed()
        assert graph.number_of_edges() == len(rows)
        assert graph.nodes["7"]["is_case"] is True
        assert graph.edges["7", "a"]["overlap_minutes"] == 120.0
        assert graph.edges["7", "a"]["degree"] == 1
