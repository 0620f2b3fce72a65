"""Which records of one person stand, as the light rows that pairing and counting read.

How to make a row: `SeenScan(scan_id, person, facility, kind, time_zone, gate, zone, at, admitted, role, channel,
decision)`, positional and in this order, so a row read from a database with these columns is `SeenScan(*row)`.
`at` is integer microseconds since 1970 (`tracing.instants.us_of`; in SQL `(extract(epoch from at) * 1000000)::bigint`);
kind, gate, role, channel and decision are plain text with the values of the enums in `schemas.events`;
`decision` is the latest one or None. Person and facility may be any text, number or UUID, as long as one
thing has one value: only equality is asked of them. Scan ids are text, ordered by code point.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from schemas.events import Scan, ScanDecision
from tracing.instants import us_of

Key: TypeAlias = str | int | UUID
VERDICTS: Final = ("void", "flag", "clear")  # at the same serial the earlier of these wins
_encode: Final = msgspec.msgpack.Encoder().encode
OUT_OF_TRACING: Final = frozenset({"void", "flag"})


class SeenScan(msgspec.Struct, frozen=True, gc=False):
    """One standing scan with its latest decision."""

    scan_id: str
    person: Key
    facility: Key
    kind: str
    time_zone: str  # of the facility, IANA name
    gate: str
    zone: str
    at: int
    admitted: bool = True
    role: str = "unknown"
    channel: str = "app"
    decision: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """What stands of one person's records, and what cannot."""

    scans: list[SeenScan]
    conflicts: list[Scan | ScanDecision]  # same identity as an earlier record, another body: dead letters


def standing(records: Iterable[Scan | ScanDecision]) -> Standing:
    """Return the scans of one person that stand, each with its latest decision.

    Of one identity the first record stands; a repeat is dropped, another body is a conflict. A decision may come
    before its scan, and one whose scan never comes changes nothing.

    Args:
        records: of one person, in the order of their offsets.
    """
    scans: dict[str, Scan] = {}
    decisions: dict[tuple[str, int, str], ScanDecision] = {}
    conflicts: list[Scan | ScanDecision] = []
    for record in records:
        first: Scan | ScanDecision
        if isinstance(record, Scan):
            first = scans.setdefault(record.scan_id, record)
        else:
            first = decisions.setdefault((record.scan_id, record.serial, record.by), record)
        if first is not record and client_body(first) != client_body(record):
            conflicts.append(record)
    latest = latest_decisions((decision.scan_id, decision.serial, decision.decision) for decision in decisions.values())
    return Standing([seen(scan, latest.get(scan.scan_id)) for scan in scans.values()], conflicts)


def latest_decisions(decisions: Iterable[tuple[str, int, str]]) -> dict[str, str]:
    """Return for each scan id the verdict in force, from (scan_id, serial, verdict) in any order.

    The highest serial wins; at a tie void before flag before clear.
    """
    latest: dict[str, tuple[int, int]] = {}
    for scan_id, serial, verdict in decisions:
        strength = (serial, -VERDICTS.index(verdict))
        if scan_id not in latest or latest[scan_id] < strength:
            latest[scan_id] = strength
    return {scan_id: VERDICTS[-rank] for scan_id, (_, rank) in latest.items()}


def seen(scan: Scan, decision: str | None = None) -> SeenScan:
    """Return the row of a scan as the core reads it."""
    return SeenScan(
        scan.scan_id,
        scan.person_id,
        scan.facility_id,
        scan.kind,
        scan.time_zone,
        scan.gate,
        scan.zone,
        us_of(scan.at),
        scan.admitted,
        scan.role,
        scan.channel,
        decision,
    )


def client_body(record: Scan | ScanDecision) -> bytes:
    """Return 16 bytes that are equal when the client sent the same.

    The identity is not in them, nor what the gate adds (kind, time zone, entered by, received at); an instant
    counts as an instant, whatever its offset. The bytes are stored: a new field may only be added so that its
    default leaves them as they were.
    """
    if isinstance(record, Scan):
        return scan_body(record, us_of(record.at))
    return _digest((us_of(record.scan_at), record.decision, record.reason))


def scan_body(scan: Scan, at: int) -> bytes:
    """Return the `client_body` of a scan whose instant is computed already."""
    gate_no = () if scan.gate_no is None else (scan.gate_no,)
    return _digest(
        (
            scan.facility_id,
            scan.zone,
            scan.group_id,
            scan.gate,
            at,
            scan.admitted,
            scan.refused_reason,
            scan.role,
            scan.channel,
            scan.assurance,
            scan.device_id,
            scan.device_seq,
            scan.poster_version,
            *gate_no,
        )
    )


def _digest(sent: tuple[str | int | None, ...]) -> bytes:
    return blake2b(_encode(sent), digest_size=16).digest()
