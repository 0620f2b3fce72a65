"""The graph of a trace: who met whom for how long, for networkx and GraphML. Persons are names, never ids."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any, NamedTuple

import networkx as nx

from tracing.instants import MINUTE_US

CASE_DEGREE = 0


class Edge(NamedTuple):
    """`source` met `contact`, a candidate of that degree."""

    source: str
    contact: str
    degree: int
    overlap_us: int


def graph_of(case_ref: str, edges: Iterable[Edge]) -> "nx.DiGraph[str]":
    """Return the graph: the case is degree 0, each edge carries the minutes together."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node(case_ref, degree=CASE_DEGREE)
    for edge in edges:
        known = graph.nodes.get(edge.contact, {}).get("degree", edge.degree)
        graph.add_node(edge.contact, degree=min(known, edge.degree))
        graph.add_edge(
            edge.source, edge.contact, degree=edge.degree, overlap_minutes=round(edge.overlap_us / MINUTE_US, 3)
        )
    return graph


def measures_of(graph: "nx.DiGraph[str]") -> dict[str, Any]:
    """Return what is worth knowing of a graph at a glance."""
    degrees: list[int] = [values["degree"] for _, values in graph.nodes(data=True)]
    return {
        "nodes": graph.number_of_nodes(),
        "edges": graph.number_of_edges(),
        "by_degree": {str(degree): degrees.count(degree) for degree in sorted(set(degrees))},
    }


def graphml_of(graph: "nx.DiGraph[str]") -> bytes:
    """Return the graph as a GraphML file."""
    file = BytesIO()
    nx.write_graphml(graph, file)
    return file.getvalue()
