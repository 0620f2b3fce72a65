"""What people are shown of a case and its trace. No person id is in it: persons have names, random per case.

Rank, and where a possible source stands, are worked out here, when somebody looks: they never make an alert.
"""

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any

import msgspec

from schemas.errors import NotFound
from tracing.cases.candidates import Candidate, ranked, reason_of
from tracing.cases.likeness import Known
from tracing.cases.onset import StayAtOnset
from tracing.cases.revision import read_candidates
from tracing.cases.sources import Source, read_ranked_sources
from tracing.cases.surroundings import read_known
from tracing.instants import text_of
from tracing.rulesets import DEFAULT_RULE, rule_of
from tracing.store import Connection, Cursor
from tracing.windows import local_day

# As it is now, whether or not a worker has looked at the clock since.
_STATE = "coalesce(case when t.state = 'open' and t.closes_at <= now() then 'closed' else t.state end, '')"
_UTC = "to_char({0} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate, in the order of rank."""

    rank: int  # within the degree; 0: none, for nobody knows what staff met in isolation wore
    contact_ref: str
    degree: int
    from_ref: str
    facility_id: str
    facility_name: str
    zone: str
    role: str
    first_overlap_start: str
    last_overlap_end: str
    overlap_minutes: float  # three decimals, exactly
    overlaps: int
    days_from_onset: int  # from day zero to the day of the longest exposure
    probability: float | None  # that the two were truly close; none where they only rode together
    estimated: bool
    already_case: bool
    decision: str
    reason: str
    unproven: bool = False  # each meeting rests on a scan that proves nobody's identity: after all who are proven
    kind: str = "place"  # vehicle: they rode together, whatever the minutes
    apart: bool = False  # in different zones all the while: last
    ppe_unknown: bool = False  # staff met in isolation


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """One possible source, in the order of rank; of `unknown`, somebody whom no visit shows, nothing else is known."""

    rank: int
    source_ref: str
    already_case: bool = False
    plausible: bool = True  # false: a case who could not pass it on yet
    facility_id: str = ""
    facility_name: str = ""
    zone: str = ""
    role: str = ""
    first_overlap_start: str = ""
    last_overlap_end: str = ""
    overlap_minutes: float = 0
    overlaps: int = 0
    days_from_onset: int | None = None
    estimated: bool = False
    kind: str = ""
    reason: str = "somebody whom no visit shows"
    probability: float | None = None
    unproven: bool = False


class TeamView(msgspec.Struct, frozen=True, kw_only=True):
    """What the infection control team of a facility (Tim PPI) has to hear of: candidates among staff and inpatients."""

    facility_id: str
    facility_name: str
    contact_refs: tuple[str, ...]  # in the order of rank
    ppe_unknown: tuple[str, ...]  # staff met in isolation, in no order that says anything


class TraceView(msgspec.Struct, frozen=True, kw_only=True):
    """A case with its trace; a case that is not open yet has no rule, window or contacts."""

    case_id: str
    state: str
    classification: str
    day0: date | None
    day0_is: str
    date_isolation: date | None
    requested_by: str
    requested_role: str
    approved_by: str | None
    reason: str
    approved_reason: str | None
    rule: str
    window: tuple[str, str] | None
    revision: int
    case_ref: str
    counts: dict[str, int]
    contacts: tuple[ContactView, ...]
    trace_state: str = ""  # open, closed, or stale: data came after it had closed; empty: there is none
    isolated_by_zone: bool = False  # `date_isolation` is the day of the first isolation zone
    stay_at_onset: StayAtOnset | None = None
    sources: tuple[SourceView, ...] = ()
    teams: tuple[TeamView, ...] = ()
    windows: dict[str, tuple[str, str]] = {}  # from when to when, by the time zone of the facilities
    lost_before: str = ""  # a day: some that the trace looks at lie before it, and their visits have been let go


