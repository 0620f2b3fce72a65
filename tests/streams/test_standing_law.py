"""The law of standing traces: whatever came late, was voided or corrected, in whatever order it was heard of, the
stored trace is that of one full run at the end, and what the offices hold is what that run would tell them.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from ops.store import OWNER
from schemas.events import Alert
from schemas.settings import Settings
from schemas.topics import VISIT
from streams.outbox.store import Row
from tests.streams.conftest import Fold, new_fold
from tests.streams.flow import ask, closing_after, person
from tests.streams.late_town import Arrival, late_arrivals
from tests.streams.test_standing import Standing
from tests.tracing.ward import at, positive
from tracing.cases.store import read_trace

PERSONS, CASES, VISITS = 14, 3, 90
COLUMNS = {
    "candidate": "to_jsonb(x) - 'trace_id'",
    "exposure": "to_jsonb(x) - 'trace_id'",
    "source_exposure": "to_jsonb(x) - 'trace_id'",
}
SHOWN = ("facility_id", "facility_name", "date", "minutes_band", "degree")


class Town:
    """The fold, the topic `visit.v1` between, and the standing worker."""

    def __init__(self, settings: Settings, random: Random) -> None:
        self.fold: Fold = new_fold(settings)
        self.standing = Standing(settings)
        self.random = random
        self.relayed = 0

    def take(self, arrivals: list[Arrival]) -> None:
        self.fold.fold(*(one.record for one in arrivals))
        rows = ask(
            self.fold.settings,
            "select id, topic, events from outbox where topic = %s and id > %s order by id",
            VISIT.name,
            self.relayed,
        )
        for row in rows:
            for partition, _, value in Row(row[0], row[1], bytes(row[2])).events():
                self.standing.append(partition, value)
            self.relayed = row[0]

    def hear_some(self) -> None:
        """Let the worker hear of some partitions only; the others lag behind."""
        some = [number for number in self.standing.log if self.random.random() < 0.6]
        self.standing.hear(some)
        if self.random.random() < 0.3:
            self.standing.store.tick()

    def rows(self) -> dict[str, list[Any]]:
        stored = {
            table: ask(self.fold.settings, f"select {what} from {table} x order by 1")  # noqa: S608 — three tables
            for table, what in COLUMNS.items()
        }
        views = []
        for (case_id,) in ask(self.fold.settings, 'select case_id from "case" order by 1'):
            view = msgspec.to_builtins(read_trace(self.standing.town.conn, case_id))
            views.append({name: value for name, value in view.items() if name != "revision"})
        self.standing.town.conn.rollback()
        return stored | {"as read": views}

    def net(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Return what each office holds after all it was told: by office and candidate, what was last said."""
        held: dict[tuple[str, str], tuple[Any, ...]] = {}
        for (body,) in ask(
            self.fold.settings, "select body::text from alert where contact_ref <> '' order by revision, office"
        ):
            data = msgspec.json.decode(body, type=Alert).data
            held.pop((data.office, data.contact_ref), None)
            if data.action != "withdrawn":
                said = tuple(getattr(data, name) for name in SHOWN)
                held[data.office, data.contact_ref] = (*said, "estimated" in data.reason)
        return held

    def run_anew(self) -> None:
        """Forget all that was found and told, and run each trace once."""
        with closing_after(self.fold.settings, OWNER) as cur:
            for table in ("alert", "exposure", "candidate", "source_exposure"):
                cur.execute(f"delete from {table}")  # noqa: S608 — four tables
            cur.execute("update trace set revision = 0, due = true")
        self.standing.store.tick()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_late_voided_and_corrected_visits_leave_what_one_full_run_finds_and_tells(
    seed: int, fresh_database: Callable[[], Settings]
) -> None:
    random = Random(seed)
    town = Town(fresh_database(), random)
    persons = [person(random) for _ in range(PERSONS)]
    arrivals = late_arrivals(random, persons, VISITS)
    results = [positive(who, specimen_at=at("2026-11-11 08:30"), date_onset=None) for who in persons[:CASES]]
    while arrivals:
        size = random.randint(1, 12)
        town.take(arrivals[:size])
        del arrivals[:size]
        if results and random.random() < 0.3:
            town.standing.town.take(results.pop())
        town.hear_some()
    for result in results:
        town.standing.town.take(result)
    town.standing.hear()
    town.standing.store.tick()

    assert ask(town.fold.settings, "select count(*) from trace where due") == [(0,)]
    rows, net = town.rows(), town.net()
    actions = {row[0] for row in ask(town.fold.settings, "select distinct action from alert")}
    assert actions >= {"added", "changed", "withdrawn"}
    assert len(rows["candidate"]) > CASES
    town.run_anew()
    assert town.rows() == rows
    assert town.net() == net
    town.fold.store.close()
    town.standing.store.close()
    town.standing.town.close()
