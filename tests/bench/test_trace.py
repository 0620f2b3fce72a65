"""`jejak bench trace`: every contender that the product's packages can run answers alike, on a small town."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.figures import Report, machine
from bench.report import _table
from bench.trace import page, run
from bench.trace.answer import RULE, Answer, hash_of_rows, mixed_sum
from bench.trace.contenders.online import PEERS, SETTINGS, postgres
from bench.trace.online import WHOLE, _look, _window, quantiles, whole_times
from bench.trace.pairs import read_week, write_week
from bench.trace.run import MANY, PAIRS, Contender, Plan
from bench.trace.stored import PEER_TABLES, person_of, store_peer, store_town
from bench.trace.town import Size, make_cases, make_visits, read_visits, write_town
from ops.store import OPERATOR, transaction
from schemas.settings import Settings
from tracing.cases import lookup
from tracing.overlaps import overlapping

SIZE = Size(20_000)
RUNS_HERE = [one for one in MANY if one.name in {"ours", "pandas"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    visits = make_visits(SIZE)
    write_town(folder, visits, make_cases(SIZE, RULE, 50))
    write_week(folder, visits)
    return folder


def answer_of(one: Contender, folder: Path) -> Answer:
    found = run._once(one._replace(needs=False), folder, os.environ)
    assert isinstance(found, Answer), found
    return found


def test_a_town_is_the_same_for_the_same_size_and_is_read_as_it_was_written(folder: Path) -> None:
    written, again = read_visits(folder), make_visits(SIZE)
    assert all((one == other).all() for one, other in zip(written, again, strict=True))
    assert (written.check_in < written.check_out).all()
    assert written.facility.max() == SIZE.facilities
    assert Size(1_000_000).facilities == 30
    assert Size(1_000_000, capped=False).facilities == Size(50_000_000, capped=False).facilities == 300


def test_many_cases_at_once_have_the_same_exposures_by_arrays_and_by_pandas(folder: Path) -> None:
    answers = {one.name: answer_of(one, folder) for one in RUNS_HERE}
    assert len({answer.result for answer in answers.values()}) == 1
    assert answers["ours"].rows > 1_000
    assert set(answers["ours"].seconds) == {"load", "prepare", "ask"}


def test_all_pairs_of_a_week_are_those_of_c_and_those_of_the_general_join(folder: Path) -> None:
    assert shutil.which("cc"), "a C compiler"
    answers = {one.name: answer_of(one, folder) for one in PAIRS if one.name in {"c", "ours"}}
    spans, person = read_week(folder)
    one, other = overlapping(spans, spans)
    long = np.minimum(spans.end[one], spans.end[other]) - np.maximum(spans.start[one], spans.start[other])
    kept = (one < other) & (person[one] != person[other]) & (long >= RULE.minutes_us)
    expected = int(kept.sum()), f"{mixed_sum([one[kept], other[kept]]):016x}"
    assert {(answer.rows, answer.result) for answer in answers.values()} == {expected}


@pytest.fixture(scope="module")
def stored(fresh_database: Callable[[], Settings]) -> Settings:
    settings = fresh_database()
    store_town(settings, SIZE, make_visits(SIZE))
    for name in PEER_TABLES:
        store_peer(settings, name)
    return settings


def test_every_index_finds_the_exposures_of_the_whole_look_up(stored: Settings) -> None:
    found = 0
    with transaction(stored, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(SETTINGS)
        for case in make_cases(SIZE, RULE, 15):
            seen = lookup.find(cur, RULE, person_of(case.person), partial(_window, case))
            rows = [(one.place.facility_no, int(one.to_person[-12:], 16), one.start, one.end) for one in seen.exposures]
            expected = hash_of_rows(list(np.array(rows, dtype=np.int64).reshape(-1, 4).T))
            for name in ("ours", *PEER_TABLES):
                assert hash_of_rows(_look(cur, postgres(cur, name), case)) == expected
            found += len(rows)
    assert found > 200
    assert {"ours", *PEER_TABLES} < {peer.name for peer in PEERS}


def test_our_whole_traces_are_timed_one_by_one(stored: Settings) -> None:
    times = whole_times(stored, make_cases(SIZE, RULE, 3))
    assert len(times) == 3
    assert 0 < quantiles(times)["p50_ms"] <= quantiles(times)["p99_ms"]


def test_a_result_that_differs_is_not_counted_and_the_page_says_so(folder: Path) -> None:
    report = Report(command="trace-many", at="2026-11-24", machine=machine())
    wrong = MANY[0]._replace(name="wrong", module="pairs_ours")
    plan = Plan(SIZE.visits, 50, 10, 1)
    run._processes((MANY[0], wrong), plan, folder, report, lambda _: None, os.environ, "")
    report.data |= {"visits": SIZE.visits, "facilities": SIZE.facilities, "cases": 50}
    assert report.not_run == {"wrong": "its result is not that of the others"}
    text = "".join(page.many(report, {}, _table))
    assert "50 cases over 20,000 visits" in text
    assert "- `wrong`: its result is not that of the others" in text
    assert WHOLE not in text
