"""What each health office is told of a trace, and what of it is news. Pure: candidates before and after in, alerts out.

An alert names no person, no index case, no day of the case: an office acts on place, date and bands. Whoever
compares two offices' alerts cannot join them: every name in them is random and handed out per office.

Staff met in isolation only are the infection control team's: an office gets their number, not their names.

Who is told one by one is in the order of the list, as it is at this revision; but a probability makes no alert. An
office has room only when it is told first, or when somebody was withdrawn: at no other time is anybody new named.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from schemas.events import AlertData, AlertSummary
from schemas.topics import office_of
from tracing.cases.candidates import Candidate, Exposure, circumstances, ranked
from tracing.cases.likeness import Known
from tracing.instants import MINUTE_US
from tracing.windows import local_day

Action: TypeAlias = Literal["added", "changed", "withdrawn", "review"]
BANDS: Final = ((240, "240+"), (60, "60-239"), (30, "30-59"), (15, "15-29"), (0, "0-14"))
NOTHING_LEFT: Final = "no meeting is left that concerns this office"
STAFF_IN_ISOLATION: Final = "staff in isolation: now with the infection control team"
Ask: TypeAlias = Callable[[Candidate], Known]
Places: TypeAlias = Callable[[], Mapping[str, int]]
_NO_CAUSES: Final[Mapping[str, str]] = MappingProxyType({})


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The trace whose revision is told."""

    revision: int
    rule: str
    due_by: datetime | None
    limit: int  # single candidates told to one office, at most
    degrees: int = 1  # candidates of a higher degree are on the list only


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one office was told before, and what it has acknowledged; candidates by person."""

    summary: bool = False
    persons: frozenset[str] = frozenset()  # whom it holds: told, and not withdrawn since
    acknowledged: frozenset[str] = frozenset()  # of these: data alone never withdraw them
    gone: Mapping[str, AlertData] = {}  # of these: those without a meeting any more, with the review that said so


class News(NamedTuple):
    """One thing to say of one candidate."""

    action: Action
    candidate: Candidate
    reason: str


def offices_of(candidate: Candidate, district: str = "") -> set[str]:
    """Return the offices a candidate concerns: district and province of each exposure, and of the residence."""
    return offices_in({one.place.district for one in candidate.exposures} | ({district} if district else set()))


def offices_in(districts: Iterable[str]) -> set[str]:
    """Return the offices of districts, and of the provinces they are in."""
    return {office_of(area) for code in districts for area in (code, code.partition(".")[0])}


def alerts_of(
    trace: Trace,
    before: Sequence[Candidate],
    after: Sequence[Candidate],
    residence: Mapping[str, str],
    told: Mapping[str, Told],
    reference: Callable[[str, str | None], str],
    causes: Mapping[str, str] = _NO_CAUSES,
    dropped: frozenset[str] = frozenset(),
    ask: Ask = lambda _candidate: Known(),
) -> list[AlertData]:
    """Return the alerts of this revision, office by office, each office's summary first.

    A summary comes first of all, and again whenever something changed that is not told one by one. A place that a
    withdrawal frees goes to the next in rank at once. What an office has acknowledged is never withdrawn by data:
    where less is left of it, the office is asked to review it, once, and a person decides.

    Args:
        trace: whose revision this is.
        before: the candidates of the revision before, in any order; a person met by several is told once.
        after: those of this one.
        residence: district where a person lives, where known.
        told: by office, what it was told before.
        reference: gives the name that an office knows a person by (None: the trace).
        causes: why a person's candidacy changed, in words.
        dropped: whom people no longer count as contacts: these are withdrawn even where acknowledged.
        ask: says what is known of one of `after`; asked only where somebody is told one by one.
    """
    before, after = ([one for one in some if one.degree <= trace.degrees] for some in (before, after))
    was, now = _by_office(before, residence), _by_office(after, residence)
    was_aside, aside = _by_office(before, residence, aside=True), _by_office(after, residence, aside=True)
    known = {one.person: one for some in (after, before) for one in reversed(ranked(some))}
    places = _places(after, ask)
    alerts = []
    for office in sorted(was.keys() | now.keys() | aside.keys() | told.keys()):
        in_isolation = _Aside(was_aside.get(office, {}).keys(), aside.get(office, {}).keys())
        desk = _Desk(trace, office, told.get(office, Told()), reference, causes, dropped, in_isolation, ask, places)
        alerts += desk.alerts(was.get(office, {}), now.get(office, {}), known)
    return alerts


def minutes_band(overlap_us: int) -> str:
    """Return the band of a time together: an office needs to know how long, not how long exactly."""
    return next(name for minutes, name in BANDS if overlap_us >= minutes * MINUTE_US)


def alert_id(trace: Trace, trace_ref: str, contact_ref: str, office: str) -> str:
    """Return the id that is the same whenever this alert is made again."""
    text = "|".join((trace.rule, trace_ref, contact_ref, office, str(trace.revision)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _by_office(
    candidates: Iterable[Candidate], residence: Mapping[str, str], *, aside: bool = False
) -> dict[str, dict[str, Candidate]]:
    """Return, by office, its candidates, each person once; or staff met in isolation only.

    Of somebody who was met by several it is the one longest with him, whatever is likely: he is the same to an office
    as long as the visits are.
    """
    found: dict[str, dict[str, Candidate]] = {}
    every = list(candidates)
    told = {one.person for one in every if not one.ppe_unknown}  # by somebody else, elsewhere
    for candidate in ranked(one for one in every if (one.person not in told if aside else not one.ppe_unknown)):
        for office in offices_of(candidate, residence.get(candidate.person, "")):
            found.setdefault(office, {}).setdefault(candidate.person, candidate)
    return found


def _places(candidates: Iterable[Candidate], ask: Ask) -> Places:
    """Return what gives the place of each person on the list; what it rests on is read when it is first asked for."""

    @cache
    def places() -> dict[str, int]:
        every = [one for one in candidates if not one.ppe_unknown]
        found: dict[str, int] = {}
        for place, one in enumerate(ranked(every, {one.key: ask(one).standing for one in every})):
            found.setdefault(one.person, place)
        return found

    return places


class _Aside(NamedTuple):
    """An office's staff met in isolation only, by person: at the revision before, and now."""

    was: AbstractSet[str]
    now: AbstractSet[str]


