"""The visits fold: scans and decisions about scans become visits, counts, and the events that tell of both.

It only adapts: who was where is decided in `tracing`. A record that cannot be used becomes a dead letter; everything
else is stored once, and changes what is stored by the difference it makes.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from schemas.errors import Conflict
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import FACILITY_COUNT, SCAN, VISIT
from streams.app import run_worker
from streams.arrivals import UNKNOWN_FACILITY, Arrival, Body, Identity, first_of_each, read_arrivals, sort_out
from streams.batches import Record
from streams.failpoints import reach
from streams.joining.store import JoiningStore, Part
from streams.sealing import read_seal
from streams.store import Dead, Result, RunFirst, Source, write_outboxes
from streams.tidings import Tiding, facility_counts, visit_changes
from tracing import store
from tracing.counts import Counts, FacilityHour, add
from tracing.difference import Difference
from tracing.fast import NEW, NO_HORIZON, State, follow, is_in_order
from tracing.histories import NO_CARRY, histories
from tracing.keys import is_short, visit_key
from tracing.records import SeenScan
from tracing.rows import Facility, ScanKey, undashed
from tracing.stays import Stays
from tracing.store import Cursor

Leave: TypeAlias = Callable[[Any, Sequence[tuple[Source, str, Sequence[Tiding]]]], None]

THREADS: Final = 2  # while one transaction waits for PostgreSQL, another computes; a third finds nothing to do
_check_in: Final = attrgetter("check_in")
WAITING: Final = State(awaits=True)  # of a person of whom there are only decisions


class VisitFold:
    """The `Work` of the visits worker. Knows the facilities and weeks by heart; both only grow."""

    def __init__(
        self,
        partitions: int,
        tables: Any = store,  # noqa: ANN401 — tracing.store, or another thing with its functions
        leave: Leave = write_outboxes,
    ) -> None:
        self._partitions = partitions
        self._tables = tables
        self._leave = leave
        self._by_id: dict[str, Facility] = {}
        self._by_no: dict[int, Facility] = {}
        self._weeks: set[int] = set()
        self._stays = Stays()
        self._careful = False  # set for one batch after a scan thought new was found stored

    def opened(self, cur: Cursor) -> None:
        """Make the connection's stages and learn what is there."""
        self._tables.prepare(cur)
        self._learn_facilities(cur)
        self._weeks = self._tables.known_weeks(cur)

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Store what is new, and what follows from it."""
        return self.fold_all(cur, [Part(source, records)])[0]

    def fold_all(self, cur: Cursor, parts: Sequence[Part]) -> list[Result]:
        """Fold the records of several partitions with the same statements; one result per partition."""
        read = [self._read(cur, part) for part in parts]
        arrivals = [arrival for some, _ in read for arrival in some]
        reach("records read")
        states = self._tables.read_states(cur, {arrival.identity[0] for arrival in arrivals})
        reach("states read")
        firsts = first_of_each(arrivals)
        in_order = self._in_order(firsts, states)
        new = self._add_new(cur, firsts, in_order)
        stored = self._stored(cur, arrivals, new)
        if new:
            self._follow(cur, parts, states, in_order, new, _maybe_rides(firsts, new))
        self._careful = False
        results = []
        all_new = len(new) == len(arrivals)
        for some, dead in read:
            if all_new:
                results.append(Result(len(some), 0, dead))
                continue
            applied, duplicate, contradicting = sort_out(some, new, stored)
            results.append(Result(applied, duplicate, [*dead, *contradicting]))
        return results

    def _read(self, cur: Cursor, part: Part) -> tuple[list[Arrival], list[Dead]]:
        number = part.source.partition
        known = partial(read_arrivals, part.records, number, self._partitions, self._by_id.get, part.horizon)
        arrivals, dead = known()
        if any(letter.reason == UNKNOWN_FACILITY for letter in dead):
            self._learn_facilities(cur)  # it may have been added since we looked
            arrivals, dead = known()
        return arrivals, dead

    def _in_order(self, firsts: Iterable[Arrival], states: Mapping[str, State | None]) -> dict[str, list[SeenScan]]:
        """Return the scans of the persons whose row is enough: all they bring are scans after their latest."""
        scans: dict[str, list[SeenScan]] = {}
        judged: set[str] = set()
        for arrival in firsts:
            person = arrival.identity[0]
            if arrival.seen is not None:
                scans.setdefault(person, []).append(arrival.seen)
            else:
                judged.add(person)
        return {
            person: theirs
            for person, theirs in scans.items()
            if person not in judged and (state := states.get(person, NEW)) is not None and is_in_order(state, theirs)
        }

    def _add_new(self, cur: Cursor, firsts: Iterable[Arrival], in_order: Container[str]) -> set[Identity]:
        fresh, scans, decisions = [], [], []
        new: set[Identity] = set()
        for arrival in firsts:
            event, seen = arrival.event, arrival.seen
            if seen is None:
                decisions.append((event, arrival.accepted_at))
                continue
            row = event, seen.facility, arrival.body, arrival.accepted_at
            if arrival.identity[0] in in_order and not self._careful:
                fresh.append(row)
                new.add(arrival.identity)
            else:
                scans.append(row)
        if fresh:
            try:
                self._tables.copy_scans(cur, fresh)
            except Conflict:  # an old id with a later instant: begin again, and ask about each
                raise RunFirst(self._take_care) from None
            reach("scans copied")
        if scans:
            new |= self._tables.add_scans(cur, scans)
            reach("scans staged")
        if decisions:
            new |= self._tables.add_decisions(cur, decisions)
            reach("decisions staged")
        return new

    def _take_care(self, _: Cursor) -> None:
        self._careful = True

    def _stored(self, cur: Cursor, arrivals: Iterable[Arrival], new: set[Identity]) -> dict[Identity, Body]:
        repeated = [arrival for arrival in arrivals if arrival.identity not in new]
        if not repeated:
            return {}
        scans = {arrival.identity[:2] for arrival in repeated if isinstance(arrival.event, Scan)}
        persons = {arrival.identity[0] for arrival in repeated if isinstance(arrival.event, ScanDecision)}
        stored: dict[Identity, Body] = {}
        if scans:
            stored |= {
                (person, scan_id): body for (person, scan_id), body in self._tables.scan_bodies(cur, scans).items()
            }
        if persons:
            bodies = self._tables.decision_bodies(cur, persons)
            stored |= {identity: body for identity, body in bodies.items() if identity not in new}
        return stored

    def _follow(
        self,
        cur: Cursor,
        parts: Sequence[Part],
        states: Mapping[str, State | None],
        in_order: Mapping[str, list[SeenScan]],
        new: set[Identity],
        rides: set[ScanKey],
    ) -> None:
        self._learn_stays(cur)
        differences: dict[str, Difference] = {}
        rows: dict[str, State] = {}
        for person, theirs in in_order.items():
            scans = [scan for scan in theirs if (person, scan.scan_id) in new] if self._careful else theirs
            if scans:
                state = states.get(person, NEW)
                assert state is not None
                differences[person], rows[person] = follow(state, scans, self._by_no, self._stays)
        others = {identity[0] for identity in new} - in_order.keys()
        if others:
            is_cut = any(part.horizon != NO_HORIZON for part in parts)
            self._follow_history(cur, others, new, differences, rows, is_cut=is_cut)
        if rides:
            self._touch_rides(cur, rides, differences)
        self._write_visits(cur, differences.values())
        self._tables.write_states(cur, rows, states)
        reach("states written")
        self._tell(cur, parts, differences)

    def _follow_history(
        self,
        cur: Cursor,
        persons: set[str],
        new: set[Identity],
        differences: dict[str, Difference],
        rows: dict[str, State],
        *,
        is_cut: bool,
    ) -> None:
        """Take the general path: all there is of these persons is read, and their rows are made anew."""
        scans = self._tables.read_scans(cur, persons)
        if any(scan.facility_no not in self._by_no for scan in scans):
            self._learn_facilities(cur)
        decisions = self._tables.decision_bodies(cur, persons)
        visits = self._tables.read_visits(cur, persons, self._by_no)
        carries = self._tables.read_carries(cur, persons) if is_cut else NO_CARRY
        reach("history read")
        rows |= dict.fromkeys(persons, WAITING)
        for one in histories(scans, decisions, visits, carries):
            differences[one.person], rows[one.person] = one.folded(new, self._by_no, self._stays)

    def _touch_rides(self, cur: Cursor, scans: set[ScanKey], differences: dict[str, Difference]) -> None:
        """Let the visit that a ride belongs to be told of, also where pairing ignores the scan and it stays as it is.

        A trace reads who rode together from the scans themselves, and hears of nothing but visits.
        """
        rides = self._tables.read_rides(cur, scans)
        visits = self._tables.read_visits(cur, {person for person, _, _ in rides}, self._by_no) if rides else []
        for person, facility_no, at in rides:
            there = [one for one in visits if (one.person, one.facility) == (person, facility_no)]
            visit = max((one for one in there if one.check_in <= at), key=_check_in, default=None)
            change = differences[person]
            if visit is not None and visit.visit_id not in {one.visit_id for one in change.gone}:
                differences[person] = replace(change, gone=[*change.gone, visit], come=[*change.come, visit])

    def _write_visits(self, cur: Cursor, differences: Iterable[Difference]) -> None:
        gone = [visit for one in differences for visit in one.gone]
        come = [visit for one in differences for visit in one.come]
        missing = {
            store.week_of(visit.check_in) for visit in come if is_short(visit_key(0, visit.check_in, visit.check_out))
        } - self._weeks
        if missing:
            raise RunFirst(partial(self._make_weeks, weeks=missing))
        self._tables.delete_visits(cur, gone)
        reach("visits deleted")
        self._tables.insert_visits(cur, come)
        reach("visits inserted")

    def _tell(self, cur: Cursor, parts: Sequence[Part], differences: Mapping[str, Difference]) -> None:
        """Add the differences into each partition's shard, and leave what is to be told of it."""
        of_partition: dict[int, list[Difference]] = {part.source.partition: [] for part in parts}
        for person, one in differences.items():
            number = partition_of(undashed(person), self._partitions) if len(parts) > 1 else parts[0].source.partition
            of_partition[number].append(one)
        hours = self._tables.add_counts(cur, {shard: _summed(theirs) for shard, theirs in of_partition.items()})
        reach("counts added")
        left: list[tuple[Source, str, list[Tiding]]] = []
        for source, records, _ in parts:
            shard, as_of = source.partition, records[-1].offset + 1
            changes = visit_changes(of_partition[shard], self._by_no, self._partitions)
            left.append((source, VISIT.name, changes))
            told = facility_counts(hours[shard], shard, self._by_no, self._partitions, as_of)
            left.append((source, FACILITY_COUNT.name, told))
        self._leave(cur, left)
        reach("outbox written")

    def _make_weeks(self, cur: Cursor, weeks: set[int]) -> None:
        self._tables.make_weeks(cur, weeks)
        self._weeks |= weeks

    def _learn_facilities(self, cur: Cursor) -> None:
        for facility in self._tables.read_facilities(cur):
            self._by_id[facility.facility_id] = facility
            self._by_no[facility.facility_no] = facility

    def _learn_stays(self, cur: Cursor) -> None:
        stays = Stays(self._tables.read_stay_rules(cur))
        if stays.rules != self._stays.rules:
            self._stays = stays


def _maybe_rides(arrivals: Iterable[Arrival], new: Container[Identity]) -> set[ScanKey]:
    """Return the scans of group entries among the new, and those about which something was decided."""
    some = [one for one in arrivals if one.seen is None or (isinstance(one.event, Scan) and one.event.group_id)]
    return {(one.identity[0], one.identity[1]) for one in some if one.identity in new}


def _summed(differences: Iterable[Difference]) -> dict[FacilityHour, Counts]:
    counts: dict[FacilityHour, Counts] = {}
    for one in differences:
        add(counts, one.counts)
    return counts


def run(settings: Settings, slot: int) -> None:
    """Run the visits worker of this slot until SIGTERM.

    Raises:
        StopWorker: the process must end with its exit code.
    """
    store = JoiningStore(settings, "jejak_visits", VisitFold(settings.partitions), read_seal(settings))
    stores = [store, *(store.beside(VisitFold(settings.partitions)) for _ in range(THREADS - 1))]
    run_worker(settings, "visits", [SCAN.name], store, slot, apply_all=[one.apply_all for one in stores])
