"""Every visit and count, computed again from the scans by the pure functions, and compared with what is stored.

What retention dropped is not computed again: its counts are the totals it left, its pairing goes on from the carry.
Persons come one by one, shard by shard: held in memory are one person's rows and one shard's hours.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ops.audit.findings import Findings
from ops.audit.store import Row, Snapshot
from schemas.partition import partition_of
from tracing.carries import resumed_counts
from tracing.counts import Counts, FacilityHour
from tracing.fast import NEW, State, decode_state, resumed
from tracing.instants import hour_text, text_of, utc_of
from tracing.keys import facility_of, is_short, visit_key
from tracing.records import SeenScan, latest_decisions
from tracing.rows import Facility, undashed
from tracing.stays import Stays
from tracing.visits import Visit, visits_of

VISITS: Final = "visits"
COUNTS: Final = "counts"
PROGRESS_SCANS: Final = 100_000

Say: TypeAlias = Callable[[str], None]
_zones = msgspec.json.Decoder(tuple[tuple[int, str], ...])


class Person(NamedTuple):
    """What is stored of one person."""

    shard: int
    person: str
    scans: Sequence[Row]
    decisions: Sequence[Row]
    visits: Sequence[Row]
    carry: State = NEW  # what is left of those that were dropped


class StoredVisit(NamedTuple):
    """A visit's columns, and whether it lies in the table of long stays."""

    key: int
    check_in: int
    check_out: int
    check_in_estimated: bool
    check_out_estimated: bool
    role: str
    zones: tuple[tuple[int, str], ...]
    is_long: bool


def check_fold(snapshot: Snapshot, findings: Findings, say: Say) -> None:
    """Recompute the visits of every person and the counts of every shard, and report what differs."""
    shards = sorted(snapshot.shards() | set(range(snapshot.partitions)))
    scans, reported = 0, 0
    persons = groupby(persons_of(snapshot), key=itemgetter(0))
    ready = next(persons, None)
    for shard in shards:
        expected: dict[FacilityHour, Counts] = {
            (facility_no, hour): Counts(*numbers) for facility_no, hour, *numbers in snapshot.dropped_counts(shard)
        }
        if ready is not None and ready[0] == shard:
            for person in ready[1]:
                visits, seen = recomputed(person, snapshot.facilities, snapshot.stays)
                compare_visits(person, visits, snapshot.facilities, findings)
                _tally(expected, resumed_counts(person.carry, visits, seen, snapshot.facilities))
                scans += len(seen)
                if scans - reported >= PROGRESS_SCANS:
                    reported = scans
                    say(f"{scans:,} scans recomputed, shard {shard} of {snapshot.partitions}")
            ready = next(persons, None)
        compare_counts(shard, expected, snapshot, findings)
    findings.note(VISITS, f"from {scans:,} scans{_since(snapshot)}")


def _since(snapshot: Snapshot) -> str:
    horizons = snapshot.horizons.values()
    return f" since {utc_of(min(horizons)):%Y-%m-%d}, what was before is carried and in totals" if horizons else ""


def persons_of(snapshot: Snapshot) -> Iterator[Person]:
    """Yield every person who has a scan, a decision, a visit or a carry, in the order of (shard, person)."""
    tables = (snapshot.scans(), snapshot.decisions(), snapshot.visits(), snapshot.carries())
    streams = [_by_person(rows) for rows in tables]
    heads = [next(stream, None) for stream in streams]
    while True:
        keys = [head[0] for head in heads if head is not None]
        if not keys:
            return
        key = min(keys)
        assert partition_of(undashed(key[1]), snapshot.partitions) == key[0], "the database hashes otherwise"
        rows: list[Sequence[Row]] = []
        for number, head in enumerate(heads):
            if head is not None and head[0] == key:
                rows.append(head[1])
                heads[number] = next(streams[number], None)
            else:
                rows.append(())
        scans, decisions, visits, carries = rows
        yield Person(*key, scans, decisions, visits, decode_state(carries[0][2]) if carries else NEW)


def recomputed(person: Person, facilities: Mapping[int, Facility], stays: Stays) -> tuple[list[Visit], list[SeenScan]]:
    """Return the visits that a person's scans make, and those scans as pairing sees them."""
    latest = latest_decisions((row[2], row[3], row[4]) for row in person.decisions) if person.decisions else {}
    seen = []
    for _, who, scan_id, number, gate, zone, at, admitted, role, channel in person.scans:
        facility = facilities[number]
        seen.append(
            SeenScan(
                scan_id,
                who,
                number,
                facility.kind,
                facility.time_zone,
                gate,
                zone,
                at,
                admitted,
                role,
                channel,
                latest.get(scan_id),
            )
        )
    return visits_of(seen, stays, resumed(person.carry, person.person, facilities)[0]), seen


