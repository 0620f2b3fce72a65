"""The fold's tables in memory: what `tracing.store` and the ledger do in PostgreSQL, row by row, with transactions.

A transaction reads what was committed when it began and its own writes; its writes are done at commit, by key, and
an addition adds to what is there then. So two transactions that should have excluded each other lose or double
something here as they would there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import add as plus
from typing import Any, Final

from schemas.errors import Conflict, GapInLog
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from streams.joining.store import Stand
from streams.store import Dead, Result, Source
from tracing.counts import Counts, FacilityHour, add
from tracing.fast import NO_HORIZON, State, decode_state, encode_state
from tracing.instants import us_of
from tracing.rows import DecisionKey, Facility, ScanKey, StoredScan, dashed, undashed
from tracing.stays import DEFAULT_RULES, StayRule
from tracing.visits import Visit

FACILITIES: Final = (
    Facility(1, "RS", "hospital", "Asia/Jakarta"),
    Facility(2, "KL", "clinic", "Asia/Makassar"),
)
Cluster = dict[str, dict[Any, Any]]  # table → key → row
Step = Callable[[str], None]


class Died(Exception):
    """The process ended here, or its connection did."""


class Database:
    """What is committed."""

    def __init__(self, partitions: int) -> None:
        self.tables: Cluster = {
            name: {}
            for name in (
                *("scan", "decision", "visit", "hour", "pairing", "dead", "outbox", "position"),
                *("horizon", "carry", "dropped hour", "dropped day"),
            )
        }
        for partition in range(partitions):
            self.tables["position"][partition] = (0, 0, 0, 0)
        self.locks: dict[int, Transaction] = {}
        self.weeks: set[int] = set()


class Transaction:
    """Stands in for a cursor; `step` is called before every statement and may end it."""

    def __init__(self, database: Database, step: Step, *, locking: bool = True) -> None:
        self._database = database
        self._locking = locking
        self.step = step
        self.seen: Cluster = {name: dict(rows) for name, rows in database.tables.items()}
        for name in ("hour", "dropped hour"):
            self.seen[name] = {shard: dict(hours) for shard, hours in self.seen[name].items()}
        self._writes: list[Callable[[Cluster], None]] = []

    def put(self, table: str, key: object, row: object) -> None:
        """Write a row."""
        self.seen[table][key] = row
        self._writes.append(lambda tables: tables[table].__setitem__(key, row))

    def remove(self, table: str, key: object) -> None:
        """Delete a row."""
        del self.seen[table][key]
        self._writes.append(lambda tables: tables[table].pop(key, None))

    def write(self, change: Callable[[Cluster], None]) -> None:
        """Do a change that depends on what is there: now to what is seen, at commit to what is committed."""
        change(self.seen)
        self._writes.append(change)

    def lock(self, partitions: Iterable[int]) -> None:
        """Hold partitions until the transaction ends."""
        if self._locking:
            for partition in partitions:
                assert self._database.locks.setdefault(partition, self) is self, "the scheduler let it run into a lock"

    def commit(self) -> None:
        """Do the writes, all at once."""
        for write in self._writes:
            write(self._database.tables)
        self.abort()

    def abort(self) -> None:
        """Leave no trace."""
        for partition in [one for one, holder in self._database.locks.items() if holder is self]:
            del self._database.locks[partition]


class Tables:
    """The functions of `tracing.store` that the fold calls, and `write_outboxes`; a cursor is a `Transaction`."""

    def prepare(self, cur: Transaction) -> None:
        """Nothing is kept per connection."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known_weeks(self, _: Transaction) -> set[int]:
        """Return the weeks that were made."""
        return set(self._database.weeks)

    def make_weeks(self, _: Transaction, weeks: Collection[int]) -> None:
        """Make weeks, committed at once."""
        self._database.weeks |= set(weeks)

    def read_facilities(self, _: Transaction) -> Sequence[Facility]:
        """Return both facilities."""
        return FACILITIES

    def read_stay_rules(self, _: Transaction) -> Sequence[StayRule]:
        """Return the default rules."""
        return DEFAULT_RULES

    def read_states(self, cur: Transaction, persons: Collection[str]) -> dict[str, State | None]:
        """Return the rows of persons."""
        cur.step("read states")
        rows = cur.seen["pairing"]
        return {person: decode_state(rows[person]) for person in persons if person in rows}

    def read_carries(self, cur: Transaction, persons: Collection[str]) -> dict[str, State]:
        """Return what is left of persons."""
        rows = cur.seen["carry"]
        return {person: decode_state(rows[person][0]) for person in persons if person in rows}

    def write_states(self, cur: Transaction, states: Mapping[str, State], _: Collection[str]) -> None:
        """Write rows of persons."""
        cur.step("write states")
        for person, state in states.items():
            cur.put("pairing", person, encode_state(state).decode())

    def copy_scans(self, cur: Transaction, scans: Iterable[tuple[Scan, int, bytes, int]]) -> None:
        """Store scans that must be new."""
        scans = list(scans)
        if any(_key(scan) in cur.seen["scan"] for scan, *_ in scans):
            raise Conflict("a scan is stored already")
        self.add_scans(cur, scans)

    def add_scans(self, cur: Transaction, scans: Iterable[tuple[Scan, int, bytes, int]]) -> set[ScanKey]:
        """Store the scans that are new."""
        cur.step("add scans")
        new = set()
        for scan, facility_no, body, _ in scans:
            key = _key(scan)
            if key not in cur.seen["scan"]:
                stored = StoredScan(
                    *key, facility_no, scan.gate, scan.zone, us_of(scan.at), scan.admitted, scan.role, scan.channel
                )
                cur.put("scan", key, (stored, body))
                new.add(key)
        return new

    def add_decisions(self, cur: Transaction, decisions: Iterable[tuple[ScanDecision, int]]) -> set[DecisionKey]:
        """Store the decisions that are new."""
        cur.step("add decisions")
        new = set()
        for one, _ in decisions:
            key = (dashed(one.person_id), one.scan_id, one.serial, one.by)
            if key not in cur.seen["decision"]:
                cur.put("decision", key, (us_of(one.scan_at), str(one.decision), one.reason))
                new.add(key)
        return new

    def scan_bodies(self, cur: Transaction, scans: Collection[ScanKey]) -> dict[ScanKey, bytes]:
        """Return what the client sent."""
        return {key: cur.seen["scan"][key][1] for key in scans if key in cur.seen["scan"]}

    def decision_bodies(self, cur: Transaction, persons: Collection[str]) -> dict[DecisionKey, tuple[int, str, str]]:
        """Return the decisions about these persons."""
        return {key: row for key, row in cur.seen["decision"].items() if key[0] in persons}

    def read_scans(self, cur: Transaction, persons: Collection[str]) -> list[StoredScan]:
        """Return the scans of these persons."""
        cur.step("read scans")
        return [stored for stored, _ in cur.seen["scan"].values() if stored.person in persons]

    def read_visits(self, cur: Transaction, persons: Collection[str], _: object) -> list[Visit]:
        """Return the visits of these persons."""
        return [visit for visit in cur.seen["visit"].values() if visit.person in persons]

    def read_rides(self, _: Transaction, __: Collection[ScanKey]) -> list[tuple[str, int, int]]:
        """Return no ride: nobody of these towns comes in a group."""
        return []

    def delete_visits(self, cur: Transaction, visits: Sequence[Visit]) -> None:
        """Delete visits."""
        cur.step("delete visits")
        for visit in visits:
            cur.remove("visit", (visit.person, visit.visit_id))

    def insert_visits(self, cur: Transaction, visits: Sequence[Visit]) -> None:
        """Store visits."""
        cur.step("insert visits")
        for visit in visits:
            cur.put("visit", (visit.person, visit.visit_id), visit)

    def add_counts(
        self, cur: Transaction, differences: Mapping[int, Mapping[FacilityHour, Counts]]
    ) -> dict[int, list[tuple[int, int, Counts]]]:
        """Add differences into shards."""
        cur.step("add counts")
        now = {}
        for shard, some in differences.items():
            cur.write(lambda tables, shard=shard, some=some: add(tables["hour"].setdefault(shard, {}), some))  # type: ignore[misc] # bound
            hours = cur.seen["hour"][shard]
            now[shard] = [(int(str(facility)), hour, hours.get((facility, hour), Counts())) for facility, hour in some]
        return now

    def write_outboxes(self, cur: Transaction, rows: Iterable[tuple[Source, str, Sequence[Any]]]) -> None:
        """Leave events."""
        cur.step("write outbox")
        for row in rows:
            if row[2]:
                cur.write(lambda tables, row=row: tables["outbox"].__setitem__(len(tables["outbox"]), row))  # type: ignore[misc] # bound


