"""Why we flag a scan, and how such a flag is made: of nothing but the scan and the reason, so one sent twice is one.

Its serial is the lowest there is: whatever a person decided, before or after, outweighs a rule. A poster's revocation
is a person's decision; a flag that follows from it has the revocation's serial.
"""

from enum import StrEnum
from typing import Final

from schemas.events import ScanDecision, Verdict
from tracing.instants import utc_of

SERIAL: Final = 0  # below every serial that `next_decision_serials` gives to people
SYSTEM: Final = "system"


class Reason(StrEnum):
    """Why we flag a scan; `flags.reason_<code>` in the words says it to people."""

    CLOSED_HOURS = "closed_hours"  # the facility was closed
    BURST = "burst"  # more people at one poster than can stand before it
    TWO_PLACES = "two_places"  # the same person at the same time far away
    IMPOSSIBLE_TRAVEL = "impossible_travel"  # the same person far away sooner than anybody gets there
    RETIRED_POSTER = "retired_poster"  # the poster had been revoked
    MANY_PERSONS = "many_persons"  # one device for more people than one household has
    SEQUENCE_GAP = "sequence_gap"  # scans of the device before this one are missing
    SEQUENCE_BACK = "sequence_back"  # the device had counted further already
    CHAIN_BROKEN = "chain_broken"  # it does not follow from what the device signed before
    CLOCK_ERROR = "clock_error"  # the device's clock was wrong by more than 5 minutes
    LATE_AFTER_POSITIVE = "late_after_positive"  # older than 48 h, and sent after its owner's positive


def flag_of(person_id: str, scan_id: str, at_us: int, reason: Reason, serial: int = SERIAL) -> ScanDecision:
    """Return the decision that flags a scan.

    Args:
        person_id: the scan's.
        scan_id: the scan's.
        at_us: when the scan was, in microseconds since 1970.
        reason: several of one scan stand beside each other.
        serial: that of the decision it follows from; else the lowest.
    """
    return ScanDecision(
        scan_id=scan_id,
        person_id=person_id,
        scan_at=utc_of(at_us),
        decision=Verdict.FLAG,
        serial=serial,
        by=f"{SYSTEM}:{reason}",
        reason=reason,
    )
