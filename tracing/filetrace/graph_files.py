r"""graph.graphml and graph.gexf, written edge by edge: the size of a graph is the disk's, not the memory's.

Nodes are persons, their ids are text. An id with a character that XML cannot hold has it written as `\xNN`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from typing import Final, NamedTuple, Self
from xml.sax.saxutils import escape, quoteattr

from tracing.exports import BUFFER_BYTES

_no_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_looks_escaped = re.compile(r"\\x[0-9a-f]{2}")
_KINDS: Final = {"string": "string", "int": "integer", "double": "double", "boolean": "boolean"}
_EDGE: Final = (("case_id", "string"), ("degree", "int"), ("overlap_minutes", "double"), ("facility_id", "string"))
_NODE: Final = (("degree", "int"), ("is_case", "boolean"))
_GRAPHML: Final = "http://graphml.graphdrawing.org/xmlns"
_GEXF: Final = "http://www.gexf.net/1.2draft"


class Meeting(NamedTuple):
    """An edge: one row of contacts.csv."""

    source: str
    target: str
    case_id: str
    degree: int
    overlap_minutes: str
    facility_id: str


class Person(NamedTuple):
    """A node; degree 0 is a case whose contacts were asked for."""

    person_id: str
    degree: int


class GraphFiles:
    """Both files of a graph; edges first, then `finish` with the nodes."""

    def __init__(self, folder: Path) -> None:
        self.edges = 0
        self._folder = folder
        self._parts = {name: folder / f"{name}.edges" for name in ("graph.graphml", "graph.gexf")}
        self._graphml, self._gexf = (
            path.open("w+", BUFFER_BYTES, encoding="utf-8", newline="\n") for path in self._parts.values()
        )

    def add(self, edge: Meeting) -> None:
        """Add an edge; two persons may have several."""
        source, target, case_id, degree, minutes, facility_id = edge
        ends = f'<edge id="e{self.edges}" source={attribute(source)} target={attribute(target)}'
        self._graphml.write(
            f'{ends}><data key="case_id">{text(case_id)}</data><data key="degree">{degree}</data>'
            f'<data key="overlap_minutes">{minutes}</data><data key="facility_id">{text(facility_id)}</data></edge>\n'
        )
        self._gexf.write(
            f'{ends} weight="{minutes}"><attvalues><attvalue for="case_id" value={attribute(case_id)}/>'
            f'<attvalue for="degree" value="{degree}"/><attvalue for="overlap_minutes" value="{minutes}"/>'
            f'<attvalue for="facility_id" value={attribute(facility_id)}/></attvalues></edge>\n'
        )
        self.edges += 1

    def finish(self, persons: Iterable[Person]) -> int:
        """Write the files with these nodes; return how many."""
        number = 0
        with (
            (self._folder / "graph.graphml").open("w", encoding="utf-8", newline="\n") as graphml,
            (self._folder / "graph.gexf").open("w", encoding="utf-8", newline="\n") as gexf,
        ):
            graphml.write(_graphml_head())
            gexf.write(_gexf_head())
            for number, person in enumerate(persons, start=1):  # noqa: B007 — the last number is the answer
                node, is_case = attribute(person.person_id), "false" if person.degree else "true"
                graphml.write(
                    f'<node id={node}><data key="node_degree">{person.degree}</data>'
                    f'<data key="node_is_case">{is_case}</data></node>\n'
                )
                gexf.write(
                    f'<node id={node} label={node}><attvalues><attvalue for="degree" value="{person.degree}"/>'
                    f'<attvalue for="is_case" value="{is_case}"/></attvalues></node>\n'
                )
            gexf.write("</nodes>\n<edges>\n")
            for file, part, tail in (
                (graphml, self._graphml, "</graph>\n</graphml>\n"),
                (gexf, self._gexf, "</edges>\n</graph>\n</gexf>\n"),
            ):
                part.seek(0)
                copyfileobj(part, file)
                file.write(tail)
        return number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file, path in zip((self._graphml, self._gexf), self._parts.values(), strict=True):
            file.close()
            path.unlink()


def attribute(value: str) -> str:
    """Return the text as an XML attribute, quotes included."""
    return f'"{value}"' if value.isalnum() else _attribute(value)


def text(value: str) -> str:
    """Return the text as the content of an XML element."""
    return value if value.isalnum() else _text(value)


@lru_cache(maxsize=1 << 14)
def _attribute(value: str) -> str:
    return quoteattr(writable(value))


@lru_cache(maxsize=1 << 14)
def _text(value: str) -> str:
    return escape(writable(value), {"\r": "&#13;"})


def writable(value: str) -> str:
    """Return a text that XML can hold; two texts never become one."""
    if value.isprintable() and "\\" not in value:  # nearly every text
        return value
    if not _no_xml.search(value) and not _looks_escaped.search(value):
        return value
    return _no_xml.sub(lambda found: f"\\x{ord(found[0]):02x}", value.replace("\\", "\\\\"))


def _graphml_head() -> str:
    keys = [("node", f"node_{name}", name, kind) for name, kind in _NODE]
    keys += [("edge", name, name, kind) for name, kind in _EDGE]
    lines = [
        f'<key id="{key}" for="{thing}" attr.name="{name}" attr.type="{kind}"/>\n' for thing, key, name, kind in keys
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<graphml xmlns="{_GRAPHML}">\n{"".join(lines)}<graph id="trace" edgedefault="directed">\n'


def _gexf_head() -> str:
    attributes = ""
    for thing, names in (("node", _NODE), ("edge", _EDGE)):
        each = "".join(f'<attribute id="{name}" title="{name}" type="{_KINDS[kind]}"/>\n' for name, kind in names)
        attributes += f'<attributes class="{thing}" mode="static">\n{each}</attributes>\n'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    graph = '<graph defaultedgetype="directed" mode="static">\n'
    return f'{head}<gexf xmlns="{_GEXF}" version="1.2">\n{graph}{attributes}<nodes>\n'
