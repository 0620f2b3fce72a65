"""The visits fold: scans and decisions about scans become visits, counts, and the events that tell of both.

It only adapts: who was where is decided in `tracing`. A record that cannot be used becomes a dead letter; everything
else is stored once, and changes what is stored by the difference it makes.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from schemas.events import Scan, ScanDecision
from schemas.settings import Settings
from schemas.topics import FACILITY_COUNT, SCAN, VISIT
from streams.app import run_worker
from streams.arrivals import UNKNOWN_FACILITY, Arrival, Body, Identity, first_of_each, read_arrivals, sort_out
from streams.batches import Record
from streams.sealing import read_seal
from streams.store import BatchStore, Dead, Result, RunFirst, Source, write_outbox
from streams.tidings import facility_counts, visit_changes
from tracing import store
from tracing.counts import Counts, FacilityHour, add
from tracing.difference import Difference
from tracing.histories import histories
from tracing.keys import is_short, visit_key
from tracing.rows import Facility
from tracing.stays import Stays
from tracing.store import Cursor


class VisitFold:
    """The `Work` of the visits worker. Knows the facilities and weeks by heart; both only grow."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._by_id: dict[str, Facility] = {}
        self._by_no: dict[int, Facility] = {}
        self._weeks: set[int] = set()
        self._stays = Stays()

    def opened(self, cur: Cursor) -> None:
        """Make the connection's stages and learn what is there."""
        store.prepare(cur)
        self._learn_facilities(cur)
        self._weeks = store.known_weeks(cur)

    def fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Store what is new, and what follows from it."""
        arrivals, dead = self._read(cur, source, records)
        new = self._add_new(cur, arrivals)
        applied, duplicate, contradicting = sort_out(arrivals, new, self._stored(cur, arrivals, new))
        if new:
            self._follow(cur, source, new)
        return Result(applied, duplicate, [*dead, *contradicting])

    def _read(self, cur: Cursor, source: Source, records: Sequence[Record]) -> tuple[list[Arrival], list[Dead]]:
        known = partial(read_arrivals, records, source.partition, self._partitions, self._by_id.get)
        arrivals, dead = known()
        if any(letter.reason == UNKNOWN_FACILITY for letter in dead):
            self._learn_facilities(cur)  # it may have been added since we looked
            arrivals, dead = known()
        return arrivals, dead

    def _add_new(self, cur: Cursor, arrivals: Iterable[Arrival]) -> set[Identity]:
        scans, decisions = [], []
        for arrival in first_of_each(arrivals):
            if isinstance(arrival.event, Scan):
                assert isinstance(arrival.body, bytes)
                facility = self._by_id[arrival.event.facility_id]
                scans.append((arrival.event, facility.facility_no, arrival.body, arrival.accepted_at))
            else:
                decisions.append((arrival.event, arrival.accepted_at))
        new: set[Identity] = set()
        if scans:
            new |= store.add_scans(cur, scans)
        if decisions:
            new |= store.add_decisions(cur, decisions)
        return new

    def _stored(self, cur: Cursor, arrivals: Iterable[Arrival], new: set[Identity]) -> dict[Identity, Body]:
        repeated = [arrival for arrival in arrivals if arrival.identity not in new]
        if not repeated:
            return {}
        scans = {arrival.identity[:2] for arrival in repeated if isinstance(arrival.event, Scan)}
        persons = {arrival.identity[0] for arrival in repeated if isinstance(arrival.event, ScanDecision)}
        stored: dict[Identity, Body] = {}
        if scans:
            stored |= {(person, scan_id): body for (person, scan_id), body in store.scan_bodies(cur, scans).items()}
        if persons:
            bodies = store.decision_bodies(cur, persons)
            stored |= {identity: body for identity, body in bodies.items() if identity not in new}
        return stored

    def _follow(self, cur: Cursor, source: Source, new: set[Identity]) -> None:
        differences = self._differences(cur, new)
        come = [visit for one in differences for visit in one.come]
        missing = {
            store.week_of(visit.check_in) for visit in come if is_short(visit_key(0, visit.check_in, visit.check_out))
        } - self._weeks
        if missing:
            raise RunFirst(partial(self._make_weeks, weeks=missing))
        store.delete_visits(cur, [visit for one in differences for visit in one.gone])
        store.insert_visits(cur, come)
        counts: dict[FacilityHour, Counts] = {}
        for one in differences:
            add(counts, one.counts)
        hours = store.add_counts(cur, source.partition, counts)
        changes = visit_changes(differences, self._by_no, self._partitions)
        write_outbox(cur, source, VISIT.name, changes)
        told = facility_counts(hours, source.partition, self._by_no, self._partitions)
        write_outbox(cur, source, FACILITY_COUNT.name, told)

    def _differences(self, cur: Cursor, new: set[Identity]) -> list[Difference]:
        persons = {identity[0] for identity in new}
        self._learn_stays(cur)
        scans = store.read_scans(cur, persons)
        if any(scan.facility_no not in self._by_no for scan in scans):
            self._learn_facilities(cur)
        decisions = store.decision_bodies(cur, persons)
        visits = store.read_visits(cur, persons, self._by_no)
        return [one.difference(new, self._by_no, self._stays) for one in histories(scans, decisions, visits)]

    def _make_weeks(self, cur: Cursor, weeks: set[int]) -> None:
        store.make_weeks(cur, weeks)
        self._weeks |= weeks

    def _learn_facilities(self, cur: Cursor) -> None:
        for facility in store.read_facilities(cur):
            self._by_id[facility.facility_id] = facility
            self._by_no[facility.facility_no] = facility

    def _learn_stays(self, cur: Cursor) -> None:
        stays = Stays(store.read_stay_rules(cur))
        if stays.rules != self._stays.rules:
            self._stays = stays


def run(settings: Settings, slot: int) -> None:
    """Run the visits worker of this slot until SIGTERM.

    Raises:
        StopWorker: the process must end with its exit code.
    """
    work = VisitFold(settings.partitions)
    handler = BatchStore(settings, "jejak_visits", work, read_seal(settings))
    run_worker(settings, "visits", [SCAN.name], handler, slot)