class _Header(msgspec.Struct):
    """What the view takes from what a run says of itself."""

    rows: dict[str, int] = {}
    date_isolation: date | None = None
    isolated_by_zone: bool = False
    stay_at_onset: StayAtOnset | None = None
    windows: dict[str, tuple[str, str]] = {}
    lost_before: str = ""


def read_trace(conn: Connection, case_id: str, rule: str = DEFAULT_RULE) -> TraceView:
    """Return a case with its trace under this rule.

    Raises:
        NotFound: there is no such case.
    """
    with conn.cursor() as cur:
        cur.execute(
            "select c.state, c.classification, c.date_onset, c.date_specimen, c.date_isolation, c.requested_by,"  # noqa: S608 — our own expressions
            " c.requested_role, c.approved_by, c.reason, c.approved_reason, t.trace_id, coalesce(t.revision, 0),"
            f" {_UTC.format('t.window_from')}, {_UTC.format('t.window_to')},"
            " coalesce(t.header, '{}')::text, c.person::text,"
            f' {_STATE} from "case" c left join trace t on t.case_id = c.case_id and t.rule = %s where c.case_id = %s',
            (rule, case_id),
        )
        row = cur.fetchone()
        if row is None:
            raise NotFound("no such case")
        refs = _names(cur, case_id)
        day = row[2] or row[3]
        contacts: tuple[ContactView, ...] = ()
        sources: tuple[SourceView, ...] = ()
        if row[10] and day:
            contacts = _contacts(cur, row[10], case_id, day, refs, row[15])
            sources = _sources(cur, (row[10], rule, row[15]), day, "onset" if row[2] else "specimen", refs)
    header = msgspec.json.decode(row[14], type=_Header)
    return TraceView(
        case_id=case_id,
        state=row[0],
        classification=row[1],
        day0=day,
        day0_is="onset" if row[2] else "specimen",
        date_isolation=header.date_isolation or row[4],
        requested_by=row[5],
        requested_role=row[6],
        approved_by=row[7],
        reason=row[8],
        approved_reason=row[9],
        trace_state=row[16],
        rule=rule if row[10] else "",
        window=(row[12], row[13]) if row[12] else None,
        revision=row[11],
        case_ref=refs.get(None, ""),
        counts=header.rows,
        contacts=contacts,
        isolated_by_zone=header.isolated_by_zone,
        stay_at_onset=header.stay_at_onset,
        sources=sources,
        teams=_teams(contacts),
        windows=header.windows,
        lost_before=header.lost_before,
    )


def exact_minutes(time_us: int) -> float:
    """Return microseconds as minutes with three decimals, rounded half up."""
    return (time_us * 1000 + 30_000_000) // 60_000_000 / 1000


def _names(cur: Cursor, case_id: str) -> dict[str | None, str]:
    cur.execute("select person::text, ref from reference where case_id = %s and office = ''", (case_id,))
    return dict(cur.fetchall())


def _contacts(
    cur: Cursor, trace_id: int, case_id: str, day: date, refs: dict[str | None, str], index: str
) -> tuple[ContactView, ...]:
    cur.execute(
        "select distinct on (person) person::text, decision from contact_decision"
        " where case_id = %s and person is not null order by person, at desc, decision_id desc",
        (case_id,),
    )
    decisions = dict(cur.fetchall())
    shown = []
    candidates = read_candidates(cur, trace_id)
    said = read_known(cur, [one.exposures for one in candidates])
    known = {one.key: of for one, of in zip(candidates, said, strict=True)}
    by_rank = ranked(candidates, {key: of.standing for key, of in known.items()})
    for _, some in groupby(by_rank, key=lambda one: one.degree):
        for rank, candidate in enumerate(some, start=1):
            source = refs.get(None if candidate.from_person == index else candidate.from_person, "")
            place = 0 if candidate.ppe_unknown else rank
            names = source, refs[candidate.person]
            shown.append(_contact(candidate, known[candidate.key], place, day, names, decisions))
    return tuple(shown)