class Kept(Tables):
    """The functions of `streams.retention.store` that a step calls, and those of the fold."""

    def lock(self, cur: Transaction, partition: int) -> int | None:
        """Return the horizon of a partition, and hold it."""
        cur.lock([partition])
        horizon: int | None = cur.seen["horizon"].get(partition)
        return horizon

    def due(self, cur: Transaction, partition: int, most: int) -> list[str]:
        """Return persons who have something before the horizon."""
        horizon, seen = cur.seen["horizon"][partition], cur.seen
        persons = {key[0] for key, (stored, _) in seen["scan"].items() if stored.at < horizon}
        persons |= {key[0] for key, row in seen["decision"].items() if row[0] < horizon}
        persons |= {person for person, (_, until) in seen["carry"].items() if until <= horizon}
        partitions = len(seen["position"])
        return sorted(one for one in persons if partition_of(undashed(one), partitions) == partition)[:most]

    def delete_scans(self, cur: Transaction, scans: Sequence[StoredScan], _: int) -> None:
        """Delete scans."""
        for scan in scans:
            cur.remove("scan", (scan.person, scan.scan_id))

    def delete_decisions(self, cur: Transaction, keys: Sequence[DecisionKey]) -> None:
        """Delete decisions."""
        for key in keys:
            cur.remove("decision", key)

    def write_carries(self, cur: Transaction, carries: Mapping[str, tuple[State, int]]) -> None:
        """Write what is left of persons."""
        for person, (state, until) in carries.items():
            cur.put("carry", person, (encode_state(state).decode(), until))

    def delete_carries(self, cur: Transaction, persons: Sequence[str]) -> None:
        """Delete what was left of persons."""
        for person in persons:
            if person in cur.seen["carry"]:
                cur.remove("carry", person)

    def delete_pairings(self, cur: Transaction, persons: Sequence[str]) -> None:
        """Forget where pairing stands with persons."""
        for person in persons:
            if person in cur.seen["pairing"]:
                cur.remove("pairing", person)

    def add_hours(self, cur: Transaction, partition: int, counts: Mapping[FacilityHour, Counts]) -> None:
        """Add what was counted of that which goes."""
        cur.write(lambda tables: add(tables["dropped hour"].setdefault(partition, {}), counts))

    def add_days(self, cur: Transaction, partition: int, totals: Mapping[int, tuple[int, int, int, int]]) -> None:
        """Add to the totals of days."""
        for day, total in totals.items():
            before = cur.seen["dropped day"].get((partition, day), (0, 0, 0, 0))
            cur.put("dropped day", (partition, day), tuple(map(plus, before, total)))

    def done(self, cur: Transaction, partition: int, persons: Collection[str]) -> None:
        """Nobody is noted: who is due is worked out each time."""


