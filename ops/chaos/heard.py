"""What the offices must have heard, by the words of the design; nothing of the product.

The first run of a trace sees what was known before any late scan, and is judged row by row. What is told after it
depends on how the late scans fell into transactions: an office may hear of a contact that came and went. So of that
the sum is judged: whom each office holds at the end, as what, and that it heard of every change that is left.

Which of two comes first hangs on how likely each was close, which is not worked out a second time here. So the order
that was told is believed among those who were together, and among those who were in other zones all the while; but
these come after those, ranks have no gap, and nobody is left out while there is room.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ops.chaos import oracle

ALERT_LIMIT: Final = 50
BANDS: Final = ((240, "240+"), (60, "60-239"), (30, "30-59"), (15, "15-29"), (0, "0-14"))

Row = tuple[Any, ...]
Ranked = dict[str, list[oracle.Exposure]]  # by person, longest together first
Case = list[oracle.Exposure]


def first_alerts(case_id: str, some: Case, said: Mapping[tuple[str, str], int]) -> dict[Row, Row]:
    """Return what a case's first run tells: to each office a summary, and the first fifty by rank one by one.

    Args:
        case_id: whose run.
        some: its exposures.
        said: the rank that an office was told, by office and person.
    """
    must: dict[Row, Row] = {}
    for office, ranked in by_office(some).items():
        last = len(ranked) + 1

        def order(one: tuple[str, Case], office: str = office, last: int = last) -> tuple[bool, int]:
            return all(map(oracle.apart, one[1])), said.get((office, one[0]), last)

        told = sorted(ranked.items(), key=order)[:ALERT_LIMIT]
        must[case_id, office, "summary", ""] = _summary(ranked, len(told))
        for rank, (person, met) in enumerate(told, start=1):
            facility, day, band = _shown(office, met)
            must[case_id, office, "added", person] = (facility, day, (band, rank))
    return must


def heard_wrongly(early: Case, final: Case, alerts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield (office, person, what is wrong) after a case's later runs.

    Args:
        early: the exposures that the first run must have found.
        final: those of all that is known now.
        alerts: all of this case, with `version`, `office`, `action`, `person` and `row`.
    """
    before, now = by_office(early), by_office(final)
    of_office: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda one: one["version"]):
        of_office[alert["office"]].append(alert)
    for office in sorted(before.keys() | now.keys() | of_office.keys()):
        some = of_office[office]
        for person, wrong in _of_office(office, before.get(office, {}), now.get(office, {}), some):
            yield office, person, wrong


def _of_office(
    office: str, before: Ranked, now: Ranked, alerts: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    held: dict[str, Row] = {}
    for alert in alerts:
        person, action = alert["person"], alert["action"]
        if action == "summary":
            continue
        if (action == "added") == (person in held):
            is_held = "is" if person in held else "is not"
            yield person, f"version {alert['version']} says {action} of one who {is_held} held"
        if action == "withdrawn":
            held.pop(person, None)
        else:
            held[person] = alert["row"]
    yield from _held_wrongly(office, held, now)
    later = {alert["person"] for alert in alerts if alert["version"] > 1}
    for person in held.keys() & before.keys() & now.keys() - later:
        if _facts(before[person]) != _facts(now[person]):
            yield person, "changed, and the office heard nothing of it"
    summaries = [alert["row"] for alert in alerts if alert["action"] == "summary"]
    if held and not summaries:
        yield "", "no summary came"
    elif len(now) > ALERT_LIMIT and summaries[-1] != _summary(now, len(held)):
        yield "", f"the last summary says {summaries[-1]!r}, must be {_summary(now, len(held))!r}"


def _held_wrongly(office: str, held: Mapping[str, Row], now: Ranked) -> Iterator[tuple[str, str]]:
    for person, (facility, day, (band, _)) in held.items():
        if person not in now:
            yield person, "is held and must be withdrawn"
        elif (facility, day, band) != _shown(office, now[person]):
            yield person, f"is held as {(facility, day, band)}, must be {_shown(office, now[person])}"
    if len(held) != min(ALERT_LIMIT, len(now)):
        yield "", f"{len(held)} are held one by one, must be {min(ALERT_LIMIT, len(now))}"


def by_contact(some: Iterable[oracle.Exposure]) -> dict[str, list[oracle.Exposure]]:
    """Return the exposures by the person met, each one's in the order of time."""
    found: dict[str, list[oracle.Exposure]] = defaultdict(list)
    for one in sorted(some, key=lambda e: (e.start, e.end)):
        found[one.other.person].append(one)
    return found


def by_office(some: Iterable[oracle.Exposure]) -> dict[str, Ranked]:
    """Return each office's contacts with all their exposures, longest together first, those in other zones last."""
    offices: dict[str, Ranked] = defaultdict(dict)
    contacts = by_contact(some).items()
    for person, met in sorted(contacts, key=lambda one: (all(map(oracle.apart, one[1])), -_overlap(one[1]), one[0])):
        for office in {office for one in met for office in _offices(one)}:
            offices[office][person] = met
    return offices


def longest(met: Sequence[oracle.Exposure]) -> oracle.Exposure:
    """Return the longest exposure, of equal ones the first."""
    return max(met, key=lambda one: (one.end - one.start, -one.start))


def _offices(one: oracle.Exposure) -> Iterator[str]:
    district = one.own.facility.district
    yield "d" + district.replace(".", "")
    yield "p" + district[:2]


def _shown(office: str, met: Sequence[oracle.Exposure]) -> tuple[str, str, str]:
    shown = longest([one for one in met if office in _offices(one)] or met)
    day = oracle.local_day(shown.start, shown.own.facility.time_zone).isoformat()
    return shown.own.facility.facility_id, day, _band(_overlap(met))


def _summary(ranked: Ranked, one_by_one: int) -> Row:
    bands = Counter(_band(_overlap(met)) for met in ranked.values())
    return len(ranked), one_by_one, tuple(sorted(bands.items()))


def _facts(met: Iterable[oracle.Exposure]) -> set[Row]:
    return {(one.own.visit_id, one.other.visit_id, one.start, one.end, one.estimated) for one in met}


def _overlap(met: Iterable[oracle.Exposure]) -> int:
    return sum(one.end - one.start for one in met)


def _band(overlap: int) -> str:
    return next(name for minutes, name in BANDS if overlap >= minutes * oracle.MINUTE)
