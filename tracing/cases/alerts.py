"""What each health office is told of a trace, and what of it is news. Pure: candidates before and after in, alerts out.

An alert names no person, no index case, no day of the case: an office acts on place, date and bands. Whoever
compares two offices' alerts cannot join them: every name in them is random and handed out per office.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import msgspec

from schemas.events import AlertData, AlertSummary
from schemas.topics import office_of
from tracing.cases.candidates import Candidate, Exposure, ranked
from tracing.instants import MINUTE_US
from tracing.windows import local_day

Action: TypeAlias = Literal["added", "changed", "withdrawn"]
BANDS: Final = ((240, "240+"), (60, "60-239"), (30, "30-59"), (15, "15-29"), (0, "0-14"))


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The trace whose revision is told."""

    revision: int
    rule: str
    due_by: datetime | None
    limit: int  # single candidates told to one office, at most


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one office was told before: whether it had a summary, and the candidates it holds (by person)."""

    summary: bool = False
    persons: frozenset[str] = frozenset()


def offices_of(candidate: Candidate, district: str = "") -> set[str]:
    """Return the offices a candidate concerns: district and province of each exposure, and of the residence."""
    districts = {one.place.district for one in candidate.exposures} | ({district} if district else set())
    return {office_of(area) for code in districts for area in (code, code.partition(".")[0])}


def alerts_of(
    trace: Trace,
    before: Sequence[Candidate],
    after: Sequence[Candidate],
    residence: Mapping[str, str],
    told: Mapping[str, Told],
    reference: Callable[[str, str | None], str],
) -> list[AlertData]:
    """Return the alerts of this revision, office by office, each office's summary first.

    A summary comes first of all, and again whenever something changed that is not told one by one.

    Args:
        trace: whose revision this is.
        before: the candidates of the revision before, in any order; a person met by several is told once.
        after: those of this one.
        residence: district where a person lives, where known.
        told: by office, what it was told before.
        reference: gives the name that an office knows a person by (None: the trace).
    """
    was, now = _by_office(before, residence), _by_office(after, residence)
    alerts = []
    for office in sorted(was.keys() | now.keys() | told.keys()):
        alerts += _office_alerts(
            trace, office, was.get(office, {}), now.get(office, {}), told.get(office, Told()), reference
        )
    return alerts


def minutes_band(overlap_us: int) -> str:
    """Return the band of a time together: an office needs to know how long, not how long exactly."""
    return next(name for minutes, name in BANDS if overlap_us >= minutes * MINUTE_US)


def alert_id(trace: Trace, trace_ref: str, contact_ref: str, office: str) -> str:
    """Return the id that is the same whenever this alert is made again."""
    text = "|".join((trace.rule, trace_ref, contact_ref, office, str(trace.revision)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _by_office(candidates: Iterable[Candidate], residence: Mapping[str, str]) -> dict[str, dict[str, Candidate]]:
    """Return, by office, its candidates in the order of rank, each person once."""
    found: dict[str, dict[str, Candidate]] = {}
    for candidate in ranked(candidates):
        for office in offices_of(candidate, residence.get(candidate.person, "")):
            found.setdefault(office, {}).setdefault(candidate.person, candidate)
    return found


def _office_alerts(
    trace: Trace,
    office: str,
    was: Mapping[str, Candidate],
    now: Mapping[str, Candidate],
    told: Told,
    reference: Callable[[str, str | None], str],
) -> list[AlertData]:
    news, unsaid = _news(trace.limit, was, now, told)
    trace_ref = reference(office, None)
    ranks = {person: rank for rank, person in enumerate(now, start=1)}
    singles = [
        _single(trace, office, trace_ref, reference(office, candidate.person), action, candidate, ranks)
        for action, candidate in news
    ]
    held = (told.persons & now.keys()) | {candidate.person for action, candidate in news if action == "added"}
    rest = (now.keys() - held) | (was.keys() - told.persons)  # on the list only, now or before
    if (now and not told.summary) or (rest and (news or unsaid)):
        return [_summary(trace, office, trace_ref, now.values(), len(held)), *singles]
    return singles


def _news(
    limit: int, was: Mapping[str, Candidate], now: Mapping[str, Candidate], told: Told
) -> tuple[list[tuple[Action, Candidate]], bool]:
    """Return what to say one by one, and whether anything else changed."""
    news: list[tuple[Action, Candidate]] = [
        ("withdrawn", was[person]) for person in sorted(told.persons - now.keys()) if person in was
    ]
    room = limit - len(told.persons & now.keys())
    unsaid = any(person not in now and person not in told.persons for person in was)
    for person, candidate in now.items():
        known = person in was
        if known and was[person].facts == candidate.facts:
            continue
        if person in told.persons:
            news.append(("changed", candidate))
        elif room > 0:
            news.append(("added", candidate))
            room -= 1
        else:
            unsaid = True
    return news, unsaid


def _single(
    trace: Trace,
    office: str,
    trace_ref: str,
    contact_ref: str,
    action: Action,
    candidate: Candidate,
    ranks: Mapping[str, int],
) -> AlertData:
    shown = _shown(office, candidate)
    return AlertData(
        alert_id=alert_id(trace, trace_ref, contact_ref, office),
        version=trace.revision,
        action=action,
        office=office,
        trace_ref=trace_ref,
        contact_ref=contact_ref,
        facility_id=shown.place.facility_id,
        facility_name=shown.place.name,
        date=local_day(shown.start, shown.place.time_zone).isoformat(),
        minutes_band=minutes_band(candidate.overlap_us),
        degree=candidate.degree,
        rank=ranks.get(candidate.person, 0),
        rule=trace.rule,
        due_by=trace.due_by,
        reason=_reason(candidate),
        already_case=candidate.already_case,
    )


def _reason(candidate: Candidate) -> str:
    """Return what an office may know of why: never how the days lie to the case's own."""
    ends = sorted({end for one in candidate.exposures for end in one.estimated_ends})
    told = "1 meeting" if len(candidate.exposures) == 1 else f"{len(candidate.exposures)} meetings"
    return f"{told}; {' and '.join(ends)} estimated" if ends else told


def _shown(office: str, candidate: Candidate) -> Exposure:
    """Return the longest exposure in the office's own area, else the longest of all."""
    own = [one for one in candidate.exposures if _is_in(office, one.place.district)]
    return max(own or candidate.exposures, key=lambda one: (one.end - one.start, -one.start))


def _is_in(office: str, district: str) -> bool:
    return office in {office_of(district), office_of(district.partition(".")[0])}


def _summary(trace: Trace, office: str, trace_ref: str, candidates: Iterable[Candidate], one_by_one: int) -> AlertData:
    candidates = list(candidates)
    return AlertData(
        alert_id=alert_id(trace, trace_ref, "", office),
        version=trace.revision,
        action="summary",
        office=office,
        trace_ref=trace_ref,
        rule=trace.rule,
        due_by=trace.due_by,
        summary=AlertSummary(
            candidates=len(candidates),
            by_role=_counted(_shown(office, one).role for one in candidates),
            by_zone=_counted(_shown(office, one).zone for one in candidates),
            by_minutes=_counted(minutes_band(one.overlap_us) for one in candidates),
            sent_one_by_one=one_by_one,
        ),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