def _contact(
    candidate: Candidate,
    known: Known,
    rank: int,
    day: date,
    names: tuple[str, str],
    decisions: dict[str, Any],
) -> ContactView:
    longest = candidate.longest
    zone = longest.place.time_zone
    return ContactView(
        rank=rank,
        contact_ref=names[1],
        degree=candidate.degree,
        from_ref=names[0],
        facility_id=longest.place.facility_id,
        facility_name=longest.place.name,
        zone=longest.zone,
        role=longest.role,
        first_overlap_start=text_of(min(one.start for one in candidate.exposures), zone),
        last_overlap_end=text_of(candidate.last_end, zone),
        overlap_minutes=exact_minutes(candidate.overlap_us),
        overlaps=len(candidate.exposures),
        days_from_onset=(local_day(longest.start, zone) - day).days,
        probability=known.likely.probability if known.likely else None,
        estimated=candidate.estimated,
        already_case=candidate.already_case,
        decision=decisions.get(candidate.person, ""),
        reason=_with_words(candidate.reason, known),
        unproven=known.unproven,
        kind="vehicle" if candidate.rode_together else "place",
        apart=candidate.apart,
        ppe_unknown=candidate.ppe_unknown,
    )


def _sources(
    cur: Cursor, trace: tuple[int, str, str], day: date, day_word: str, refs: dict[str | None, str]
) -> tuple[SourceView, ...]:
    trace_id, rule, index = trace
    found = read_ranked_sources(cur, trace_id, rule_of(rule))
    # Whom they may have given it to is not stored with them: it is the case.
    pairs = [[msgspec.structs.replace(met, to_person=index) for met in one.exposures] for one in found]
    said = list(zip(found, read_known(cur, pairs), strict=True))
    said.sort(key=lambda one: (one[0].order, one[1].unproven, -one[1].standing.millionths))  # else as they stood
    return tuple(
        _source((one, known), rank, day, day_word, refs.get(one.person, ""))
        if one.person
        else SourceView(rank=rank, source_ref="unknown")
        for rank, (one, known) in enumerate(said, start=1)
    )


def _source(of: tuple[Source, Known], rank: int, day: date, day_word: str, ref: str) -> SourceView:
    source, known = of
    met, longest = source.exposures, source.longest
    zone = longest.place.time_zone
    return SourceView(
        rank=rank,
        source_ref=ref,
        already_case=source.already_case,
        plausible=source.plausible,
        facility_id=longest.place.facility_id,
        facility_name=longest.place.name,
        zone=longest.zone,
        role=longest.role,
        first_overlap_start=text_of(min(one.start for one in met), zone),
        last_overlap_end=text_of(max(one.end for one in met), zone),
        overlap_minutes=exact_minutes(source.overlap_us),
        overlaps=len(met),
        days_from_onset=(local_day(longest.start, zone) - day).days,
        estimated=any(one.estimated_ends for one in met),
        kind="vehicle" if any(one.kind == "vehicle" for one in met) else "place",
        reason=_with_words(reason_of(met, day, day_word), known),
        probability=known.likely.probability if known.likely else None,
        unproven=known.unproven,
    )


def _with_words(reason: str, known: Known) -> str:
    """Return why somebody is on the list, with what counted for where he stands."""
    return "; ".join([reason, *(one for one in known.words if one not in reason)])


def _teams(contacts: Iterable[ContactView]) -> tuple[TeamView, ...]:
    """Return whom each facility's team hears of: those of first degree who work or lie there."""
    theirs = sorted(
        (one for one in contacts if one.degree == 1 and one.role in {"staff", "inpatient"}),
        key=lambda one: one.facility_id,
    )
    return tuple(
        TeamView(
            facility_id=facility_id,
            facility_name=some[0].facility_name,
            contact_refs=tuple(one.contact_ref for one in some if not one.ppe_unknown),
            ppe_unknown=tuple(one.contact_ref for one in some if one.ppe_unknown),
        )
        for facility_id, some in (
            (name, list(group)) for name, group in groupby(theirs, key=lambda one: one.facility_id)
        )
    )
