"""A process dies at every named place of the workers and the relay; the rows are those of a run without deaths."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.chaos.points.run import Verdict, prepare, run_seed
from ops.chaos.points.seed import named
from ops.embedded import embedded_servers
from ops.migrate import migrate
from ops.topics import make_topics
from schemas.settings import Settings
from streams.failpoints import FOLD, RELAY, STANDING, STATEMENT, TRACES
from streams.store import Result, advance
from streams.traces import Facts, TraceStore

TODAY = datetime(2026, 11, 20, tzinfo=UTC)


def _run(home: Path, seed: int, statements: int) -> Verdict:
    verdict = Verdict()
    with embedded_servers(Settings(home=home, demo=True), lambda _: None) as servers:
        migrate(servers.settings)
        make_topics(servers.settings)
        prepare(servers.settings)
        run_seed(servers.settings, seed, TODAY, statements, verdict)
    return verdict


@pytest.mark.timeout(400)
def test_whoever_dies_wherever_nothing_is_lost_double_or_wrong(new_home: Callable[[], Path]) -> None:
    verdict = _run(new_home(), 1, 6)
    assert verdict.differences == []
    died = dict(named(verdict.deaths))
    everywhere = {"fold": FOLD, "traces": TRACES, "standing": STANDING, "relay": RELAY}
    assert died.keys() >= {f"{who}: {place}" for who, places in everywhere.items() for place in places}
    assert sum(times for place, times in died.items() if place.endswith(STATEMENT)) > 6


@pytest.mark.timeout(400)
def test_a_position_that_is_moved_before_its_rows_is_found(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the traces worker moves its position first, in a transaction of its own."""
    right = Facts.fold

    def position_first(self: Facts, cur: Any, source: Any, records: Any) -> Result:
        advance(cur, source, records[0].offset, Result(len(records), 0, ()))
        cur.connection.commit()
        return right(self, cur, source, records)

    monkeypatch.setattr(Facts, "fold", position_first)
    monkeypatch.setattr(TraceStore, "_book", lambda *_: None)
    verdict = _run(new_home(), 2, 0)
    assert any("case: a row is missing" in line for line in verdict.differences)
