"""Counting a second time, by the words of the contract: every visit is cut at every full minute of UTC.

All zones it is used with keep whole minutes, so a piece lies in one clock hour; which one, the zone's clock says.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tracing.records import SeenScan

MINUTE = 60 * 1_000_000
NAMES = ("arrivals", "departures", "estimated", "visitors", "person_us", "refused", "manual", "flagged")


def hour_start(t: int, time_zone: str) -> int:
    """Return the instant at which the clock hour of `t` begins, in that hour's own offset."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).astimezone(ZoneInfo(time_zone))
    into_the_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return t - round(into_the_hour / timedelta(microseconds=1))


def naive_counts(
    visits: Iterable[dict[str, Any]], scans: Iterable[SeenScan], time_zones: dict[str, str]
) -> dict[tuple[Any, int], dict[str, int]]:
    """Return {(facility, hour): every count by its name}, without hours that count nothing."""
    counts: dict[tuple[Any, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(NAMES, 0))
    visitors: dict[tuple[Any, int], set[Any]] = defaultdict(set)
    for visit in visits:
        facility = visit["facility"]
        zone = time_zones[facility]
        for end, name in (("check_in", "arrivals"), ("check_out", "departures")):
            hour = counts[facility, hour_start(visit[end], zone)]
            hour[name] += 1
            if visit[f"{end}_estimated"]:
                hour["estimated"] += 1
        start = visit["check_in"]
        while start < visit["check_out"]:
            stop = min(start - start % MINUTE + MINUTE, visit["check_out"])
            key = facility, hour_start(start, zone)
            counts[key]["person_us"] += stop - start
            visitors[key].add(visit["person"])
            start = stop
    for key, persons in visitors.items():
        counts[key]["visitors"] = len(persons)
    for _, _, scan in {(scan.person, scan.scan_id, scan) for scan in scans}:
        names = []
        if scan.decision == "flag":
            names = ["flagged"]
        elif scan.decision != "void":
            names = ["refused"] * (not scan.admitted) + ["manual"] * (scan.admitted and scan.channel == "officer")
        for name in names:
            counts[scan.facility, hour_start(scan.at, time_zones[str(scan.facility)])][name] += 1
    return {key: dict(hour) for key, hour in counts.items() if any(hour.values())}
