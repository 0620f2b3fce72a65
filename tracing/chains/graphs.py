"""The graph as GraphML and as GEXF, written line by line: a million links need no second copy in memory.

Every id of either table is a node, every row of the contacts a directed link. networkx, Gephi and igraph read both.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias
from xml.sax.saxutils import escape

import numpy as np

from tracing.chains.generations import NO_GENERATION, Generations
from tracing.chains.tables import NOWHERE, Flags, Ints, Tables, day_text, implausible, interval_days

Values: TypeAlias = tuple[str | None, ...]

# What a node and a link carry, and its type: one word in both formats.
NODE_VALUES: Final = (
    ("date_onset", "string"),
    ("in_linelist", "boolean"),
    ("in_degree", "long"),
    ("out_degree", "long"),
    ("component", "long"),
    ("generation", "long"),
)
LINK_VALUES: Final = (("onset_interval_days", "long"), ("implausible", "boolean"), ("facility_id", "string"))

_NODE_DATA: Final = '<data key="node{}">{}</data>'
_LINK_DATA: Final = '<data key="edge{}">{}</data>'
_ATTVALUE: Final = '<attvalue for="{}" value="{}"/>'
_no_xml = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # characters XML cannot hold


def xml_names(texts: Sequence[str]) -> list[str]:
    """Return the texts as XML can hold them, distinct ones distinct: `<U+0001>` for such a character."""
    taken = {text for text in texts if not _no_xml.search(text)}
    names = []
    for text in texts:
        name = text
        if _no_xml.search(text):
            name = _no_xml.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
            while name in taken:
                name += "'"
            taken.add(name)
        names.append(name)
    return names


class Graph:
    """Nodes and links with their values as they stand in XML, None where there is none."""

    def __init__(self, tables: Tables, component: Ints, generations: Generations) -> None:
        self._names = [_escaped(name) for name in xml_names(tables.ids)]
        self._tables = tables
        self._component = component
        self._generation = generations.generation

    def nodes(self) -> Iterator[tuple[str, Values]]:
        """Yield name and values of each node."""
        tables = self._tables
        columns = (
            [day_text(day) for day in tables.onset_day],
            _booleans(tables.in_linelist),
            _numbers(tables.in_degree),
            _numbers(tables.out_degree),
            _numbers(self._component + 1),
            [None if one == NO_GENERATION else str(one) for one in self._generation.tolist()],
        )
        yield from zip(self._names, zip(*columns, strict=True), strict=True)

    def links(self) -> Iterator[tuple[str, str, Values]]:
        """Yield the names of both ends and the values of each link, in the order of the rows."""
        tables, names = self._tables, self._names
        days, known = interval_days(tables)
        facilities = [*map(_escaped, xml_names(tables.facilities)), None]  # NOWHERE is the last
        facility = np.full(tables.links, NOWHERE) if tables.facility is None else tables.facility
        columns = (
            [str(day) if dated else None for day, dated in zip(days.tolist(), known.tolist(), strict=True)],
            _booleans(implausible(tables)),
            [facilities[place] for place in facility.tolist()],
        )
        ends = zip(tables.source.tolist(), tables.target.tolist(), strict=True)
        for (source, target), values in zip(ends, zip(*columns, strict=True), strict=True):
            yield names[source], names[target], values


def graphml(graph: Graph) -> Iterator[str]:
    """Yield the lines of a GraphML file."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for owner, kinds in (("node", NODE_VALUES), ("edge", LINK_VALUES)):
        for number, (name, kind) in enumerate(kinds):
            yield f'<key id="{owner}{number}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<graph edgedefault="directed">\n'
    for name, values in graph.nodes():
        yield f'<node id="{name}">{_values(values, _NODE_DATA)}</node>\n'
    for number, (source, target, values) in enumerate(graph.links()):
        shown = _values(values, _LINK_DATA)
        yield f'<edge id="{number}" source="{source}" target="{target}">{shown}</edge>\n'
    yield "</graph>\n</graphml>\n"


def gexf(graph: Graph) -> Iterator[str]:
    """Yield the lines of a GEXF 1.2 file."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">\n'
    yield '<graph mode="static" defaultedgetype="directed">\n'
    for owner, kinds in (("node", NODE_VALUES), ("edge", LINK_VALUES)):
        yield f'<attributes class="{owner}" mode="static">\n'
        for number, (name, kind) in enumerate(kinds):
            yield f'<attribute id="{number}" title="{name}" type="{kind}"/>\n'
        yield "</attributes>\n"
    yield "<nodes>\n"
    for name, values in graph.nodes():
        shown = _values(values, _ATTVALUE)
        yield f'<node id="{name}" label="{name}"><attvalues>{shown}</attvalues></node>\n'
    yield "</nodes>\n<edges>\n"
    for number, (source, target, values) in enumerate(graph.links()):
        shown = _values(values, _ATTVALUE)
        yield f'<edge id="{number}" source="{source}" target="{target}"><attvalues>{shown}</attvalues></edge>\n'
    yield "</edges>\n</graph>\n</gexf>\n"


@lru_cache(maxsize=1 << 16)  # links have few different values
def _values(values: Values, form: str) -> str:
    return "".join([form.format(number, value) for number, value in enumerate(values) if value is not None])


def _escaped(text: str) -> str:
    """Return the text for an attribute or an element; a line end in it stays what it is."""
    return escape(text, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _booleans(flags: Flags) -> list[str]:
    return ["true" if flag else "false" for flag in flags.tolist()]


def _numbers(numbers: Ints) -> list[str]:
    return list(map(str, numbers.tolist()))
