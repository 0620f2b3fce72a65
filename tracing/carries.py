"""What retention drops of one person, and what it must keep of him so that nothing else changes. Pure.

The visits from the horizon on are those that `visits_of` makes of his carry and his scans from the horizon on; what
the dropped ones counted is kept as numbers. Moving a horizon twice comes to the same as moving it once.
"""

from collections.abc import Mapping

import msgspec

from tracing.counts import Counts, FacilityHour, counts_of, subtract
from tracing.fast import NEW, State, near_visits, resumed, state_of
from tracing.histories import History
from tracing.records import SeenScan
from tracing.rows import DecisionKey, Facility, StoredScan
from tracing.stays import Stays
from tracing.visits import Visit, paired, settled, settles_at


class Dropped(msgspec.Struct, frozen=True):
    """What goes of one person, and what is left."""

    person: str
    scans: list[StoredScan]
    decisions: list[DecisionKey]
    visits: list[Visit]  # closed by scans that go
    counts: dict[FacilityHour, Counts]  # what all of these count
    carry: State | None  # None: nothing of them has to be known any more
    until: int  # the horizon at which the carry has less to say; 0 without one
    is_last: bool  # nothing of this person is left


def drop(
    history: History,
    decided: Mapping[DecisionKey, tuple[int, str, str]],
    horizon: int,
    facilities: Mapping[int, Facility],
    stays: Stays,
) -> Dropped | None:
    """Return what goes of a person at a horizon; None where his visits are not what his scans say.

    Such a person is left as he is: what proves that something is wrong must not be dropped.

    Args:
        history: all that is stored of him.
        decided: decisions with (scan_at, verdict, reason), his among them.
        horizon: nothing older is taken in any more.
        facilities: by number.
        stays: the dated configuration.
    """
    begin, _ = resumed(history.carry, history.person, facilities)
    seen = history.seen(facilities)
    if _by_id(paired(seen, stays, begin)[0]) != _by_id(history.visits) or _double(history.visits):
        return None
    old = [scan for scan in seen if scan.at < horizon]
    made, carry = paired(old, stays, begin)
    after = settled(carry, horizon, stays)
    closed = made[:-1] if after.opened is not None else made
    near = near_visits(history.carry, made, history.person, facilities)
    gone = {scan.scan_id for scan in old}
    scans = [scan for scan in history.scans if scan.scan_id in gone]
    last = max(((scan.at, scan.scan_id) for scan in scans), default=history.carry.latest)
    row = state_of(last, after, made, near=history.carry.near)
    until = settles_at(after, stays)
    kept = {scan.scan_id for scan in history.scans} - gone
    judged = [
        key for key, _ in history.decisions if key[1] in gone or (key[1] not in kept and decided[key][0] < horizon)
    ]
    return Dropped(
        person=history.person,
        scans=scans,
        decisions=judged,
        visits=closed,
        counts=counted([*near, *closed], near, old),
        carry=None if until is None else row,
        until=until or 0,
        is_last=until is None and not kept and len(judged) == len(history.decisions),
    )


def counted(visits: list[Visit], near: list[Visit], scans: list[SeenScan]) -> dict[FacilityHour, Counts]:
    """Return what visits and scans add to what the ones before them count; those near them are in both."""
    return subtract(counts_of(visits, scans), counts_of(near, ()))


def resumed_counts(
    carry: State, visits: list[Visit], scans: list[SeenScan], facilities: Mapping[int, Facility]
) -> dict[FacilityHour, Counts]:
    """Return what a person's visits and scans from the horizon on add to what the dropped ones count."""
    if carry is NEW or not visits:
        return counts_of(visits, scans)
    near = near_visits(carry, visits, str(visits[0].person), facilities)
    return counted([*near, *visits], near, scans)


def _by_id(visits: list[Visit]) -> dict[str, Visit]:
    return {visit.visit_id: visit for visit in visits}


def _double(visits: list[Visit]) -> bool:
    return len(_by_id(visits)) != len(visits)
