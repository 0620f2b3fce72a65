"""Scans, decisions and visits as rows of PostgreSQL's binary COPY, in the columns' order of their tables. Pure."""

from struct import Struct
from typing import Final

import msgspec

from schemas.events import Scan, ScanDecision
from tracing import copies
from tracing.instants import us_of
from tracing.keys import visit_key
from tracing.visits import Visit

_JSONB: Final = b"\x01"  # its version, before the text
_DECISION_FIELDS: Final = copies.fields(8)
_scan_head = Struct(">hi16si16sii").pack
_visit_head = Struct(">hiii16siqiqi16s").pack
_instant = Struct(">iq").pack
_length = Struct(">i").pack
_digest_and_instant = Struct(">i16siq").pack


def scan_line(scan: Scan, facility_no: int, body: bytes, accepted_at: int) -> bytes:
    """Return the row of a scan; `body` is its `client_body`."""
    text, fromhex, device, number = copies.TEXT, bytes.fromhex, scan.device_id.encode(), scan.device_seq
    return b"".join(  # a few calls less than by the functions of `copies`: this is a tenth of the fold
        (
            _scan_head(20, 16, fromhex(scan.person_id), 16, fromhex(scan.scan_id.replace("-", "")), 4, facility_no),
            text[scan.gate],
            _instant(8, us_of(scan.at) - copies.PG_EPOCH_US),
            text[scan.zone],
            copies.FLAG[scan.admitted],
            text[scan.role],
            text[scan.channel],
            _digest_and_instant(16, body, 8, accepted_at - copies.PG_EPOCH_US),
            text[scan.group_id],
            text[scan.refused_reason],
            text[scan.assurance],
            _length(len(device)),
            device,
            copies.NULL if number is None else _instant(8, number),
            copies.NULL if scan.poster_version is None else copies.integer(scan.poster_version),
            text[scan.entered_by],
            _instant(8, us_of(scan.received_at) - copies.PG_EPOCH_US),
            copies.NULL if scan.gate_no is None else copies.integer(scan.gate_no),
        )
    )


def decision_line(decision: ScanDecision, accepted_at: int) -> bytes:
    """Return the row of a decision."""
    return b"".join(
        (
            _DECISION_FIELDS,
            copies.uuid(decision.person_id),
            copies.uuid(decision.scan_id),
            copies.bigint(decision.serial),
            copies.blob(decision.by.encode()),
            copies.TEXT[decision.decision],
            copies.instant(us_of(decision.scan_at)),
            copies.blob(decision.reason.encode()),
            copies.instant(accepted_at),
        )
    )


def visit_line(visit: Visit) -> bytes:
    """Return the row of a visit, in whichever of the tables of visits."""
    assert isinstance(visit.facility, int)
    key = visit_key(visit.facility, visit.check_in, visit.check_out)
    check_in, check_out = visit.check_in - copies.PG_EPOCH_US, visit.check_out - copies.PG_EPOCH_US
    person, visit_id = (bytes.fromhex(text.replace("-", "")) for text in (str(visit.person), visit.visit_id))
    return b"".join(
        (
            _visit_head(9, 4, key, 16, person, 8, check_in, 8, check_out, 16, visit_id),
            copies.FLAG[visit.check_in_estimated],
            copies.FLAG[visit.check_out_estimated],
            copies.TEXT[visit.role],
            copies.blob(_JSONB + msgspec.json.encode(visit.zones)) if visit.zones else copies.NULL,
        )
    )
