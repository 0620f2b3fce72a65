"""A device's scans are a chain: each counts one more, is no earlier, and holds the hash of the one before it. Pure.

What breaks the chain is not refused: a telephone loses its memory too. It is flagged, so that a person looks at it
before it counts.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from portal.plausibility.flags import Reason
from portal.scans import AGE_MAX

NOTHING: Final = bytes(32)  # what the first scan follows
CLOCK_ERROR_MAX: Final = timedelta(minutes=5)
LATE: Final = timedelta(hours=48)


class Head(msgspec.Struct, frozen=True):
    """How far a chain has come."""

    seq: int = 0
    hash: bytes = NOTHING
    at: datetime | None = None


class Link(msgspec.Struct, frozen=True):
    """One scan, as far as the chain goes."""

    seq: int
    prev: bytes
    hash: bytes  # of what it signed
    at: datetime


def follow(head: Head, link: Link) -> tuple[Head, tuple[Reason, ...]]:
    """Return how far the chain has come with this link, and what is wrong with it.

    After a gap or a break it goes on from the link, so that one loss does not flag all that comes later. A link that
    the device had counted past already moves nothing.
    """
    if link.seq <= head.seq:
        return head, (Reason.SEQUENCE_BACK,)
    reasons: list[Reason] = []
    if link.seq > head.seq + 1:
        reasons.append(Reason.SEQUENCE_GAP)
    elif link.prev != head.hash:
        reasons.append(Reason.CHAIN_BROKEN)
    if head.at is not None and link.at < head.at:
        reasons.append(Reason.CLOCK_ERROR)
    return Head(link.seq, link.hash, link.at), tuple(reasons)


def is_clock_wrong(at: datetime, sent_at: datetime, now: datetime) -> bool:
    """Say whether the device's clock cannot be believed: it is off now, or a scan lies in its own or our future."""
    return abs(sent_at - now) > CLOCK_ERROR_MAX or at > now + CLOCK_ERROR_MAX or at > sent_at + CLOCK_ERROR_MAX


def instant_of(at: datetime, now: datetime, *, wrong: bool) -> datetime | None:
    """Return when a scan was, for all we know: its own time. None: it is too old to be taken.

    A wrong clock may say a time at which no scan can be taken; then it is when it came here. It is flagged in any case.
    """
    if now - AGE_MAX <= at <= now + CLOCK_ERROR_MAX:
        return at
    return now if wrong else None
