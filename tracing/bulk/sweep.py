"""What Spark's workers do with a part of the rows: batches of Arrow in, batches of Arrow out. Pure.

An entry is a span of somebody in one facility and week: asked (a case's, with its group) or met (anybody's). Ids of
persons and visits are numbers or texts, as the source has them; a text is a number only inside one part.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tracing.bulk.weeks import overlaps_by_week, touched, week_of
from tracing.exposure import Direction, Flags, Ints, Visits, counted, other_spans
from tracing.overlaps import Spans, Together
from tracing.rulesets import Rule

ENTRY: Final = (
    "facility long, week long, asked boolean, one long, grp long, visit {0}, person {0}, start long, end long,"
    " estimated boolean"
)
OVERLAP: Final = "one long, grp long, visit {0}, person {0}, start long, end long, estimated boolean"
PAIR: Final = "facility long, one_visit {0}, other_visit {0}, one {0}, other {0}, start long, end long"
_NAMES: Final = ("facility", "week", "asked", "one", "grp", "visit", "person", "start", "end", "estimated")


class Where(NamedTuple):
    """Outside these facilities and this time nobody is asked for: such visits are not sent round."""

    facilities: Ints
    start: int
    end: int

    def near(self, spans: Spans) -> Flags:
        """Say which spans may be met."""
        return np.isin(spans.facility, self.facilities) & (spans.start < self.end) & (spans.end > self.start)


def met_entries(batches: Iterable[Any], rule: Rule, direction: Direction, where: Where) -> Iterator[Any]:
    """Yield entries of visits: visit, person, facility, check_in, check_out (microseconds), recorded.

    An entry is estimated where nobody scanned the visit's end, or, of a frame that says so, its begin.
    """
    for batch in batches:
        column = {name: batch.column(name) for name in batch.schema.names}
        numbers = [column[name].to_numpy() for name in ("facility", "check_in", "check_out")]
        recorded = column["recorded"].to_numpy(zero_copy_only=False)
        visits = Visits(np.empty(0, dtype=np.int64), numbers[0].astype(np.int64), numbers[1], numbers[2], recorded)
        spans = other_spans(rule, visits, direction)
        near = np.flatnonzero(where.near(spans))
        spans = Spans(*(values[near] for values in spans))
        row, week = touched(spans)
        none = np.zeros(row.size, dtype=np.int64)
        ids = [column[name].take(pa.array(near[row])) for name in ("visit", "person")]
        estimated = ~recorded
        if "check_in_estimated" in column:
            estimated = estimated | column["check_in_estimated"].to_numpy(zero_copy_only=False)
        yield entries(spans, row, week, none, none, ids, asked=False, estimated=estimated[near[row]])


def entries(
    spans: Spans,
    row: Ints,
    week: Ints,
    one: Ints,
    group: Ints,
    ids: list[Any],
    *,
    asked: bool,
    estimated: Flags | None = None,
) -> Any:  # noqa: ANN401 — Arrow has no types
    """Return a batch of entries, one for each (row of the spans, week)."""
    flags = np.full(row.size, asked)
    guessed = np.zeros(row.size, dtype=np.bool_) if estimated is None else estimated
    values = [spans.facility[row], week, flags, one, group, *ids, spans.start[row], spans.end[row], guessed]
    return pa.RecordBatch.from_arrays([pa.array(value) for value in values], names=list(_NAMES))


def overlaps(batches: Iterable[Any], rule: Rule) -> Iterator[Any]:
    """Yield the overlaps of the asked with the met of a part, without those that can never count.

    The part holds whole facility-weeks. Where a rule sums up, all overlaps go on: to `decided`.
    """
    table = _whole(batches)
    if table is None:
        return
    is_asked = table.column("asked").to_numpy()
    ones, others = np.flatnonzero(is_asked), np.flatnonzero(~is_asked)
    spans, week, person = _spans(table), table.column("week").to_numpy(), _numbers(table.column("person"))
    one, other, start, end = overlaps_by_week(_take(spans, ones), week[ones], _take(spans, others), week[others])
    one, other = ones[one], others[other]
    keep = person[one] != person[other]
    if rule.count == "visit":
        group = table.column("grp").to_numpy()[one]
        keep &= counted(rule, group, person[other], start, end)
    one, other = one[keep], other[keep]
    asked = [table.column(name).combine_chunks().take(pa.array(one)) for name in ("one", "grp")]
    met = [table.column(name).combine_chunks().take(pa.array(other)) for name in ("visit", "person", "estimated")]
    yield _batch([*asked, *met[:2], pa.array(start[keep]), pa.array(end[keep]), met[2]], OVERLAP)


def decided(batches: Iterable[Any], rule: Rule) -> Iterator[Any]:
    """Yield the overlaps that count; the part holds all overlaps of a (group, person)."""
    table = _whole(batches)
    if table is None:
        return
    group, start, end = (table.column(name).to_numpy() for name in ("grp", "start", "end"))
    counts = counted(rule, group, _numbers(table.column("person")), start, end)
    yield from table.filter(pa.array(counts)).to_batches()


def pairs(batches: Iterable[Any], rule: Rule, week: int) -> Iterator[Any]:
    """Yield all pairs of visits whose time together begins in a week and is as long as the rule asks, each once."""
    table = _whole(batches)
    if table is None:
        return
    spans = _spans(table)
    together = Together(spans, max(1, rule.minutes_us), _numbers(table.column("person")))
    rows = together.rows
    start_of, end_of, order = spans.start[rows], spans.end[rows], _order(table.column("visit"))[rows]
    columns = {
        name: table.column(name).combine_chunks().take(pa.array(rows)) for name in ("facility", "visit", "person")
    }
    is_begun = week_of(start_of) == week
    for one, other in together.pairs():
        keep = is_begun[other]
        first, later = one[keep], other[keep]
        start, end = start_of[later], np.minimum(end_of[first], end_of[later])
        swapped = order[first] > order[later]
        sides = [pa.array(np.where(swapped, *two)) for two in ((later, first), (first, later))]
        ids = [columns[name].take(side) for name in ("visit", "person") for side in sides]
        yield _batch([columns["facility"].take(sides[0]), *ids, pa.array(start), pa.array(end)], PAIR)


def _batch(columns: list[Any], schema: str) -> Any:  # noqa: ANN401 — Arrow has no types
    names = [part.split()[0] for part in schema.split(", ")]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _whole(batches: Iterable[Any]) -> Any:  # noqa: ANN401 — Arrow has no types
    found = list(batches)
    return pa.Table.from_batches(found) if found else None


def _spans(table: Any) -> Spans:  # noqa: ANN401 — Arrow has no types
    return Spans(*(table.column(name).to_numpy() for name in ("facility", "start", "end")))


def _take(spans: Spans, rows: Ints) -> Spans:
    return Spans(*(column[rows] for column in spans))


def _numbers(column: Any) -> Ints:  # noqa: ANN401 — Arrow has no types
    """Return ids as numbers: themselves, or, of texts, those of this column."""
    if pa.types.is_integer(column.type):
        found: Ints = column.to_numpy()
        return found
    return column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return] # Arrow has no types


def _order(column: Any) -> Ints:  # noqa: ANN401 — Arrow has no types
    """Return the place of each id among the others."""
    found = np.empty(len(column), dtype=np.int64)
    found[pa.compute.sort_indices(column).to_numpy()] = np.arange(len(column))
    return found
