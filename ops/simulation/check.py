"""What a world must have become: the pure fold of its log, every record accounted for, every change told once."""

from collections import defaultdict
from itertools import chain
from typing import Any

import msgspec

from ops.simulation.tables import FACILITIES
from ops.simulation.world import World, Wrong
from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Scan, ScanDecision, VisitChange
from schemas.topics import VISIT
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.records import SeenScan, standing
from tracing.rows import dashed
from tracing.visits import Visit, visits_of

_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)
_numbers = {facility.facility_id: facility.facility_no for facility in FACILITIES}


def check(world: World) -> None:
    """Compare the world with the pure fold of its log.

    Raises:
        Wrong: something is lost, double or wrong.
    """
    tables = world.database.tables
    for partition, records in world.log.items():
        at, applied, duplicate, dead = tables["position"][partition]
        _same("the position", at, len(records))
        _same("the ledger", applied + duplicate + dead, at)
        visits, counts, scans, wrong = _expected(records)
        _same(
            "dead letters", {one for one in tables["dead"] if one[0] == partition}, {(partition, one) for one in wrong}
        )
        persons = {scan.person for scan in scans}
        stored = {visit.visit_id: visit for visit in tables["visit"].values() if visit.person in persons}
        _same("scans", {key[1] for key in tables["scan"] if key[0] in persons}, {scan.scan_id for scan in scans})
        _same("visits", stored, {visit.visit_id: visit for visit in visits})
        _same("counts", tables["hour"].get(partition, {}), counts)
    _same("visits told", _told(world), {key[1]: visit.check_out for key, visit in tables["visit"].items()})
    if any(world.kafka[one] > tables["position"][one][0] for one in world.kafka):
        raise Wrong("Kafka's committed offset is beyond the position")


def _expected(records: list[Any]) -> tuple[list[Visit], dict[FacilityHour, Counts], list[SeenScan], list[int]]:
    theirs: defaultdict[str, list[Scan | ScanDecision]] = defaultdict(list)
    offsets: dict[int, int] = {}
    wrong = []
    for record in records:
        try:
            event = _codec.decode(record.value)
        except InvalidEvent:
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
