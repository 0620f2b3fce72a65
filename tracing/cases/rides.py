"""Who rode together: scans of one group entry (an ambulance) are an exposure of type vehicle, whatever the minutes.

As in pairing, a scan that was refused, voided or flagged says nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from tracing.cases.candidates import Exposure
from tracing.cases.lookup import STAY_COLUMNS, exposure, stay_of
from tracing.cases.places import Stay
from tracing.store import Cursor
from tracing.windows import Window

_STANDS: Final = """
    {0}.admitted and coalesce((
        select d.decision from scan_decision d where d.person = {0}.person and d.scan_id = {0}.scan_id
        order by d.serial desc, array_position(array['void', 'flag', 'clear'], d.decision) limit 1), 'clear') = 'clear'
"""
_RIDES: Final = f"""
    select o.person::text, o.facility_no, (extract(epoch from o.at) * 1000000)::bigint,
        r.person::text, r.facility_no, (extract(epoch from r.at) * 1000000)::bigint
    from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as s (person, f, u)
    join scan o on o.person = s.person and o.group_id <> '' and o.at >= instant_of(s.f) and o.at < instant_of(s.u)
    join scan r on r.group_id = o.group_id and r.group_id <> '' and r.person <> o.person
        and r.at between o.at - %s * interval '1 hour' and o.at + %s * interval '1 hour'
    where {_STANDS.format("o")} and {_STANDS.format("r")}
"""  # noqa: S608 — constants
_VISITS: Final = f"""
    select s.n, {STAY_COLUMNS}, s.person::text
    from unnest(%s::uuid[], %s::int[], %s::bigint[]) with ordinality as s (person, place, at, n)
    cross join lateral (
        select * from every_visit v where v.person = s.person and v.key >> 3 = s.place
        and v.check_in <= instant_of(s.at) order by v.check_in desc limit 1
    ) v join facility f on f.facility_no = v.key >> 3
"""  # noqa: S608 — constants

Scan = tuple[str, int, int]  # person, facility_no, at


class Ride(NamedTuple):
    """Two persons' visits that a ride belongs to; `at` is when the first of them was scanned."""

    one: Stay
    other: Stay
    at: int


def rides_of(cur: Cursor, spans: Sequence[tuple[str, Window]], hours: int) -> list[Ride]:
    """Return the rides of persons, each scanned in his own span, with anybody.

    Args:
        cur: of the trace's transaction.
        spans: persons, and from when to when.
        hours: how far two scans of one ride are apart at most.
    """
    persons = [person for person, _ in spans]
    starts, ends = [window.start for _, window in spans], [window.end for _, window in spans]
    cur.execute(_RIDES, (persons, starts, ends, hours, hours))
    pairs: list[tuple[Scan, Scan]] = sorted((row[:3], row[3:]) for row in cur.fetchall())
    visits = _visits(cur, {scan for pair in pairs for scan in pair})
    return [Ride(visits[one], visits[other], one[2]) for one, other in pairs if one in visits and other in visits]


def with_rides(
    exposures: Iterable[Exposure],
    rides: Iterable[Ride],
    window_of: Callable[[Stay], Window],
    *,
    degree: int = 1,
    backward: bool = False,
) -> list[Exposure]:
    """Return the exposures, those by which people rode together marked as such, and rides that no exposure is.

    A ride whose two visits share no time in the facility is an exposure of no length, at the scan.

    Args:
        exposures: of this degree.
        rides: of the same persons; one scanned outside the window is none.
        window_of: gives the window that holds for a visit of theirs.
        degree: of rides.
        backward: the other one passed it on.
    """
    found = {(one.from_visit, one.to_visit): one for one in exposures}
    for ride in rides:
        window = window_of(ride.one)
        if not window.start <= ride.at < window.end:
            continue
        one, other = (ride.other, ride.one) if backward else (ride.one, ride.other)
        made = exposure(one, other, _together(ride, window), met_role=ride.other.role, degree=degree, kind="vehicle")
        known = found.get((made.from_visit, made.to_visit), made)
        found[made.from_visit, made.to_visit] = replace(known, kind="vehicle", apart=False, ppe_unknown=False)
    return list(found.values())


def _together(ride: Ride, window: Window) -> tuple[int, int]:
    start = max(ride.one.check_in, ride.other.check_in, window.start)
    end = min(ride.one.check_out, ride.other.check_out, window.end)
    is_same = ride.one.place.facility_no == ride.other.place.facility_no
    return (start, end) if is_same and start < end else (ride.at, ride.at)


def _visits(cur: Cursor, scans: Iterable[Scan]) -> dict[Scan, Stay]:
    """Return the visit that each scan belongs to: the latest of its facility that had begun."""
    ordered = sorted(scans)
    if not ordered:
        return {}
    persons, places, moments = zip(*ordered, strict=True)
    cur.execute(_VISITS, (list(persons), list(places), list(moments)))
    return {ordered[row[0] - 1]: stay_of(row[1:]) for row in cur.fetchall()}
