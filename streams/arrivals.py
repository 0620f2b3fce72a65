"""What a batch of `scan.v1` brings: scans, decisions, and records that are neither or not for here.

Pure: which facility an id names, and what the database already holds, is handed in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from streams.batches import Record
from streams.store import Dead
from tracing.fast import NO_HORIZON
from tracing.instants import us_of
from tracing.records import SeenScan, scan_body
from tracing.rows import DecisionKey, Facility, ScanKey, dashed

Identity: TypeAlias = ScanKey | DecisionKey
Body: TypeAlias = bytes | tuple[int, str, str]  # what the client sent, as it is compared

UNKNOWN_FACILITY: Final = "field facility_id: is not a facility we know"
TOO_OLD: Final = "too_old"  # before the horizon: what it would be paired with was dropped
OTHER_BODY: Final = "field scan_id: is that of an earlier record with another body"
_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A usable record, where it stood, and when the log took it (microseconds since 1970)."""

    offset: int
    accepted_at: int
    value: bytes
    event: Scan | ScanDecision
    identity: Identity
    body: Body
    seen: SeenScan | None  # a scan as the core reads it; its facility is the facility's number


def read_arrivals(
    records: Sequence[Record],
    partition: int,
    partitions: int,
    facility_of: Callable[[str], Facility | None],
    horizon: int = NO_HORIZON,
) -> tuple[list[Arrival], list[Dead]]:
    """Return the records that can be used, and those that cannot; both in the order of the log.

    Args:
        records: of the batch, in the order of the log.
        partition: whose they are.
        partitions: how many there are.
        facility_of: which facility an id names.
        horizon: of the partition; what happened before it was dropped, and cannot be added to any more.
    """

    def is_here(person_id: str) -> bool:
        return partition_of(person_id, partitions) == partition

    arrivals: list[Arrival] = []
    dead: list[Dead] = []
    for record, event in zip(records, _codec.decode_all([record.value or b"" for record in records]), strict=True):
        try:
            arrival = _arrival(record, event, is_here, facility_of)
        except InvalidEvent as error:
            dead.append(Dead(record.offset, record.value, str(error)))
            continue
        if horizon != NO_HORIZON and _is_before(arrival, horizon):
            dead.append(Dead(record.offset, record.value, TOO_OLD))
        else:
            arrivals.append(arrival)
    return arrivals, dead


def first_of_each(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Return the arrivals that stand if the database holds nothing yet: of one identity the first."""
    firsts: dict[Identity, Arrival] = {}
    for arrival in arrivals:
        firsts.setdefault(arrival.identity, arrival)
    return list(firsts.values())


def sort_out(
    arrivals: Sequence[Arrival], new: set[Identity], stored: Mapping[Identity, Body]
) -> tuple[int, int, list[Dead]]:
    """Return how many arrivals are new, how many repeat what stands, and those that contradict it.

    Args:
        arrivals: in the order of the log.
        new: identities that were not in the database before this batch.
        stored: what the database holds for the others.
    """
    standing = dict(stored)
    applied, duplicate, dead = 0, 0, []
    for arrival in arrivals:
        body = standing.get(arrival.identity)
        if body is None:
            assert arrival.identity in new, "a record is neither new nor stored"
            standing[arrival.identity] = arrival.body
            applied += 1
        elif body == arrival.body:
            duplicate += 1
        else:
            dead.append(Dead(arrival.offset, arrival.value, OTHER_BODY))
    return applied, duplicate, dead


def _arrival(
    record: Record,
    event: Scan | ScanDecision | InvalidEvent,
    is_here: Callable[[str], bool],
    facility_of: Callable[[str], Facility | None],
) -> Arrival:
    value = record.value
    if value is None:
        raise InvalidEvent("is missing", field="body")
    if isinstance(event, InvalidEvent):
        raise event
    if not is_here(event.person_id):
        raise InvalidEvent("belongs to another partition", field="person_id")
    person, accepted_at = dashed(event.person_id), record.timestamp * 1000
    if not isinstance(event, Scan):
        body = us_of(event.scan_at), str(event.decision), event.reason
        identity = person, event.scan_id, event.serial, event.by
        return Arrival(record.offset, accepted_at, value, event, identity, body, None)
    seen = _seen(event, person, facility_of(event.facility_id))
    return Arrival(record.offset, accepted_at, value, event, (person, event.scan_id), scan_body(event, seen.at), seen)


def _is_before(arrival: Arrival, horizon: int) -> bool:
    if arrival.seen is not None:
        return arrival.seen.at < horizon
    assert isinstance(arrival.event, ScanDecision)
    return us_of(arrival.event.scan_at) < horizon


def _seen(scan: Scan, person: str, facility: Facility | None) -> SeenScan:
    if facility is None:
        raise InvalidEvent("is not a facility we know", field="facility_id")
    if scan.kind != facility.kind:
        raise InvalidEvent("is not the facility's", field="kind")
    if scan.time_zone != facility.time_zone:
        raise InvalidEvent("is not the facility's", field="time_zone")
    return SeenScan(
        scan.scan_id,
        person,
        facility.facility_no,
        facility.kind,
        facility.time_zone,
        scan.gate,
        scan.zone,
        us_of(scan.at),
        scan.admitted,
        scan.role,
        scan.channel,
    )
