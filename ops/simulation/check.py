"""What a world must have become: the pure fold of its log, every record accounted for, every change told once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec

from ops.simulation.tables import FACILITIES
from ops.simulation.world import PARTITIONS, World, Wrong
from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Scan, ScanDecision, VisitChange
from schemas.partition import partition_of
from schemas.topics import VISIT
from tracing.carries import resumed_counts
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.fast import NEW, decode_state, resumed
from tracing.histories import histories
from tracing.instants import us_of
from tracing.records import Key, SeenScan, standing
from tracing.rows import dashed, undashed
from tracing.visits import Visit, visits_of

_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)
_numbers = {facility.facility_id: facility.facility_no for facility in FACILITIES}


def check(world: World) -> None:
    """Compare the world with the pure fold of its log.

    Raises:
        Wrong: something is lost, double or wrong.
    """
    tables = world.database.tables
    everything: dict[str, int] = {}
    for partition, records in world.log.items():
        at, applied, duplicate, dead = tables["position"][partition]
        _same("the position", at, len(records))
        _same("the ledger", applied + duplicate + dead, at)
        visits, counts, scans, wrong = _expected(records, partial(world.horizons.of, partition))
        _same(
            "dead letters", {one for one in tables["dead"] if one[0] == partition}, {(partition, one) for one in wrong}
        )
        _same("counts", tables["hour"].get(partition, {}), counts)
        _same_after_the_horizon(world, partition, visits, scans)
        _same("the totals", _counted_again(world, partition, {scan.person for scan in scans}), counts)
        everything |= {visit.visit_id: visit.check_out for visit in visits}
    _same("visits told", _told(world), everything)
    if any(world.kafka[one] > tables["position"][one][0] for one in world.kafka):
        raise Wrong("Kafka's committed offset is beyond the position")


def _same_after_the_horizon(world: World, partition: int, visits: Sequence[Visit], scans: Sequence[SeenScan]) -> None:
    """Compare what is stored of persons: before the horizon there is nothing but the visit that was open at it."""
    tables, horizon = world.database.tables, world.horizons.of(partition, len(world.log[partition]))
    persons = {scan.person for scan in scans}
    stored = {visit.visit_id: visit for visit in tables["visit"].values() if visit.person in persons}
    must = {visit.visit_id: visit for visit in visits if visit.check_out > horizon or visit.visit_id in stored}
    _same("visits", stored, must)
    before = [visit.person for visit in stored.values() if visit.check_out < horizon]
    _same("open visits from before the horizon", len(before), len(set(before)))
    left = {scan.scan_id for scan in scans if scan.at >= horizon}
    _same("scans", {key[1] for key in tables["scan"] if key[0] in persons}, left)
    kept = [key for name in ("scan", "decision") for key in tables[name] if _is_of(key[0], partition)]
    gone = sum(row[0] + row[1] for (part, _), row in tables["dropped day"].items() if part == partition)
    _same("records applied", len(kept) + gone, tables["position"][partition][1])


def _counted_again(world: World, partition: int, persons: set[Key]) -> dict[FacilityHour, Counts]:
    """Return the counts as the audit works them out: what the dropped ones left, and from there on anew."""
    tables = world.database.tables
    counts: dict[FacilityHour, Counts] = {}
    add(counts, tables["dropped hour"].get(partition, {}))
    facilities = {facility.facility_no: facility for facility in FACILITIES}
    decided = tables["decision"]
    for who in persons:
        person = str(who)
        scans = [stored for stored, _ in tables["scan"].values() if stored.person == person]
        carry = decode_state(tables["carry"][person][0]) if person in tables["carry"] else NEW
        (history,) = histories(
            scans, {key: row for key, row in decided.items() if key[0] == person}, (), {person: carry}
        )
        seen = history.seen(facilities)
        visits = visits_of(seen, carry=resumed(carry, person, facilities)[0])
        add(counts, resumed_counts(carry, visits, seen, facilities))
    return counts


def _is_of(person: str, partition: int) -> bool:
    return partition_of(undashed(person), PARTITIONS) == partition


def _expected(
    records: list[Any], horizon_of: Callable[[int], int]
) -> tuple[list[Visit], dict[FacilityHour, Counts], list[SeenScan], list[int]]:
    theirs: defaultdict[str, list[Scan | ScanDecision]] = defaultdict(list)
    offsets: dict[int, int] = {}
    wrong = []
    for record in records:
        try:
            event = _codec.decode(record.value)
        except InvalidEvent:
            wrong.append(record.offset)
            continue
        if us_of(event.at if isinstance(event, Scan) else event.scan_at) < horizon_of(record.offset):
            wrong.append(record.offset)
            continue
        theirs[event.person_id].append(event)
        offsets[id(event)] = record.offset
    visits, scans = [], []
    counts: dict[FacilityHour, Counts] = {}
    for some in theirs.values():
        stood = standing(some)
        wrong += [offsets[id(event)] for event in stood.conflicts]
        seen = [
            msgspec.structs.replace(scan, person=dashed(str(scan.person)), facility=_numbers[str(scan.facility)])
            for scan in stood.scans
        ]
        made = visits_of(seen)
        add(counts, counts_of(made, seen))
        visits += made
        scans += seen
    return visits, counts, scans, wrong


def _told(world: World) -> dict[str, int]:
    """Return the end of each visit as the outbox tells it; each change must begin where the one before ended."""
    ends: dict[str, Any] = {}
    events = [row[2] for row in world.database.tables["outbox"].values() if row[1] == VISIT.name]
    for _, _, value in chain.from_iterable(events):
        change = msgspec.json.decode(value, type=VisitChange)
        _same("what a change begins from", ends.pop(change.visit_id, None), change.before)
        if change.after is not None:
            ends[change.visit_id] = change.after
    return {visit_id: round(state.check_out.timestamp() * 1_000_000) for visit_id, state in ends.items()}


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Wrong(f"{what}: found {found}, expected {expected}")
