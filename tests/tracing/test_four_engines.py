"""One decision, four engines: files, online, what-if and Spark say the same of the same visits, options combined."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from ops.spark import spark_session
from schemas.settings import Settings
from tests.tracing.test_rings import PERSONS, ZONE, stays
from tests.tracing.ward import ONSET, Town, positive, somebody, town_in
from tracing.bulk.filetrace import SparkTrace
from tracing.cases.candidates import Exposure
from tracing.cases.facts import Case
from tracing.cases.rings import Numbers, search
from tracing.cases.rows import read_cases
from tracing.exposure import Visits
from tracing.filetrace import decision
from tracing.filetrace.decision import Asked, Found, Trace
from tracing.rulesets import Rule, rule_of
from tracing.visits import Visit
from tracing.whatif.replay import answers
from tracing.whatif.store import read_known

CASES = 6
RULES = [
    rule_of(),
    rule_of("cdc-2020", minutes=40, days_after=6, latent_hours=6, contact_days=2),
    rule_of("cwa", minutes=12, tail_minutes=50, days_before=5, latent_hours=0),
    rule_of(
        "custom",
        minutes=5,
        count="24h",
        tail_minutes=7,
        days_before=4,
        days_after=3,
        ends_at_isolation=False,
        latent_hours=6,
        contact_days=1,
    ),
    rule_of(
        "custom",
        minutes=1,
        count="visit",
        tail_minutes=1500,
        days_before=0,
        days_after=6,
        ends_at_isolation=True,
        latent_hours=0,
        contact_days=14,
    ),
]
Row = tuple[int, int, str, str, int, int]  # case, degree (0: backward), both visits, from when to when


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with spark_session(os.environ, cores=2, memory="1g") as found:
        yield found


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    return []


@pytest.fixture(scope="module")
def town(fresh_database: Callable[[], Settings], visits: list[Visit]) -> Iterator[Town]:
    random = Random(4)
    with town_in(fresh_database) as made:
        visits += stays(random, made)
        made.stays(visits)
        for number in range(CASES):
            isolation = random.choice([None, ONSET + timedelta(days=random.randrange(-2, 8))])
            onset = ONSET + timedelta(days=random.randrange(-3, 5))
            made.take(positive(somebody(number), date_onset=onset, date_isolation=isolation))
        yield made


def columns(visits: list[Visit]) -> Visits:
    numbers = [
        (PERSONS.index(str(one.person)), one.facility, one.check_in, one.check_out, not one.check_out_estimated)
        for one in visits
    ]
    person, facility, check_in, check_out, recorded = np.array(numbers, dtype=np.int64).T
    return Visits(person, facility, check_in, check_out, recorded.astype(np.bool_))


def in_files(trace: Trace, visits: list[Visit]) -> set[Row]:
    def rows(answer: Iterable[tuple[range, Found]], degree: int | None = None) -> Iterator[Row]:
        for _, found in answer:
            for case, near, one, other, start, end in zip(*(column.tolist() for column in found), strict=True):
                yield case, near if degree is None else degree, visits[one].visit_id, visits[other].visit_id, start, end

    return {*rows(trace.forward(2)), *rows(trace.backward(), 0)}


def online(town: Town, cases: list[Case], rule: Rule) -> set[Row]:
    def rows(number: int, some: Iterable[Exposure], degree: int | None = None) -> Iterator[Row]:
        for one in some:
            near = one.degree if degree is None else degree
            yield number, near, one.from_visit, one.to_visit, one.start, one.end

    found: set[Row] = set()
    with town.conn, town.conn.cursor() as cur:
        for number, case in enumerate(cases):
            rings = search(cur, rule, PERSONS[number], case, Numbers(second_limit=1_000_000))
            found |= {*rows(number, rings.exposures), *rows(number, rings.sources, 0)}
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}-{rule.minutes}")
def test_the_four_engines_find_the_same(
    town: Town, visits: list[Visit], session: Any, tmp_path: Path, rule: Rule
) -> None:
    with town.conn, town.conn.cursor() as cur:
        cases = [read_cases(cur, PERSONS[number])[0] for number in range(CASES)]
    asked = [Asked(number, case.day_zero, case.date_isolation) for number, case in enumerate(cases)]
    town_of_file = decision.Town(columns(visits))
    local = in_files(Trace(town_of_file, rule, ZONE, asked), visits)
    assert {row[1] for row in local} == {0, 1, 2}
    assert in_files(partial(SparkTrace, session, tmp_path)(town_of_file, rule, ZONE, asked), visits) == local
    assert online(town, cases, rule) == local
    for number, case in enumerate(cases):
        with town.as_role("jejak_ops") as cur:
            (answer,) = answers(read_known(cur, case.case_id, [rule]), [rule])
        first = [row for row in local if row[:2] == (number, 1)]
        whose = {one.visit_id: one.person for one in visits}
        assert (answer.exposures, answer.contacts) == (len(first), len({whose[row[3]] for row in first}))
