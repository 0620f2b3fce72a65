"""The standing worker's transaction and runs on a real database: late, voided and corrected visits; closing; stale."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from ops.secrets import ensure_secret
from ops.store import fix_partitions
from schemas.settings import Settings
from streams.batches import Batch, Log
from streams.sealing import read_seal
from streams.standing import StandingStore
from streams.tidings import visit_changes
from tests.tracing.ward import Town, positive, somebody
from tracing.difference import Difference
from tracing.rows import Facility
from tracing.visits import Visit

CASE, COMPANION, LATE = somebody(1), somebody(2), somebody(3)
DAY = "2026-11-09"


class Standing:
    """A town whose visits change, and the worker that hears of it."""

    def __init__(self, settings: Settings) -> None:
        fix_partitions(settings)
        ensure_secret(settings, "seal", "dead-letters")
        self.settings = settings
        self.town = Town(settings)
        self.log: dict[int, list[Any]] = {number: [] for number in range(settings.partitions)}
        self.read = dict.fromkeys(self.log, 0)
        self.store = self.new_store()
        self.facilities = {
            number: Facility(number, facility_id, "hospital", "Asia/Jakarta")
            for facility_id, number in self.town.numbers.items()
        }

    def new_store(self) -> StandingStore:
        store = StandingStore(self.settings, read_seal(self.settings))
        ends = {("visit.v1", number): 10**9 for number in self.log}
        store.positions(Log("a-cluster", dict.fromkeys(ends, 0), ends))
        return store

    def change(self, gone: Sequence[Visit], come: Sequence[Visit]) -> None:
        """Change the visits of one person, and say so on the topic."""
        with self.town.as_role("jejak_visits") as cur:
            for visit in gone:
                for table in ("visit", "visit_long"):
                    cur.execute(f"delete from {table} where visit_id = %s", (visit.visit_id,))  # noqa: S608 — two names
        self.town.stays(come)
        difference = Difference(gone=list(gone), come=list(come), counts={})
        for partition, _, value in visit_changes([difference], self.facilities, self.settings.partitions):
            self.append(partition, value)

    def append(self, partition: int, value: bytes | None) -> None:
        records = self.log[partition]
        records.append(SimpleNamespace(offset=len(records), timestamp=0, key=b"", value=value))

    def hear(self, partitions: Iterable[int] | None = None) -> None:
        """Let the worker take what is new, of all partitions (or these) together."""
        some = self.log.keys() if partitions is None else set(partitions)
        news = {number: self.log[number][self.read[number] :] for number in some}
        self.read |= {number: len(self.log[number]) for number in some}
        self.store.apply_all([Batch("visit.v1", number, records) for number, records in news.items() if records])

    def alerts(self) -> list[tuple[str, str, str]]:
        """Return the office, action and reason of all alerts about candidates, in the order of revisions."""
        return self.town.ask(
            "select office, action, body -> 'data' ->> 'reason' from alert where contact_ref <> ''"
            " order by revision, office, alert_id"
        )

    def revision(self) -> int:
        return int(self.town.ask("select max(revision) from trace")[0][0])


@pytest.fixture
def standing(fresh_database: Callable[[], Settings]) -> Iterator[Standing]:
    made = Standing(fresh_database())
    made.town.stay(CASE, "RS-1", f"{DAY} 08:00", f"{DAY} 10:00")
    made.town.stay(COMPANION, "RS-1", f"{DAY} 08:30", f"{DAY} 10:00")
    made.town.take(positive(CASE))
    yield made
    made.store.close()
    made.town.close()


def visit(town: Town, person: str, start: str, end: str, facility: str = "RS-1", **changes: Any) -> Visit:
    return town.visit(person, facility, f"{DAY} {start}", f"{DAY} {end}", **changes)


def test_a_late_visit_is_told_as_added_and_one_that_goes_as_withdrawn(standing: Standing) -> None:
    late = visit(standing.town, LATE, "09:00", "09:40")
    standing.change([], [late])
    standing.hear()
    assert [one[:2] for one in standing.alerts()[-2:]] == [("d3671", "added"), ("p36", "added")]
    longer = msgspec.structs.replace(late, check_out=late.check_out + 60_000_000 * 10)
    standing.change([late], [longer])
    standing.hear()
    assert [one[1] for one in standing.alerts()[-2:]] == ["changed", "changed"]
    standing.change([longer], [])
    standing.hear()
    assert [one[1] for one in standing.alerts()[-2:]] == ["withdrawn", "withdrawn"]
    assert standing.revision() == 4
