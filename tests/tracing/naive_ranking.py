"""An oracle for the shape of co-visits: the words of docs/ranking.md, visit by visit. It shares no code with it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import exp, log
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ZERO = timedelta(0)

Spans = list[tuple[datetime, datetime]]


@dataclass(frozen=True)
class Visit:
    person: str
    facility: str
    zone: str
    start: datetime
    end: datetime
    recorded: bool


@dataclass(frozen=True)
class Shape:
    share: float
    days: int
    arrival: float
    leaving: float
    crowd: float
    same_zone: float
    other_zone: float
    came_together: int
    left_together: int


def shape(met: list[tuple[Visit, Visit]], town: list[Visit], zone: str, counted: Spans | None = None) -> Shape:
    """Return the shape of the meetings of two persons in a town; `counted` says of each from when to when it counts."""
    spans = counted or [(max(a.start, b.start), min(a.end, b.end)) for a, b in met]
    days = {day for start, end in spans for day in _days(start, end, zone)}
    arrivals: dict[date, list[float]] = {}
    leavings: dict[date, list[float]] = {}
    came: dict[date, bool] = {}
    left: dict[date, bool] = {}
    for (a, b), (start, _) in zip(met, spans, strict=True):
        day = start.astimezone(ZoneInfo(zone)).date()
        here = [visit for visit in town if visit.facility == a.facility]
        both = a.recorded and b.recorded
        arrivals.setdefault(day, []).append(_likeness(a.start, b.start, [v.start for v in here]))
        leavings.setdefault(day, []).append(_likeness(a.end, b.end, [v.end for v in here]) if both else 0.0)
        came[day] = came.get(day, False) or abs(a.start - b.start) <= 15 * MINUTE
        left[day] = left.get(day, False) or (both and abs(a.end - b.end) <= 15 * MINUTE)
    return Shape(
        share=_share(met, len(days)),
        days=len(days),
        arrival=sum(map(max, arrivals.values())),
        leaving=sum(map(max, leavings.values())),
        crowd=max(
            2.0, sum(_crowd(a.facility, *span, town) for (a, _), span in zip(met, spans, strict=True)) / len(met)
        ),
        same_zone=sum(a.zone == b.zone != "" for a, b in met) / len(met),
        other_zone=sum("" not in (a.zone, b.zone) and a.zone != b.zone for a, b in met) / len(met),
        came_together=sum(came.values()),
        left_together=sum(left.values()),
    )


def _share(meetings: list[tuple[Visit, Visit]], days: int) -> float:
    spans = [(max(a.start, b.start), min(a.end, b.end)) for a, b in meetings]
    together = sum(((end - start) for start, end in spans), ZERO) / HOUR
    one, other = ({id(pair[side]): pair[side] for pair in meetings}.values() for side in (0, 1))  # each visit once
    times = [min(sum((visit.end - visit.start for visit in side), ZERO) / HOUR, 24 * days) for side in (one, other)]
    together = min(together, *times)
    return together / (sum(times) - together)


def _likeness(one: datetime, other: datetime, all_of_them: list[datetime]) -> float:
    first, last = _hour(min(one, other)), _hour(max(one, other)) + HOUR
    near = sum(first <= at < last for at in all_of_them)
    of_day = max(near, sum(first - 11 * HOUR <= at < first + 13 * HOUR for at in all_of_them))
    usual = (near / ((last - first) / HOUR) + 2) / (60 * of_day)
    apart = abs(one - other) / MINUTE
    return log(0.7 + 0.3 * exp(-apart / 15) / 30 / usual)


def _crowd(facility: str, start: datetime, end: datetime, town: list[Visit]) -> float:
    begin, over = _hour(start), _hour(end - timedelta(microseconds=1)) + HOUR
    here = [visit for visit in town if visit.facility == facility]
    there = sum((max(min(v.end, over) - max(v.start, begin), ZERO) for v in here), ZERO)
    return there / (over - begin)


def _days(start: datetime, end: datetime, zone: str) -> list[date]:
    at, days = start, []
    while at < end:
        days.append(at.astimezone(ZoneInfo(zone)).date())
        at += 15 * MINUTE - (at - datetime(2000, 1, 1, tzinfo=UTC)) % (15 * MINUTE)
    return days


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
