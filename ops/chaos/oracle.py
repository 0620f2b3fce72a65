"""The second opinion: what visits, counts and contacts must be, by the words of the design, and nothing of the product.

Imports the standard library only (a test holds it), and is written to be obvious, not fast: one loop per rule.
Instants are microseconds since 1970. Whoever changes a rule changes it here from the words, not from the code.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TEN_MINUTES: Final = 10 * MINUTE
ASSUMED: Final = {"hospital": 240 * MINUTE, "puskesmas": 120 * MINUTE, "clinic": 120 * MINUTE, "laboratory": HOUR}
LONGEST: Final = {"hospital": 30 * DAY, "puskesmas": DAY, "clinic": DAY, "laboratory": DAY}
VERDICT_ORDER: Final = {"void": 0, "flag": 1, "clear": 2}
CLASS_BOUNDS: Final = (HOUR, 4 * HOUR, DAY, 4 * DAY, 12 * DAY)
EXPOSURE_MIN: Final = 15 * MINUTE  # kmk-4641-2021
DAYS_BEFORE: Final = 2
DAYS_AFTER: Final = 14
COME_THROUGH: Final = {"igd", "laboratorium"}  # of the load's zones: everybody passes there, so it is no wall
LABORATORY_ZONE: Final = "Asia/Jakarta"  # of the run's reporting laboratory


class Facility(NamedTuple):
    """What the words need of a facility."""

    facility_id: str
    kind: str
    time_zone: str
    district: str


class Scan(NamedTuple):
    """What the client sent."""

    person: str
    scan_id: str
    facility: Facility
    gate: str
    zone: str
    at: int
    admitted: bool
    role: str
    channel: str


class Visit(NamedTuple):
    """A stay with both ends."""

    visit_id: str
    person: str
    facility: Facility
    check_in: int
    check_out: int
    check_in_estimated: bool
    check_out_estimated: bool
    role: str
    zones: tuple[tuple[int, str], ...]


@dataclass
class Open:
    """The one visit that may be open."""

    scan: Scan
    latest: int  # its last scan that opened it, moved it or was ignored in it
    zones: list[tuple[int, str]] = field(default_factory=list)


def assumed_stay(scan: Scan) -> int:
    """Return how long the visit that `scan` opens is taken to last."""
    return LONGEST[scan.facility.kind] if scan.role == "inpatient" else ASSUMED[scan.facility.kind]


def latest_verdict(decisions: Iterable[tuple[int, str]]) -> str:
    """Return the verdict of the highest serial, at a tie void before flag before clear; none: empty."""
    best = min(decisions, key=lambda one: (-one[0], VERDICT_ORDER[one[1]]), default=(0, ""))
    return best[1]


def visits_of(scans: Iterable[Scan], verdicts: dict[str, str]) -> list[Visit]:
    """Return the visits of one person; `verdicts` by scan id."""
    seen = [s for s in scans if s.admitted and verdicts.get(s.scan_id, "") not in {"void", "flag"}]
    visits: list[Visit] = []
    current: Open | None = None
    before: Scan | None = None
    for scan in sorted(seen, key=lambda s: (s.at, s.scan_id)):
        here = current is not None and current.scan.facility == scan.facility
        fits = here and current is not None and scan.at - current.scan.at <= LONGEST[scan.facility.kind]
        if scan.gate == "exit":
            repeated = before is not None and before.gate == "exit" and before.facility == scan.facility
            if repeated and before is not None and scan.at - before.at <= TEN_MINUTES:
                pass
            elif fits and current is not None:
                visits.append(_closed(current, scan.at, estimated=False))
                current = None
            else:
                _left(current, scan.at, visits)
                current = None
                end_before = visits[-1].check_out if visits else scan.at - assumed_stay(scan)
                check_in = max(scan.at - assumed_stay(scan), end_before)
                visits.append(
                    Visit(scan.scan_id, scan.person, scan.facility, check_in, scan.at, True, False, scan.role, ())
                )
        elif scan.gate == "zone" and fits and current is not None:
            current.zones.append((scan.at, scan.zone))
            current.latest = scan.at
        elif here and current is not None and scan.at - current.latest <= TEN_MINUTES:
            current.latest = scan.at
        else:
            _left(current, scan.at, visits)
            current = Open(scan, scan.at, [(scan.at, scan.zone)] if scan.zone else [])
        before = scan
    if current is not None:
        visits.append(_closed(current, _estimated_end(current), estimated=True))
    return visits


def _estimated_end(current: Open) -> int:
    return max(current.scan.at + assumed_stay(current.scan), current.latest)


def _left(current: Open | None, at: int, visits: list[Visit]) -> None:
    """Close what is open because the person is seen elsewhere at `at`."""
    if current is not None:
        visits.append(_closed(current, min(_estimated_end(current), at), estimated=True))


def _closed(current: Open, at: int, *, estimated: bool) -> Visit:
    scan = current.scan
    return Visit(
        scan.scan_id, scan.person, scan.facility, scan.at, at, False, estimated, scan.role, tuple(current.zones)
    )


class Hour:
    """What one clock hour of one facility counts, in the order of `FIELDS`."""

    FIELDS: Final = ("arrivals", "departures", "estimated", "visitors", "person_us", "refused", "manual", "flagged")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(self.FIELDS, 0)

    def row(self) -> tuple[int, ...]:
        """Return the counts in order."""
        return tuple(self.counts.values())


def count_person(
    hours: "defaultdict[tuple[str, int], Hour]",
    visits: Sequence[Visit],
    scans: Iterable[Scan],
    verdicts: dict[str, str],
) -> None:
    """Add one person's visits and scans to the counts, by (facility, start of the hour)."""
    present: set[tuple[str, int]] = set()
    for visit in visits:
        name, zone = visit.facility.facility_id, visit.facility.time_zone
        for what, at, estimated in (
            ("arrivals", visit.check_in, visit.check_in_estimated),
            ("departures", visit.check_out, visit.check_out_estimated),
        ):
            counts = hours[name, hour_start(at, zone)].counts
            counts[what] += 1
            counts["estimated"] += int(estimated)
        at = visit.check_in
        while at < visit.check_out:
            start = hour_start(at, zone)
            end = min(start + HOUR, visit.check_out)
            hours[name, start].counts["person_us"] += end - at
            present.add((name, start))
            at = end
    for place in present:
        hours[place].counts["visitors"] += 1
    for scan in scans:
        verdict = verdicts.get(scan.scan_id, "")
        what = ""
        if verdict == "flag":
            what = "flagged"
        elif verdict != "void" and not scan.admitted:
            what = "refused"
        elif verdict != "void" and scan.channel == "officer":
            what = "manual"
        if what:
            hours[scan.facility.facility_id, hour_start(scan.at, scan.facility.time_zone)].counts[what] += 1


