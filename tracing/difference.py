"""What new records of one person change: visits that go, visits that come, and the difference in the counts.

Pure. The visits before are what is stored, not what would be computed today: so the stored state is right after
this difference whatever it was made with.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tracing.counts import Counts, FacilityHour, counts_of, subtract
from tracing.instants import HOUR_US
from tracing.records import SeenScan
from tracing.visits import Visit


class Difference(msgspec.Struct, frozen=True):
    """Delete `gone`, insert `come`, add `counts`; a changed visit is in both."""

    gone: list[Visit]
    come: list[Visit]
    counts: dict[FacilityHour, Counts]


def difference(
    before: Sequence[Visit],
    after: Sequence[Visit],
    scans_before: Mapping[str, SeenScan],
    scans_after: Mapping[str, SeenScan],
) -> Difference:
    """Return what leads from the stored state of one person to the one after.

    Args:
        before: the visits as stored; any order.
        after: the visits of the scans after; any order.
        scans_before: the standing scans by id, as they stood; may leave out any that do not change.
        scans_after: the same, as they stand now; may leave out the same ones.
    """
    if not before and not scans_before:
        return Difference([], list(after), counts_of(after, scans_after.values()))
    was = {visit.visit_id: visit for visit in before}
    now = {visit.visit_id: visit for visit in after}
    gone = [visit for visit in was.values() if now.get(visit.visit_id) != visit]
    come = [visit for visit in now.values() if was.get(visit.visit_id) != visit]
    near_before, near_after = _near(gone, come, was.values()), _near(gone, come, now.values())
    counts = subtract(
        counts_of(near_after, _changed(scans_after, scans_before)),
        counts_of(near_before, _changed(scans_before, scans_after)),
    )
    return Difference(gone, come, counts)


def _near(gone: Iterable[Visit], come: Iterable[Visit], visits: Iterable[Visit]) -> list[Visit]:
    """Return the visits that may share a clock hour with one that changes; the others count the same as before."""
    changed = [*gone, *come]
    if not changed:
        return []
    first = min(visit.check_in for visit in changed) - HOUR_US
    last = max(visit.check_out for visit in changed) + HOUR_US
    return [visit for visit in visits if visit.check_out >= first and visit.check_in <= last]


def _changed(scans: Mapping[str, SeenScan], others: Mapping[str, SeenScan]) -> list[SeenScan]:
    return [scan for scan_id, scan in scans.items() if others.get(scan_id) != scan]
