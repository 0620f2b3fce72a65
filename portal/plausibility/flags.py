"""Flags that a desk gives by itself, at once: for what only it can see of a scan."""

from portal.desk import Desk
from portal.plausibility.reasons import Reason, flag_of
from schemas.events import Scan
from tracing.instants import us_of

__all__ = ["Reason", "flag"]


async def flag(desk: Desk, scan: Scan, reason: str) -> None:
    """Flag a scan that was accepted: it is out of tracing until a person clears it.

    Args:
        desk: the gate's means.
        scan: as it was sent to its topic.
        reason: a code of `Reason`; several of one scan stand beside each other.

    Raises:
        Unavailable: the broker did not acknowledge it in time; to do it again changes nothing.
    """
    await desk.send([flag_of(scan.person_id, scan.scan_id, us_of(scan.at), Reason(reason))])
