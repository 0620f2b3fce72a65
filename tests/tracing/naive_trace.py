"""An oracle for a trace of files: the words of the contract, row by row. It shares no code with the product.

Rows are dictionaries of texts as a CSV file has them; answers are plain tuples.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ZERO = timedelta(0)
ASSUMED = 120 * MINUTE
GRID = 10 * MINUTE
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, str]
Likely = dict[tuple[str, str, str], Fraction]  # by case, from, to: the probability, which others check


@dataclass(frozen=True)
class Asked:
    """The options of the command, after the rule set has given its values."""

    minutes: int
    count: str = "visit"
    tail: int = 0
    before: int = 2
    after: int = 14
    isolation_ends: bool = True
    cwa: bool = False
    degrees: int = 1
    latent_hours: int = 48
    contact_days: int = 14
    zone: str = "Asia/Jakarta"


class Stay(NamedTuple):
    visit: str
    person: str
    facility: str
    zone: str
    start: datetime
    end: datetime
    recorded: bool


class Met(NamedTuple):
    """An overlap: `one` passes it on to `other`."""

    one: Stay
    other: Stay
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


class Contact(NamedTuple):
    case_id: str
    degree: int
    rank: int
    source: str
    person: str
    facility: str
    zone: str
    first: datetime
    last: datetime
    minutes: str
    overlaps: int
    days: int
    estimated: bool


class Source(NamedTuple):
    case_id: str
    rank: int
    source: str
    person: str
    plausible: bool


def stays_of(rows: list[Row]) -> list[Stay]:
    stays = []
    for row in rows:
        start = datetime.fromisoformat(row["check_in"]).astimezone(UTC)
        recorded = row["check_out"] != ""
        end = datetime.fromisoformat(row["check_out"]).astimezone(UTC) if recorded else start + ASSUMED
        stays.append(Stay(row["visit_id"], row["person_id"], row["facility_id"], row["zone"], start, end, recorded))
    return stays


def forward(
    visits: list[Row], cases: list[Row], asked: Asked, likely: Likely
) -> tuple[list[Contact], list[tuple[str, ...]]]:
    """Return contacts and exposures (case, both visits, from, to, degree, start, end) in the order of the files."""
    stays = stays_of(visits)
    contacts: list[Contact] = []
    exposures: list[tuple[str, ...]] = []
    for case in sorted(cases, key=lambda row: row["case_id"]):
        person = case["person_id"]
        own = [stay for stay in stays if stay.person == person]
        rest = [stay for stay in stays if stay.person != person]
        first = _met(own, rest, _window(case, asked), asked)
        found = [(1, person, first)]
        known = {met.other.person for met in first}
        if asked.degrees == 2:
            for contact in known:
                their = [met for met in first if met.other.person == contact]
                others = [stay for stay in rest if stay.person not in known]
                stays_of_contact = [stay for stay in stays if stay.person == contact]
                found.append((2, contact, _met(stays_of_contact, others, _contact_window(their, asked), asked)))
        rows, met_by = _contacts(case, found, asked, likely)
        contacts += rows
        for row in rows:
            exposures += [
                (
                    case["case_id"],
                    met.one.visit,
                    met.other.visit,
                    met.one.person,
                    met.other.person,
                    str(row.degree),
                    met.start.isoformat(),
                    met.end.isoformat(),
                )
                for met in met_by[row.degree, row.source, row.person]
            ]
    return contacts, exposures


def backward(visits: list[Row], cases: list[Row], asked: Asked, likely: Likely) -> list[Source]:
    stays = stays_of(visits)
    answer = []
    for case in sorted(cases, key=lambda row: row["case_id"]):
        person, zero = case["person_id"], _day_zero(case)
        window = (_midnight(zero - 14 * DAY, asked.zone), _midnight(zero, asked.zone))
        own = [stay for stay in stays if stay.person == person]
        rest = [stay for stay in stays if stay.person != person]
        found: dict[str, list[Met]] = defaultdict(list)
        for met in _met(own, rest, window, asked, backward=True):
            found[met.other.person].append(met)
        keys = []
        for source, mets in found.items():
            windows = [_window(row, asked) for row in cases if row["person_id"] == source]
            inside = any(min(m.end, b) > max(m.start, a) for a, b in windows for m in mets)
            last = max(m.end for m in mets)
            too_late = bool(windows) and all(a > last for a, _ in windows)
            total = sum((m.length for m in mets), ZERO)
            group = 0 if inside else 3 if too_late else 1
            keys.append((group, -likely[case["case_id"], source, person], -total, source))
        keys.append((2, Fraction(0), ZERO, "unknown"))
        for rank, (group, _, _, source) in enumerate(sorted(keys), start=1):
            answer.append(Source(case["case_id"], rank, source, person, group != 3))
    return answer


def _contacts(
    case: Row, found: list[tuple[int, str, list[Met]]], asked: Asked, likely: Likely
) -> tuple[list[Contact], dict[tuple[int, str, str], list[Met]]]:
    met_by: dict[tuple[int, str, str], list[Met]] = defaultdict(list)
    for degree, source, mets in found:
        for met in mets:
            met_by[degree, source, met.other.person].append(met)
    for mets in met_by.values():
        mets.sort(key=lambda met: (met.start, met.end, met.one.visit, met.other.visit))
    total = {key: sum((met.length for met in mets), ZERO) for key, mets in met_by.items()}
    sure = {key: likely[case["case_id"], *key[1:]] for key in met_by}
    ordered = sorted(met_by, key=lambda key: (key[0], -sure[key], -total[key], key[2], key[1]))
    ranks: dict[int, int] = defaultdict(int)
    rows = []
    for degree, source, person in ordered:
        mets = met_by[degree, source, person]
        longest = mets[0]
        for met in mets:
            if met.length > longest.length:
                longest = met
        ranks[degree] += 1
        day = longest.start.astimezone(ZoneInfo(asked.zone)).date()
        rows.append(
            Contact(
                case["case_id"],
                degree,
                ranks[degree],
                source,
                person,
                longest.one.facility,
                longest.one.zone,
                mets[0].start,
                max(met.end for met in mets),
                _three_decimals(total[degree, source, person]),
                len(mets),
                (day - _day_zero(case)).days,
                any(not met.one.recorded or not met.other.recorded for met in mets),
            )
        )
    return rows, met_by


def _met(
    own: list[Stay], rest: list[Stay], window: tuple[datetime, datetime], asked: Asked, *, backward: bool = False
) -> list[Met]:
    """Return the overlaps that count of visits in a window with those of other persons."""
    overlaps = []
    for one in own:
        a, b = _span(one, window, asked, tail_here=not backward)
        if not a < b:
            continue
        for other in rest:
            if other.facility != one.facility:
                continue
            c, d = _source_span(other, asked) if backward else (other.start, other.end)
            if c < d and min(b, d) > max(a, c):
                overlaps.append(Met(one, other, max(a, c), min(b, d)))
    if asked.cwa:
        return overlaps
    least = asked.minutes * MINUTE
    if asked.count == "visit":
        return [met for met in overlaps if met.length >= least]
    good = {met.other.person for met in overlaps if _most_in_a_day(overlaps, met.other.person) >= least}
    return [met for met in overlaps if met.other.person in good]


def _span(stay: Stay, window: tuple[datetime, datetime], asked: Asked, *, tail_here: bool) -> tuple[datetime, datetime]:
    """Return from when to when a visit counts, in its window, with its tail."""
    start, end = stay.start, stay.end
    if asked.cwa and tail_here:
        start, end = _derived(stay, asked)
    a, b = max(start, window[0]), min(end, window[1])
    if tail_here and not asked.cwa and a < b and stay.recorded and stay.end <= window[1]:
        b += asked.tail * MINUTE
    return a, b


def _source_span(stay: Stay, asked: Asked) -> tuple[datetime, datetime]:
    if asked.cwa:
        return _derived(stay, asked)
    tail = asked.tail if stay.recorded and stay.end > stay.start else 0
    return stay.start, stay.end + tail * MINUTE


def _derived(stay: Stay, asked: Asked) -> tuple[datetime, datetime]:
    """Return what the Corona-Warn-App makes of a stay: nothing if short, else it and its tail on a grid."""
    length = stay.end - stay.start
    if length < asked.minutes * MINUTE:
        return stay.start, stay.start
    end = stay.end + (min(length, asked.tail * MINUTE) if stay.recorded else ZERO)
    first, last = _floor(stay.start), _floor(end)
    cells = _floor(EPOCH + (end - stay.start) + GRID / 2) - EPOCH
    if end - last > first + GRID - stay.start:
        return last + GRID - cells, last + GRID
    return first, first + cells


def _floor(at: datetime) -> datetime:
    return at - (at - EPOCH) % GRID


def _most_in_a_day(overlaps: list[Met], person: str) -> timedelta:
    own = [met for met in overlaps if met.other.person == person]
    begins = [at + shift for met in own for at in (met.start, met.end) for shift in (ZERO, -DAY)]
    return max(sum((max(ZERO, min(m.end, b + DAY) - max(m.start, b)) for m in own), ZERO) for b in begins)


def _window(case: Row, asked: Asked) -> tuple[datetime, datetime]:
    zero = _day_zero(case)
    start = _midnight(zero - asked.before * DAY, asked.zone)
    end = _midnight(zero + (asked.after + 1) * DAY, asked.zone)
    if asked.isolation_ends and case["date_isolation"]:
        end = min(end, _midnight(date.fromisoformat(case["date_isolation"]) + DAY, asked.zone))
    return start, end


def _contact_window(mets: list[Met], asked: Asked) -> tuple[datetime, datetime]:
    start = min(met.start for met in mets) + timedelta(hours=asked.latent_hours)
    day = max(met.end for met in mets).astimezone(ZoneInfo(asked.zone)).date()
    return start, _midnight(day + (asked.contact_days + 1) * DAY, asked.zone)


def _day_zero(case: Row) -> date:
    return date.fromisoformat(case["date_onset"] or case["date_specimen"])


def _midnight(day: date, zone: str) -> datetime:
    """Return the first instant of a local day: walk over every quarter of an hour around it."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - 16 * 60 * MINUTE
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += 15 * MINUTE
    return at


def _three_decimals(length: timedelta) -> str:
    exact = Fraction(length // timedelta(microseconds=1), 60_000_000) * 1000
    thousandths = int(exact + Fraction(1, 2))
    return f"{thousandths // 1000}.{thousandths % 1000:03}"
