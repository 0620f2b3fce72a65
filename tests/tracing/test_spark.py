"""Spark finds what the local engine finds, row for row: on a real session with two cores."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.spark import spark_session
from tracing.bulk import engine
from tracing.bulk.filetrace import SparkTrace, write_visits
from tracing.bulk.weeks import FIRST_US, WEEK_US, overlaps_by_week, touched, week_of
from tracing.exposure import Visits
from tracing.filetrace.decision import Asked, Town, Trace
from tracing.instants import DAY_US, MINUTE_US, utc_of
from tracing.overlaps import Spans, overlapping
from tracing.rulesets import Rule, rule_of

RULES = [
    rule_of("kmk-413-2020", latent_hours=0),
    rule_of("kmk-4641-2021", tail_minutes=20),
    rule_of("cdc-2020", latent_hours=6),
    rule_of("who-2022"),
    rule_of("cwa", latent_hours=0),
    rule_of("custom", minutes=0, count="24h", tail_minutes=1500, latent_hours=0),
]
MIDDLE_US = FIRST_US + 2_686 * WEEK_US  # a Monday in 2021: visits lie across the turn of a week


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with spark_session(os.environ, cores=2, memory="1g") as found:
        yield found


def town_of(seed: int, count: int = 1_500) -> Visits:
    """Return visits of minutes to weeks, many across midnight or the turn of a week."""
    random = np.random.default_rng(seed)
    check_in = MIDDLE_US + random.integers(-9 * DAY_US, 9 * DAY_US, count) // MINUTE_US * MINUTE_US
    longest = random.choice([60, 300, 3_000, 20_000], count, p=[0.5, 0.35, 0.1, 0.05])
    length = (random.random(count) * longest).astype(np.int64) * MINUTE_US
    return Visits(
        random.integers(0, 200, count),
        random.integers(0, 12, count),
        check_in,
        check_in + length,
        random.random(count) < 0.8,
    )


def cases_of(seed: int) -> list[Asked]:
    random = np.random.default_rng(seed)
    return [
        Asked(
            int(random.integers(-1, 200)),
            utc_of(MIDDLE_US + int(random.integers(-6, 7)) * DAY_US).date(),
            None if random.random() < 0.5 else utc_of(MIDDLE_US + int(random.integers(-3, 5)) * DAY_US).date(),
        )
        for _ in range(12)
    ]


def rows_of(trace: Trace, how: str) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the cases and exposures of a trace."""
    answer = list(trace.backward() if how == "backward" else trace.forward(int(how)))
    cases = [case for some, _ in answer for case in some]
    rows = [row for _, found in answer for row in zip(*(column.tolist() for column in found), strict=True)]
    return cases, sorted(rows)


@pytest.mark.parametrize(
    ("rule", "how"),
    [(RULES[0], "1"), *((rule, how) for rule in RULES for how in ("2", "backward"))],
    ids=lambda one: one if isinstance(one, str) else one.id,
)
def test_spark_finds_the_exposures_of_the_local_engine(session: Any, tmp_path: Path, rule: Rule, how: str) -> None:
    seed = sum(map(ord, rule.id + how))
    town, cases = Town(town_of(seed)), cases_of(seed)
    local = rows_of(Trace(town, rule, "Asia/Jakarta", cases), how)
    assert local[0] == list(range(12))
    assert len(local[1]) > 12
    assert rows_of(partial(SparkTrace, session, tmp_path)(town, rule, "Asia/Jakarta", cases), how) == local


def test_all_pairs_of_a_week_are_those_that_begin_in_it(session: Any, tmp_path: Path) -> None:
    visits = town_of(7)
    write_visits(tmp_path / "visits.parquet", visits)
    week = int(week_of(np.array([MIDDLE_US]))[0])
    frame = session.read.parquet(str(tmp_path / "visits.parquet"))
    found = engine.pairs(frame, week, rule_of()).select("one_visit", "other_visit", "start", "end").collect()
    spans = Spans(visits.facility, visits.check_in, visits.check_out)
    one, other = overlapping(spans, spans)
    start = np.maximum(visits.check_in[one], visits.check_in[other])
    end = np.minimum(visits.check_out[one], visits.check_out[other])
    kept = (one < other) & (visits.person[one] != visits.person[other]) & (end - start >= 15 * MINUTE_US)
    kept &= (start >= MIDDLE_US) & (start < MIDDLE_US + WEEK_US)
    expected = zip(*(column[kept].tolist() for column in (one, other, start, end)), strict=True)
    assert sorted(tuple(row) for row in found) == sorted(expected)
    assert len(found) > 100


@pytest.mark.parametrize("seed", range(20))
def test_a_span_given_to_every_week_it_touches_is_met_once(seed: int) -> None:
    visits = town_of(seed, 300)
    spans = Spans(visits.facility, visits.check_in, visits.check_out)
    row, week = touched(spans)
    given = Spans(*(column[row] for column in spans))
    one, other, start, end = overlaps_by_week(given, week, given, week)
    assert (week_of(start) == week[one]).all()
    assert (start < end).all()
    whole = overlapping(spans, spans)
    pairs = zip(row[one].tolist(), row[other].tolist(), strict=True)
    assert sorted(pairs) == sorted(zip(*(side.tolist() for side in whole), strict=True))


def test_weeks_begin_on_monday_in_utc() -> None:
    assert utc_of(FIRST_US) == datetime(1970, 1, 5, tzinfo=UTC)
    assert week_of(np.array([FIRST_US - 1, FIRST_US, FIRST_US + WEEK_US - 1])).tolist() == [-1, 0, 0]