class _Desk(NamedTuple):
    """One office: what it is told of one revision."""

    trace: Trace
    office: str
    told: Told
    reference: Callable[[str, str | None], str]
    causes: Mapping[str, str]
    dropped: frozenset[str]
    in_isolation: _Aside
    ask: Ask
    places: Places

    def alerts(
        self, was: Mapping[str, Candidate], now: Mapping[str, Candidate], known: Mapping[str, Candidate]
    ) -> list[AlertData]:
        """Return the office's alerts.

        Args:
            was: its candidates of the revision before, by person.
            now: those of this one.
            known: all candidates of both, whomever they concern: where somebody moved away, the office is told too.
        """
        if self._is_any_told(was, now):
            now = dict(sorted(now.items(), key=lambda one: self.places()[one[0]]))
        news = [*self._losses(now, known), *self._changes(was, now)]
        gains, unsaid = self._gains(was, now)
        news += gains
        unsaid |= any(person not in now and person not in self.told.persons for person in was)
        ranks = {person: rank for rank, person in enumerate(now, start=1)}
        singles = [_single(self, one, ranks.get(one.candidate.person, 0)) for one in news] + self._closed(now)
        held = (self.told.persons & now.keys()) | {one.candidate.person for one in gains}
        rest = (now.keys() - held) | (was.keys() - self.told.persons)  # on the list only, now or before
        was_aside, aside = self.in_isolation
        first = (now or aside) and not self.told.summary
        if first or (rest and (singles or unsaid)) or (self.told.summary and was_aside != aside):
            counts = _summary(now.values(), self.office, len(held), len(aside))
            return [_summary_alert(self.trace, self.office, self.reference(self.office, None), counts), *singles]
        return singles

    def _is_any_told(self, was: Mapping[str, Candidate], now: Mapping[str, Candidate]) -> bool:
        """Say whether anybody who is on the list may be told one by one, so that its order matters."""
        held = self.told.persons & now.keys()
        if len(held) < min(self.trace.limit, len(now)):
            return True
        return any(one in self.told.gone or (one in was and was[one].facts != now[one].facts) for one in held)

    def _losses(self, now: Mapping[str, Candidate], known: Mapping[str, Candidate]) -> list[News]:
        news: list[News] = []
        for person in sorted(self.told.persons - now.keys() - self.told.gone.keys()):
            if person in known:
                review = person in self.told.acknowledged and person not in self.dropped
                left = STAFF_IN_ISOLATION if person in self.in_isolation.now else NOTHING_LEFT
                why = _because(left, self.causes.get(person, ""))
                news.append(News("review" if review else "withdrawn", known[person], why))
        return news

    def _changes(self, was: Mapping[str, Candidate], now: Mapping[str, Candidate]) -> list[News]:
        news: list[News] = []
        for person, candidate in now.items():
            if person not in self.told.persons:
                continue
            before, cause = was.get(person), self.causes.get(person, "")
            if person in self.told.gone:
                news.append(News("changed", candidate, _because(self._reason(candidate), cause)))
            elif before is not None and before.facts != candidate.facts:
                weaker = _weaker(before, candidate) if person in self.told.acknowledged else ""
                action: Action = "review" if weaker else "changed"
                news.append(News(action, candidate, _because(self._reason(candidate), weaker, cause)))
        return news

    def _gains(self, was: Mapping[str, Candidate], now: Mapping[str, Candidate]) -> tuple[list[News], bool]:
        """Return who is new to the office, as far as there is room, and whether there is news beyond."""
        news: list[News] = []
        room, unsaid = self.trace.limit - len(self.told.persons & now.keys()), False
        for person, candidate in now.items():
            if person in self.told.persons:
                continue
            if len(news) < room:
                news.append(News("added", candidate, _because(self._reason(candidate), self.causes.get(person, ""))))
            else:
                unsaid |= person not in was or was[person].facts != candidate.facts
        return news, unsaid

    def _reason(self, candidate: Candidate) -> str:
        """Return what an office may know of why, with what counted for or against."""
        told = _reason(candidate)
        return _because(told, *(one for one in self.ask(candidate).words if one not in told))

    def _closed(self, now: Mapping[str, Candidate]) -> list[AlertData]:
        """Return the withdrawals of those without a meeting whom people have now dropped."""
        trace, ref = self.trace, self.reference(self.office, None)
        return [
            msgspec.structs.replace(
                last,
                alert_id=alert_id(trace, ref, last.contact_ref, self.office),
                version=trace.revision,
                action="withdrawn",
                reason="dropped by people",
            )
            for person, last in sorted(self.told.gone.items())
            if person in self.dropped and person not in now
        ]


