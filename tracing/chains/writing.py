"""`jejak chains`: both files in, a folder of results out, whole or not at all."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from tracing.chains.analysis import analysis_of
from tracing.chains.generations import generations_of
from tracing.chains.graphs import Graph, gexf, graphml
from tracing.chains.reading import read_tables
from tracing.chains.report import page_of
from tracing.chains.summary import Summary, component_of, summary_of
from tracing.exports import check_folder, whole_folder


def chains(linelist: Path, contacts: Path, out_dir: Path, *, progress: Callable[[int], None] | None = None) -> Summary:
    """Write summary.json, analysis.json, graph.graphml, graph.gexf and report.html; return the summary.

    Args:
        linelist: `id`, `date_onset`; may have `classification`.
        contacts: `from`, `to`; may have `facility_id`.
        out_dir: made if it is not there; holds all results or is left as it was.
        progress: told the number of rows of contacts read, now and then.

    Raises:
        BadInput: names line and field, or the option.
    """
    check_folder(out_dir)
    tables = read_tables(linelist, contacts, progress or (lambda _: None))
    summary = summary_of(tables)
    component, generations = component_of(tables), generations_of(tables)
    analysis = analysis_of(tables, component, generations)
    graph = Graph(tables, component, generations)
    with whole_folder(out_dir) as folder:
        _write(folder / "summary.json", [_json(summary)])
        _write(folder / "analysis.json", [_json(analysis)])
        _write(folder / "graph.graphml", graphml(graph))
        _write(folder / "graph.gexf", gexf(graph))
        _write(folder / "report.html", [page_of(tables, summary, analysis, component, generations)])
    return summary


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
