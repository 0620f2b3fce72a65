"""A scan is flagged by us: why, and how that meets what people decide about it.

A flag of ours has the lowest serial there is, so that whatever a person decided, before or after, outweighs it; and it
is made of nothing but the scan and the reason, so that one sent twice is one.
"""

from enum import StrEnum
from typing import Final

from portal.desk import Desk
from schemas.events import Scan, ScanDecision, Verdict

SERIAL: Final = 0  # below every serial that `portal/plausibility/serials.py` gives to people
SYSTEM: Final = "system"


class Reason(StrEnum):
    """Why we flag a scan; `flags.reason_<code>` in the words says it to people."""

    CLOSED_HOURS = "closed_hours"  # the facility was closed
    BURST = "burst"  # more people at one poster than can stand before it
    TWO_PLACES = "two_places"  # the same person at the same time far away
    IMPOSSIBLE_TRAVEL = "impossible_travel"  # the same person sooner far away than anybody gets there
    RETIRED_POSTER = "retired_poster"  # the poster had been revoked
    MANY_PERSONS = "many_persons"  # one device for more people than one household has
    SEQUENCE_GAP = "sequence_gap"  # scans of the device before this one are missing
    SEQUENCE_BACK = "sequence_back"  # the device had counted further already
    CHAIN_BROKEN = "chain_broken"  # it does not follow from what the device signed before
    CLOCK_ERROR = "clock_error"  # the device's clock was wrong by more than 5 minutes
    LATE_AFTER_POSITIVE = "late_after_positive"  # older than 48 h, and sent after its owner's positive


async def flag(desk: Desk, scan: Scan, reason: str) -> None:
    """Flag a scan that was accepted: it is out of tracing until a person clears it.

    Args:
        desk: the gate's means.
        scan: as it was sent to its topic.
        reason: a code of `Reason`; several of one scan stand beside each other.

    Raises:
        Unavailable: the broker did not acknowledge it in time; to do it again changes nothing.
    """
    await desk.send([flagged(scan, Reason(reason))])


def flagged(scan: Scan, reason: Reason) -> ScanDecision:
    """Return the decision that flags a scan."""
    return ScanDecision(
        scan_id=scan.scan_id,
        person_id=scan.person_id,
        scan_at=scan.at,
        decision=Verdict.FLAG,
        serial=SERIAL,
        by=f"{SYSTEM}:{reason}",
        reason=reason,
    )
