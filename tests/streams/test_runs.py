"""A worker that runs traces keeps nothing of them."""

import gc
from collections.abc import Callable, Iterator

import pytest

from schemas.settings import Settings
from streams.runs import run_one, source_of
from tests.tracing.ward import Town, positive, somebody, town_in
from tracing.cases.rows import due_traces, person_uuid
from tracing.store import connect


@pytest.fixture
def town(fresh_database: Callable[[], Settings]) -> Iterator[Town]:
    with town_in(fresh_database) as made:
        yield made


@pytest.fixture
def seldom() -> Iterator[None]:
    """Let the collector come as seldom as in a worker."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 50)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("seldom")
def test_runs_leave_nothing_for_the_collector(town: Town) -> None:
    kept = []
    conn = connect(town.settings, "jejak_traces")
    for number in range(4):
        people = [somebody(100 * number + each) for each in range(30)]
        for person in people:
            town.stay(person, "PKM-1", f"2026-11-{10 + number} 08:00", f"2026-11-{10 + number} 09:00")
        town.register(positive(people[0]))
        with conn, conn.cursor() as cur:
            ((case_id, rule),) = due_traces(cur, person_uuid(people[0]))
        gc.collect()
        assert run_one(conn, case_id, rule, source_of(person_uuid(people[0]), 12)).candidates == 29
        kept.append(gc.collect())
    conn.close()
    assert max(kept) < 30, kept  # 47 and more without a collection after each run