def _single(desk: _Desk, news: News, rank: int) -> AlertData:
    trace, candidate = desk.trace, news.candidate
    trace_ref, contact_ref = desk.reference(desk.office, None), desk.reference(desk.office, candidate.person)
    shown, likely = _shown(desk.office, candidate), desk.ask(candidate).likely
    return AlertData(
        alert_id=alert_id(trace, trace_ref, contact_ref, desk.office),
        version=trace.revision,
        action=news.action,
        office=desk.office,
        trace_ref=trace_ref,
        contact_ref=contact_ref,
        facility_id=shown.place.facility_id,
        facility_name=shown.place.name,
        date=local_day(shown.start, shown.place.time_zone).isoformat(),
        minutes_band=minutes_band(candidate.overlap_us),
        probability_band=likely.band if likely else "",
        degree=candidate.degree,
        rank=rank,
        rule=trace.rule,
        due_by=trace.due_by,
        reason=news.reason,
        already_case=candidate.already_case,
    )


def _weaker(before: Candidate, after: Candidate) -> str:
    """Return in what the evidence is weaker than it was, in words and bands; empty when it is not."""
    if after.degree > before.degree:
        return f"evidence is weaker: degree {after.degree} instead of {before.degree}"
    if after.overlap_us >= before.overlap_us:
        return ""
    less, more = minutes_band(after.overlap_us), minutes_band(before.overlap_us)
    return "evidence is weaker: " + (f"{less} min instead of {more}" if less != more else "less time together")


def _because(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))


def _reason(candidate: Candidate) -> str:
    """Return what an office may know of why: never how the days lie to the case's own."""
    ends = sorted({end for one in candidate.exposures for end in one.estimated_ends})
    told = "1 meeting" if len(candidate.exposures) == 1 else f"{len(candidate.exposures)} meetings"
    estimated = f"{' and '.join(ends)} estimated" if ends else ""
    return _because(told, estimated, *circumstances(candidate.exposures))


def _shown(office: str, candidate: Candidate) -> Exposure:
    """Return the longest exposure in the office's own area, else the longest of all."""
    own = [one for one in candidate.exposures if _is_in(office, one.place.district)]
    return max(own or candidate.exposures, key=lambda one: (one.end - one.start, -one.start))


def _is_in(office: str, district: str) -> bool:
    return office in {office_of(district), office_of(district.partition(".")[0])}


def _summary(candidates: Iterable[Candidate], office: str, one_by_one: int, ppe_unknown: int) -> AlertSummary:
    candidates = list(candidates)
    return AlertSummary(
        candidates=len(candidates),
        by_role=_counted(_shown(office, one).role for one in candidates),
        by_zone=_counted(_shown(office, one).zone for one in candidates),
        by_minutes=_counted(minutes_band(one.overlap_us) for one in candidates),
        sent_one_by_one=one_by_one,
        ppe_unknown=ppe_unknown,
    )


def _summary_alert(trace: Trace, office: str, trace_ref: str, counts: AlertSummary) -> AlertData:
    return AlertData(
        alert_id=alert_id(trace, trace_ref, "", office),
        version=trace.revision,
        action="summary",
        office=office,
        trace_ref=trace_ref,
        rule=trace.rule,
        due_by=trace.due_by,
        summary=counts,
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
