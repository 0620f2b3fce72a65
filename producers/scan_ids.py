"""Scan ids that come out the same every time: a UUIDv7 (RFC 9562) whose random bits are a hash of what was scanned.

So a replay that is sent twice is a repeat, which the fold drops, and no second visit.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MILLISECOND: Final = timedelta(milliseconds=1)
TIES_MAX: Final = 0xFFF


def scan_id(at: datetime, tie: int, *parts: str) -> str:
    """Return the id of the scan at `at`; see `scan_id_us`."""
    return scan_id_us((at - EPOCH) // MICROSECOND, tie, *parts)


def scan_id_us(at_us: int, tie: int, *parts: str) -> str:
    """Return the id of the scan at a time in microseconds since 1970: a function of the arguments alone.

    Args:
        at_us: the time; the id holds its milliseconds.
        tie: orders ids of the same millisecond: pairing sees scans of one instant in the order of their ids.
        parts: what makes this scan this one and no other.
    """
    assert 0 <= tie <= TIES_MAX
    text = "\0".join((str(at_us), *parts))
    tail = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 2 | 1 << 63
    number = at_us // 1_000 << 80 | (0x7000 | tie) << 64 | tail
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
