"""Everything that is known of a stored trace at one instant: what people are shown, and the visits behind it.

Takes a connection; whoever opened it commits. Nothing here is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import msgspec

from schemas.events import Assurance, Channel
from tracing.cases.candidates import Candidate, Exposure
from tracing.cases.facts import DEFAULT_ZONE
from tracing.cases.likeness import Known, StayKey
from tracing.cases.lookup import own_visits
from tracing.cases.places import Stay
from tracing.cases.revision import read_candidates
from tracing.cases.sources import read_sources
from tracing.cases.store import ContactView, SourceView, TraceView, read_trace
from tracing.cases.surroundings import read_known, read_stays
from tracing.instants import DAY_US, us_of
from tracing.rulesets import DEFAULT_RULE, Rule, rule_of
from tracing.store import Connection, Cursor
from tracing.windows import Window

LATE_US: Final = DAY_US


class Line(NamedTuple):
    """A candidate: as he is shown, as he is stored, and what counted for where he stands."""

    view: ContactView
    candidate: Candidate
    known: Known


class SourceLine(NamedTuple):
    """A possible source: as he is shown, and his meetings with the case; `unknown` has none."""

    view: SourceView
    exposures: tuple[Exposure, ...]


class Origin(NamedTuple):
    """Where the scan that opened a visit came from."""

    manual: bool
    unproven: bool
    late_us: int


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """A case and its trace."""

    view: TraceView
    rule: Rule
    date_onset: date | None
    date_specimen: date | None
    person: str  # of the case: never shown
    names: Mapping[str, str]  # person to the name he is known by
    lines: tuple[Line, ...]  # by degree and rank
    sources: tuple[SourceLine, ...]  # by rank
    own: tuple[Stay, ...]  # the case's own visits
    stays: Mapping[StayKey, Stay]  # those behind exposures of first degree
    origins: Mapping[StayKey, Origin]
    points: Mapping[str, tuple[float, float]]  # where facilities lie, as far as it is known
    positions: Mapping[str, object]  # how far the log had been read when the trace last ran

    @property
    def time_zone(self) -> str:
        """Return whose clock is shown: that of the place where most exposures were."""
        zones = [one.place.time_zone for line in self.lines for one in line.candidate.exposures]
        return max(sorted(set(zones)), key=zones.count, default=DEFAULT_ZONE)

    @property
    def window(self) -> Window:
        """Return the infectious period by that clock; empty where nothing was looked at."""
        ends = self.view.windows.get(self.time_zone) or self.view.window
        if ends is None:
            return Window(0, 0)
        start, end = (us_of(msgspec.convert(at, type=datetime)) for at in ends)
        return Window(start, end)


def read_dossier(conn: Connection, case_id: str, rule: str = DEFAULT_RULE) -> Dossier:
    """Return what is known of a case under a rule.

    Raises:
        NotFound: there is no such case.
    """
    view = read_trace(conn, case_id, rule)
    with conn.cursor() as cur:
        cur.execute(
            "select c.date_onset, c.date_specimen, c.person::text, t.trace_id, t.header -> 'positions'"
            ' from "case" c left join trace t on t.case_id = c.case_id and t.rule = %s where c.case_id = %s',
            (rule, case_id),
        )
        onset, specimen, person, trace_id, positions = cur.fetchone() or (None, None, "", None, None)
        cur.execute(
            "select person::text, ref from reference where case_id = %s and office = '' and person is not null",
            (case_id,),
        )
        names = dict(cur.fetchall()) | {person: view.case_ref}
        lines = _lines(cur, trace_id, view, names)
        first = [one for line in lines if line.view.degree == 1 for one in line.candidate.exposures]
        stays = read_stays(cur, first) if first else {}
        return Dossier(
            view=view,
            rule=rule_of(rule),
            date_onset=onset,
            date_specimen=specimen,
            person=person,
            names=names,
            lines=lines,
            sources=_sources(cur, trace_id, view, names, person),
            own=_own(cur, person, view),
            stays=stays,
            origins=_origins(cur, stays),
            points=_points(cur, lines),
            positions=positions or {},
        )


def _lines(cur: Cursor, trace_id: int | None, view: TraceView, names: Mapping[str, str]) -> tuple[Line, ...]:
    if trace_id is None or not view.contacts:
        return ()
    stored = read_candidates(cur, trace_id)
    known = read_known(cur, [one.exposures for one in stored])
    by_name = {
        (one.degree, names.get(one.from_person, ""), names.get(one.person, "")): (one, of)
        for one, of in zip(stored, known, strict=True)
    }
    keys = [(one, (one.degree, one.from_ref, one.contact_ref)) for one in view.contacts]
    return tuple(Line(one, *by_name[key]) for one, key in keys if key in by_name)


def _sources(
    cur: Cursor, trace_id: int | None, view: TraceView, names: Mapping[str, str], person: str
) -> tuple[SourceLine, ...]:
    by_name: dict[str, list[Exposure]] = {}
    for one in read_sources(cur, trace_id) if trace_id is not None and view.sources else []:
        met = msgspec.structs.replace(one, to_person=person)  # whom they may have given it to is not stored with them
        by_name.setdefault(names.get(one.from_person, ""), []).append(met)
    return tuple(SourceLine(one, tuple(by_name.get(one.source_ref, ()))) for one in view.sources)


def _own(cur: Cursor, person: str, view: TraceView) -> tuple[Stay, ...]:
    if view.window is None:
        return ()
    start, end = (us_of(msgspec.convert(at, type=datetime)) for at in view.window)
    return tuple(own_visits(cur, person, Window(start, end)))


def _origins(cur: Cursor, stays: Iterable[StayKey]) -> dict[StayKey, Origin]:
    """Return where the scans come from that opened these visits; one that is not kept any more says nothing."""
    persons, visits = [list(one) for one in zip(*stays, strict=True)] or [[], []]
    cur.execute(
        "select person::text, scan_id::text, channel, assurance,"
        " (extract(epoch from received_at - at) * 1000000)::bigint"
        " from unnest(%s::uuid[], %s::uuid[]) as v (person, scan_id) join scan using (person, scan_id)",
        (persons, visits),
    )
    return {
        (person, visit): Origin(channel == Channel.OFFICER.value, assurance == Assurance.SELF.value, late_us)
        for person, visit, channel, assurance, late_us in cur.fetchall()
    }


def _points(cur: Cursor, lines: Sequence[Line]) -> dict[str, tuple[float, float]]:
    facilities = sorted({one.place.facility_id for line in lines for one in line.candidate.exposures})
    cur.execute(
        "select facility_id, latitude, longitude from place join facility using (facility_no)"
        " where facility_id = any(%s)",
        (facilities,),
    )
    return {row[0]: (row[1], row[2]) for row in cur.fetchall()}
