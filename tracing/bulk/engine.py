"""The frames of Spark: who is asked about, whom they met, facility-week by facility-week; then one decision.

A session is an argument; `tracing.bulk.sweep` is what its workers do.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tracing.bulk import sweep
from tracing.bulk.sweep import ENTRY, OVERLAP, PAIR, Where
from tracing.bulk.weeks import FIRST_US, WEEK_US, touched
from tracing.exposure import Direction, Ints
from tracing.overlaps import Spans
from tracing.rulesets import Rule

VISITS: Final = "visit {0}, person {0}, facility long, check_in long, check_out long, recorded boolean"


class Asked(NamedTuple):
    """Spans of cases: each belongs to a group, which is judged on its own."""

    spans: Spans
    group: Ints
    person: Any  # numbers or texts, as the visits have them


def met(visits: Any, asked: Asked, rule: Rule, direction: Direction = "forward") -> Any:  # noqa: ANN401 — Spark's frames
    """Return a frame of the exposures (`sweep.OVERLAP`): `one` is the place in `asked`.

    Args:
        visits: a frame of the columns of `VISITS`, of anybody.
        asked: about whom; held by the driver.
        rule: what counts.
        direction: backward asks whom the case met, and a tail is then the other's.
    """
    session, kind = visits.sparkSession, _kind(visits)
    row, week = touched(asked.spans)
    if not row.size:
        return session.createDataFrame([], OVERLAP.format(kind))
    person = pa.array(asked.person).take(pa.array(row))
    ids = [pa.nulls(row.size, person.type), person]
    batch = sweep.entries(asked.spans, row, week, row, asked.group[row], ids, asked=True)
    mine = session.createDataFrame(pa.Table.from_batches([batch])).to(_schema(session, ENTRY.format(kind)))
    some = asked.spans.start < asked.spans.end
    where = Where(
        np.unique(asked.spans.facility[some]), int(asked.spans.start[some].min()), int(asked.spans.end[some].max())
    )
    anybody = visits.mapInArrow(
        partial(sweep.met_entries, rule=rule, direction=direction, where=where), ENTRY.format(kind)
    )
    found = (
        mine.union(anybody)
        .repartition("facility", "week")
        .mapInArrow(partial(sweep.overlaps, rule=rule), OVERLAP.format(kind))
    )
    if rule.count == "visit":
        return found
    return found.repartition("grp", "person").mapInArrow(partial(sweep.decided, rule=rule), OVERLAP.format(kind))


def pairs(visits: Any, week: int, rule: Rule) -> Any:  # noqa: ANN401 — Spark's frames
    """Return a frame of all pairs of visits (`sweep.PAIR`) whose time together begins in a week, each once."""
    begin = FIRST_US + week * WEEK_US
    touching = visits.where(f"check_in < {begin + WEEK_US} and check_out > {begin} and check_in < check_out")
    spans = touching.selectExpr("facility", "visit", "person", "check_in as start", "check_out as end")
    return spans.repartition("facility").mapInArrow(
        partial(sweep.pairs, rule=rule, week=week), PAIR.format(_kind(visits))
    )


def _kind(visits: Any) -> str:  # noqa: ANN401 — Spark's frames
    """Return what an id is."""
    return str(visits.schema["person"].dataType.simpleString()).replace("bigint", "long")


def _schema(session: Any, words: str) -> Any:  # noqa: ANN401 — Spark's frames
    return session.createDataFrame([], words).schema