def compare_visits(
    person: Person, visits: Sequence[Visit], facilities: Mapping[int, Facility], findings: Findings
) -> None:
    """Report the visits of a person that are missing, too many, or have another value in a column."""
    expected = {visit.visit_id: _columns(visit) for visit in visits}
    once: set[str] = set()
    findings.compared(VISITS, len(visits))
    for row in person.visits:
        visit_id, stored = row[2], _stored(row)
        where = _visit_name(visit_id, stored, facilities)
        if visit_id in once:
            findings.differs(VISITS, where, "is stored twice")
            continue
        once.add(visit_id)
        wanted = expected.pop(visit_id, None)
        if wanted is None:
            findings.differs(VISITS, where, "is stored, but the scans do not make it")
        elif wanted != stored:
            findings.differs(VISITS, where, _differing(stored, wanted, facilities))
    for visit_id, wanted in expected.items():
        findings.differs(VISITS, _visit_name(visit_id, wanted, facilities), "is missing")


def compare_counts(shard: int, expected: dict[FacilityHour, Counts], snapshot: Snapshot, findings: Findings) -> None:
    """Report the hours of a shard that are missing, too many, or count something else."""
    for facility_no, hour, *numbers in snapshot.counts(shard):
        findings.compared(COUNTS)
        stored, wanted = Counts(*numbers), expected.pop((facility_no, hour), None)
        if wanted == stored:
            continue
        row = hour_name(snapshot.facilities[facility_no], hour, shard)
        if wanted is None:
            findings.differs(COUNTS, row, "is stored, but the scans count nothing there")
        else:
            findings.differs(COUNTS, row, differing_counts(stored, wanted, "the scans say"))
    for facility_hour in expected:
        facility_no, hour = facility_hour
        assert isinstance(facility_no, int)
        findings.compared(COUNTS)
        findings.differs(COUNTS, hour_name(snapshot.facilities[facility_no], hour, shard), "is missing")


def hour_name(facility: Facility, hour: int, shard: int) -> str:
    """Return how people find a row of counts."""
    return f"facility {facility.facility_id}, hour {hour_text(hour, facility.time_zone)}, shard {shard}"


def differing_counts(found: Counts, wanted: Counts, who: str) -> str:
    """Return in words what counts differ."""
    pairs = [(name, getattr(found, name), getattr(wanted, name)) for name in Counts.__struct_fields__]
    return "; ".join(f"{name} is {was}, {who} {now}" for name, was, now in pairs if was != now)


def _tally(expected: dict[FacilityHour, Counts], counts: dict[FacilityHour, Counts]) -> None:
    """Add a person's counts in place: nothing is ever taken away here, so that no hour can become empty."""
    for hour, more in counts.items():
        known = expected.get(hour)
        if known is None:
            expected[hour] = more
            continue
        known.visitors += more.visitors
        known.person_us += more.person_us
        if more.arrivals or more.departures:
            known.arrivals += more.arrivals
            known.departures += more.departures
            known.estimated += more.estimated
        known.refused += more.refused
        known.manual += more.manual
        known.flagged += more.flagged


def _by_person(rows: Iterator[Row]) -> Iterator[tuple[tuple[int, str], list[Row]]]:
    return ((key, list(group)) for key, group in groupby(rows, key=itemgetter(0, 1)))


def _stored(row: Row) -> StoredVisit:
    key, check_in, check_out, in_estimated, out_estimated, role, zones, is_long = row[3:]
    seen = _zones.decode(zones) if zones else ()
    return StoredVisit(key, check_in, check_out, in_estimated, out_estimated, role, seen, is_long)


def _columns(visit: Visit) -> StoredVisit:
    assert isinstance(visit.facility, int)
    key = visit_key(visit.facility, visit.check_in, visit.check_out)
    ends = (visit.check_in, visit.check_out, visit.check_in_estimated, visit.check_out_estimated)
    return StoredVisit(key, *ends, visit.role, visit.zones, not is_short(key))


def _visit_name(visit_id: str, visit: StoredVisit, facilities: Mapping[int, Facility]) -> str:
    facility = facilities.get(facility_of(visit.key))
    return f"visit {visit_id} at {facility.facility_id if facility else 'an unknown facility'}"


def _differing(stored: StoredVisit, wanted: StoredVisit, facilities: Mapping[int, Facility]) -> str:
    zone = facilities[facility_of(wanted.key)].time_zone

    def shown(name: str, value: Any) -> str:  # noqa: ANN401 — a column of any type
        if name in {"check_in", "check_out"}:
            return text_of(value, zone)
        if name == "zones":
            return f"{len(value)} zones"
        return str(value).lower()

    return "; ".join(
        f"{name} is {shown(name, was)}, the scans say {shown(name, now)}"
        for name, was, now in zip(StoredVisit._fields, stored, wanted, strict=True)
        if was != now
    )
