"""Counts per facility and clock hour of the facility's own time zone. Change what is counted here and nowhere else.

Pure and additive: a person's records never meet another's, so counts of single persons add up, and new records
change what is stored by `subtract(counts after, counts before)`.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from tracing.instants import hour_of, hours_between
from tracing.records import OUT_OF_TRACING, Key, SeenScan
from tracing.visits import Visit

FacilityHour: TypeAlias = tuple[Key, int]  # facility, start of the hour in microseconds since 1970


class Counts(msgspec.Struct, gc=False):
    """What one clock hour of one facility counts; also the difference between two such counts."""

    arrivals: int = 0
    departures: int = 0
    estimated: int = 0  # how many of these arrivals and departures were estimated
    visitors: int = 0  # distinct persons with more than no time in the hour
    person_us: int = 0  # microseconds of presence inside the hour
    refused: int = 0
    manual: int = 0  # admitted scans that an officer entered
    flagged: int = 0


class _Tally(dict[FacilityHour, Counts]):
    """A hour's counts come into being when something is first counted in it."""

    def __missing__(self, hour: FacilityHour) -> Counts:
        counts = self[hour] = Counts()
        return counts


def counts_of(visits: Iterable[Visit], scans: Iterable[SeenScan]) -> dict[FacilityHour, Counts]:
    """Return the counts of one person; an hour that counts nothing is not in them.

    Args:
        visits: of one person, made by `visits_of` of the same scans.
        scans: the standing scans of that person, the refused, void and flagged ones too; repeats count once.
    """
    tally = _Tally()
    for visit in visits:
        _count_visit(tally, visit)
    remarkable = {
        scan.scan_id: scan
        for scan in scans
        if not scan.admitted or scan.channel == "officer" or scan.decision in OUT_OF_TRACING
    }
    for scan in remarkable.values():
        _count_scan(tally, scan)
    return dict(tally)


def add(counts: dict[FacilityHour, Counts], more: Mapping[FacilityHour, Counts]) -> None:
    """Add `more` into `counts`; an hour whose counts all become zero is taken out."""
    nothing = Counts()
    for hour, added in more.items():
        before = counts.get(hour)
        after = added if before is None else _combined(before, added, 1)
        if after != nothing:
            counts[hour] = after
        elif before is not None:
            del counts[hour]


def subtract(after: Mapping[FacilityHour, Counts], before: Mapping[FacilityHour, Counts]) -> dict[FacilityHour, Counts]:
    """Return what must be added to `before` to get `after`; hours that do not change are left out."""
    if not before:
        return dict(after)
    nothing = Counts()
    changes = {}
    for hour in after.keys() | before.keys():
        was, now = before.get(hour, nothing), after.get(hour, nothing)
        if was != now:
            changes[hour] = _combined(now, was, -1)
    return changes


def _combined(one: Counts, other: Counts, times: int) -> Counts:
    return Counts(
        one.arrivals + times * other.arrivals,
        one.departures + times * other.departures,
        one.estimated + times * other.estimated,
        one.visitors + times * other.visitors,
        one.person_us + times * other.person_us,
        one.refused + times * other.refused,
        one.manual + times * other.manual,
        one.flagged + times * other.flagged,
    )


def _count_visit(tally: _Tally, visit: Visit) -> None:
    facility, zone, check_out = visit.facility, visit.time_zone, visit.check_out
    arrival = tally[facility, hour_of(visit.check_in, zone)]
    arrival.arrivals += 1
    arrival.estimated += visit.check_in_estimated
    departure = tally[facility, hour_of(check_out, zone)]
    departure.departures += 1
    departure.estimated += visit.check_out_estimated
    for hour, inside_us in hours_between(visit.check_in, check_out, zone):
        inside = tally[facility, hour]
        inside.visitors = 1  # one person, however many of his visits touch the hour
        inside.person_us += inside_us


def _count_scan(tally: _Tally, scan: SeenScan) -> None:
    if scan.decision == "void":
        return
    counts = tally[scan.facility, hour_of(scan.at, scan.time_zone)]
    if scan.decision == "flag":
        counts.flagged += 1
    elif scan.admitted:
        counts.manual += 1
    else:
        counts.refused += 1
