"""What the fold tells others: visits that changed, and the counts of the hours they touch. Pure.

Each comes as (partition, key, value) for the outbox; a value of None ends a key on a compacted topic.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from schemas.codec import encode
from schemas.events import FacilityCount, Role, VisitChange, VisitState, ZoneFrom
from schemas.partition import partition_of
from tracing.counts import Counts
from tracing.difference import Difference
from tracing.instants import hour_clock, hour_text, utc_of
from tracing.rows import Facility, undashed
from tracing.visits import Visit

_ROLES: Final = {str(role): role for role in Role}
Tiding: TypeAlias = tuple[int, bytes, bytes | None]


def visit_changes(
    differences: Iterable[Difference], facilities: Mapping[int, Facility], partitions: int
) -> list[Tiding]:
    """Return one `VisitChange` per visit that came, changed or went; a person's in one partition."""
    return [tiding for one in differences if one.gone or one.come for tiding in _changes(one, facilities, partitions)]


def facility_counts(
    hours: Iterable[tuple[int, int, Counts]],
    shard: int,
    facilities: Mapping[int, Facility],
    partitions: int,
    as_of: int = 0,
) -> list[Tiding]:
    """Return one `FacilityCount` per hour, with the counts of this shard as they are now; none left: a tombstone.

    Args:
        hours: (facility_no, hour, counts).
        shard: whose counts they are.
        facilities: by number.
        partitions: of the topic.
        as_of: the shard's next offset; it only grows, so of two counts the one with the greater is the newer.
    """
    nothing = Counts()
    return [
        _count(facilities[facility_no], hour, shard, None if counts == nothing else counts, partitions, as_of)
        for facility_no, hour, counts in hours
    ]


def _changes(difference: Difference, facilities: Mapping[int, Facility], partitions: int) -> Iterable[Tiding]:
    before = {visit.visit_id: visit for visit in difference.gone}
    after = {visit.visit_id: visit for visit in difference.come}
    person_id = undashed(str((difference.gone or difference.come)[0].person))
    key, partition = person_id.encode(), partition_of(person_id, partitions)
    for visit_id in before | after if before else after:
        change = VisitChange(
            visit_id=visit_id,
            person_id=person_id,
            before=_state(before.get(visit_id), facilities),
            after=_state(after.get(visit_id), facilities),
        )
        yield partition, key, encode(change)


def _state(visit: Visit | None, facilities: Mapping[int, Facility]) -> VisitState | None:
    if visit is None:
        return None
    assert isinstance(visit.facility, int)
    return VisitState(
        facility_id=facilities[visit.facility].facility_id,
        check_in=utc_of(visit.check_in),
        check_out=utc_of(visit.check_out),
        check_in_estimated=visit.check_in_estimated,
        check_out_estimated=visit.check_out_estimated,
        role=_ROLES[visit.role],
        zones=tuple(ZoneFrom(at=utc_of(at), zone=zone) for at, zone in visit.zones),
    )


def _count(facility: Facility, hour: int, shard: int, counts: Counts | None, partitions: int, as_of: int) -> Tiding:
    facility_id = facility.facility_id
    clock = hour_clock(hour, facility.time_zone)
    key = f"{facility_id}|{hour_text(hour, facility.time_zone)}|{shard}".encode()
    partition = partition_of(facility_id, partitions)
    if counts is None:
        return partition, key, None
    event = FacilityCount(
        facility_id=facility_id,
        hour=clock,
        shard=shard,
        arrivals=counts.arrivals,
        departures=counts.departures,
        estimated=counts.estimated,
        visitors=counts.visitors,
        person_us=counts.person_us,
        refused=counts.refused,
        manual=counts.manual,
        flagged=counts.flagged,
        as_of=as_of,
    )
    return partition, key, encode(event)
