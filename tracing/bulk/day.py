"""All cases of a day at once, on Spark: whom they met, as frames; the decision is that of every other engine.

First degree, as the online trace looks it up: each facility's days are its own zone's. Zones, rides and the rank are
not asked for: they need more than the archive holds.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tracing.bulk import engine
from tracing.exposure import Cases, Ints, Visits, case_spans
from tracing.instants import HOUR_US
from tracing.rulesets import Rule
from tracing.windows import FARTHEST_US, Window, case_window

GRID_US: Final = HOUR_US  # what cwa derives from a stay goes no further beyond it than this and the tail
_OWN: Final = (
    "visit",
    "person",
    "facility",
    "facility_id",
    "time_zone",
    "check_in",
    "check_out",
    "recorded",
    "check_in_estimated",
)


class DayCase(NamedTuple):
    """Who is asked about; `person` as the visits have it."""

    case_id: str
    person: str
    day_zero: date
    date_isolation: date | None


class Answer(NamedTuple):
    """Frames: a row per (case, person), and a row per counted overlap."""

    contacts: Any
    exposures: Any


def span_of(rule: Rule, cases: Sequence[DayCase]) -> Window:
    """Return a span outside which no visit can matter, whatever the time zone; empty without cases."""
    windows = [case_window(rule, case.day_zero, case.date_isolation, "UTC") for case in cases]
    slack = FARTHEST_US + rule.tail_us + GRID_US
    if not windows:
        return Window(0, 0)
    return Window(min(one.start for one in windows) - slack, max(one.end for one in windows) + slack)


def contacts_of(visits: Any, cases: Sequence[DayCase], rule: Rule) -> Answer:  # noqa: ANN401 — Spark's frames
    """Return the contacts and exposures of cases.

    Args:
        visits: a frame of the archive's columns.
        cases: in the order of `case_id`, each once.
        rule: what counts.
    """
    session = visits.sparkSession
    start, end = span_of(rule, cases)
    near = visits.where(f"check_in < {end} and check_out >= {start}")
    persons = session.createDataFrame(
        pa.table({"person": pa.array(sorted({case.person for case in cases}), pa.string())})
    )
    own = near.join(persons.hint("broadcast"), "person", "left_semi").select(*_OWN).toArrow()
    row, group = _rows(own.column("person").to_pylist(), cases)
    mine = own.take(pa.array(row))
    asked = _asked(mine, group, cases, rule)
    found = engine.met(near, asked, rule)
    told = session.createDataFrame(_told(mine, group, cases))
    exposures = (
        found.withColumnsRenamed({"visit": "to_visit", "person": "to", "estimated": "theirs"})
        .join(told.hint("broadcast"), "one")
        .selectExpr(
            *("case_id", "day_zero", "from_visit", "to_visit", "`from`", "`to`", "facility", "facility_id"),
            *("time_zone", "start", "end", "(ours or theirs) as estimated"),
        )
    )
    return Answer(_by_contact(exposures), exposures.orderBy("case_id", "to", "start", "end", "from_visit", "to_visit"))


def _by_contact(exposures: Any) -> Any:  # noqa: ANN401 — Spark's frames
    """Return one row per (case, person), those longest together first; the place is that of the longest exposure."""
    from pyspark.sql import functions as of

    longest = of.min_by(
        of.struct("facility", "facility_id", "time_zone", "start"),
        of.struct(of.expr("start - end"), "start", "end", "from_visit", "to_visit"),
    )
    summed = exposures.groupBy("case_id", "day_zero", "from", "to").agg(
        longest.alias("longest"),
        of.min("start").alias("first_start"),
        of.max("end").alias("last_end"),
        of.sum(of.expr("end - start")).alias("overlap_us"),
        of.count("*").alias("overlaps"),
        of.bool_or("estimated").alias("estimated"),
    )
    return summed.orderBy("case_id", of.desc("overlap_us"), "to")


def _rows(persons: Sequence[str], cases: Sequence[DayCase]) -> tuple[Ints, Ints]:
    """Return (row of the own visits, case) for every visit of every case: a person may be several cases."""
    rows_of: defaultdict[str, list[int]] = defaultdict(list)
    for row, person in enumerate(persons):
        rows_of[person].append(row)
    pairs = [(row, number) for number, case in enumerate(cases) for row in rows_of.get(case.person, ())]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _asked(mine: Any, group: Ints, cases: Sequence[DayCase], rule: Rule) -> engine.Asked:  # noqa: ANN401 — Arrow has no types
    windows = [
        case_window(rule, cases[number].day_zero, cases[number].date_isolation, zone)
        for number, zone in zip(group.tolist(), mine.column("time_zone").to_pylist(), strict=True)
    ]
    facility, check_in, check_out, recorded = (
        mine.column(name).to_numpy() for name in ("facility", "check_in", "check_out", "recorded")
    )
    visits = Visits(np.zeros_like(group), facility, check_in, check_out, recorded.astype(np.bool_))
    each = np.array(windows, dtype=np.int64).reshape(-1, 2)
    spans = case_spans(rule, visits, Cases(group, each[:, 0], each[:, 1]))
    return engine.Asked(spans, group, mine.column("person").combine_chunks())


def _told(mine: Any, group: Ints, cases: Sequence[DayCase]) -> Any:  # noqa: ANN401 — Arrow has no types
    """Return what is told of the case's side of an exposure, by its place in what was asked."""
    who = [cases[number] for number in group.tolist()]
    ends = zip(mine.column("recorded").to_pylist(), mine.column("check_in_estimated").to_pylist(), strict=True)
    return pa.table(
        {
            "one": pa.array(range(len(who)), pa.int64()),
            "case_id": pa.array([case.case_id for case in who], pa.string()),
            "day_zero": pa.array([case.day_zero.isoformat() for case in who], pa.string()),
            "from_visit": mine.column("visit"),
            "from": mine.column("person"),
            "facility_id": mine.column("facility_id"),
            "facility": mine.column("facility"),
            "time_zone": mine.column("time_zone"),
            "ours": pa.array([not recorded or begun for recorded, begun in ends], pa.bool_()),
        }
    )
