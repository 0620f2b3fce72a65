"""What a batch of `scan.v1` brings: scans, decisions, and records that are neither or not for here.

Pure: which facility an id names, and what the database already holds, is handed in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Scan, ScanDecision
from schemas.partition import partition_of
from streams.batches import Record
from streams.store import Dead
from tracing.instants import us_of
from tracing.records import client_body
from tracing.rows import DecisionKey, Facility, ScanKey, dashed

Identity: TypeAlias = ScanKey | DecisionKey
Body: TypeAlias = bytes | tuple[int, str, str]  # what the client sent, as it is compared

UNKNOWN_FACILITY: Final = "field facility_id: is not a facility we know"
OTHER_BODY: Final = "field scan_id: is that of an earlier record with another body"
_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)


class Arrival(NamedTuple):
    """A usable record, where it stood, and when the log took it (microseconds since 1970)."""

    offset: int
    accepted_at: int
    value: bytes
    event: Scan | ScanDecision
    identity: Identity
    body: Body


def read_arrivals(
    records: Iterable[Record], partition: int, partitions: int, facility_of: Callable[[str], Facility | None]
) -> tuple[list[Arrival], list[Dead]]:
    """Return the records that can be used, and those that cannot; both in the order of the log."""
    arrivals: list[Arrival] = []
    dead: list[Dead] = []
    for record in records:
        try:
            event = _read(record.value, partition, partitions, facility_of)
        except InvalidEvent as error:
            dead.append(Dead(record.offset, record.value, str(error)))
            continue
        assert record.value is not None
        arrivals.append(
            Arrival(record.offset, record.timestamp * 1000, record.value, event, identity_of(event), _body(event))
        )
    return arrivals, dead


def identity_of(event: Scan | ScanDecision) -> Identity:
    """Return what makes two records the same one."""
    person = dashed(event.person_id)
    if isinstance(event, Scan):
        return person, event.scan_id
    return person, event.scan_id, event.serial, event.by


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


def _read(
    value: bytes | None, partition: int, partitions: int, facility_of: Callable[[str], Facility | None]
) -> Scan | ScanDecision:
    if value is None:
        raise InvalidEvent("is missing", field="body")
    event = _codec.decode(value)
    if partition_of(event.person_id, partitions) != partition:
        raise InvalidEvent("belongs to another partition", field="person_id")
    if isinstance(event, Scan):
        facility = facility_of(event.facility_id)
        if facility is None:
            raise InvalidEvent("is not a facility we know", field="facility_id")
        if event.kind != facility.kind:
            raise InvalidEvent("is not the facility's", field="kind")
        if event.time_zone != facility.time_zone:
            raise InvalidEvent("is not the facility's", field="time_zone")
    return event


def _body(event: Scan | ScanDecision) -> Body:
    if isinstance(event, Scan):
        return client_body(event)
    return us_of(event.scan_at), str(event.decision), event.reason