class MemoryLedger:
    """The positions and dead letters; a `Ledger`."""

    def lock(self, cur: Transaction, sources: Sequence[Source]) -> Mapping[Source, Stand]:
        """Hold partitions until the transaction ends."""
        cur.step("lock positions")
        cur.lock(source.partition for source in sources)
        horizons = cur.seen["horizon"]
        return {
            source: Stand(cur.seen["position"][source.partition][0], horizons.get(source.partition, NO_HORIZON))
            for source in sources
        }

    def bury(self, cur: Transaction, source: Source, dead: Sequence[Dead]) -> None:
        """Keep dead letters."""
        cur.step("bury")
        for one in dead:
            cur.put("dead", (source.partition, one.offset), one.reason)

    def advance(self, cur: Transaction, moves: Sequence[tuple[Source, int, Result]]) -> None:
        """Move positions by compare-and-set, at commit."""
        cur.step("advance")
        for source, was, result in moves:
            cur.write(lambda tables, move=(source, was, result): self._move(tables, *move))  # type: ignore[misc] # bound

    def _move(self, tables: Cluster, source: Source, was: int, result: Result) -> None:
        at, applied, duplicate, dead = tables["position"][source.partition]
        if not self.is_allowed(at, was):
            raise GapInLog("a position was moved by another process")
        done = (result.applied, result.duplicate, len(result.dead))
        tables["position"][source.partition] = (
            at + sum(done), applied + done[0], duplicate + done[1], dead + done[2]
        )  # fmt: skip

    def is_allowed(self, at: int, was: int) -> bool:
        """Compare; the setting is done when this says yes."""
        return at == was


def _key(scan: Scan) -> ScanKey:
    return dashed(scan.person_id), scan.scan_id