@lru_cache(maxsize=1 << 16)
def _offset(quarter: int, time_zone: str) -> int:
    at = EPOCH + timedelta(microseconds=quarter * 15 * MINUTE)
    offset = at.astimezone(ZoneInfo(time_zone)).utcoffset()
    return (offset or timedelta()) // timedelta(microseconds=1)


def hour_start(at: int, time_zone: str) -> int:
    """Return when the clock hour of a time zone that holds `at` begins."""
    offset = _offset(at // (15 * MINUTE), time_zone)
    return (at + offset) // HOUR * HOUR - offset


def stay_class(check_in: int, check_out: int) -> int:
    """Return 0 for a stay up to 1 h, 1 up to 4 h, 2 up to 1 d, 3 up to 4 d, 4 up to 12 d, 5 for more."""
    return bisect_left(CLASS_BOUNDS, check_out - check_in)


class Case(NamedTuple):
    """A case as its one positive result makes it."""

    person: str
    day_zero: date
    isolation: date | None


class Exposure(NamedTuple):
    """An overlap that counts."""

    own: Visit
    other: Visit
    start: int
    end: int
    zone: str

    @property
    def estimated(self) -> bool:
        """Say whether an end of either visit was not scanned."""
        return any(
            (
                self.own.check_in_estimated,
                self.own.check_out_estimated,
                self.other.check_in_estimated,
                self.other.check_out_estimated,
            )
        )


def midnight(day: date, time_zone: str) -> int:
    """Return the first instant of a local day."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone))
    return (local - EPOCH) // timedelta(microseconds=1)


def local_day(at: int, time_zone: str) -> date:
    """Return the local day of an instant."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(time_zone)).date()


def window_of(case: Case, time_zone: str) -> tuple[int, int]:
    """Return when the case could infect, in a facility of this zone."""
    start = midnight(case.day_zero - timedelta(days=DAYS_BEFORE), time_zone)
    end = midnight(case.day_zero + timedelta(days=DAYS_AFTER + 1), time_zone)
    if case.isolation is not None:
        end = min(end, midnight(case.isolation + timedelta(days=1), time_zone))
    return start, max(start, end)


def exposures_of(case: Case, own: Iterable[Visit], by_facility: dict[str, list[Visit]]) -> list[Exposure]:
    """Return the exposures of degree 1: one overlap of two visits, of the minutes the rule asks for."""
    found = []
    for visit in own:
        start, end = window_of(case, visit.facility.time_zone)
        start, end = max(start, visit.check_in), min(end, visit.check_out)
        for other in by_facility.get(visit.facility.facility_id, ()):
            first, last = max(start, other.check_in), min(end, other.check_out)
            if other.person != case.person and last - first >= EXPOSURE_MIN:
                zone = next((name for since, name in reversed(visit.zones) if since <= first), "")
                found.append(Exposure(visit, other, first, last, zone))
    return found


def apart(one: Exposure) -> bool:
    """Say whether two were in other zones all the while, but for less than what counts by itself."""
    zones = (*one.own.zones, *one.other.zones)
    moments = sorted({one.start, *(at for at, _ in zones if one.start < at < one.end)})
    walled = 0
    for begin, end in zip(moments, [*moments[1:], one.end], strict=True):
        here, there = (
            next((name for since, name in reversed(visit.zones) if since <= begin), "")
            for visit in (one.own, one.other)
        )
        if here and here == there:
            return False
        if here and there and not {here, there} & COME_THROUGH:
            walled += end - begin
    return walled > 0 and one.end - one.start - walled < EXPOSURE_MIN
