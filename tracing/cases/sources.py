"""Backward: whom the case may have it from. What was met is stored, where each source stands is worked out when read.

For who is a case himself, and since when, is told by traces of others. `unknown` is always a candidate: somebody whom
no visit shows.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from tracing.cases.candidates import Exposure, Place
from tracing.cases.rows import us
from tracing.instants import utc_of
from tracing.rulesets import Rule
from tracing.store import Cursor
from tracing.windows import case_window

INFECTIOUS: Final = 0  # a case with an exposure partly inside his own window
ANYBODY: Final = 1
NOBODY_SEEN: Final = 2
NOT_YET: Final = 3  # a case whose window begins only after the last exposure


class Source(NamedTuple):
    """A possible source with what is known of him; no person: somebody whom no visit shows."""

    person: str
    exposures: tuple[Exposure, ...]  # in the order of time
    order: int
    already_case: bool = False

    @property
    def overlap_us(self) -> int:
        """Return the time of all exposures together."""
        return sum(one.end - one.start for one in self.exposures)

    @property
    def longest(self) -> Exposure:
        """Return the longest exposure, the earliest at a tie."""
        return max(self.exposures, key=lambda one: (one.end - one.start, -one.start))

    @property
    def plausible(self) -> bool:
        """Say whether he may have passed it on already."""
        return self.order != NOT_YET


class KnownCase(NamedTuple):
    """Since when somebody is a case."""

    day_zero: date
    date_isolation: date | None


def order_of(exposures: Sequence[Exposure], cases: Iterable[KnownCase], rule: Rule) -> int:
    """Return where a source stands; of several cases of one person, the most telling counts."""
    return min((_order(exposures, case, rule) for case in cases), default=ANYBODY)


def read_sources(cur: Cursor, trace_id: int) -> list[Exposure]:
    """Return the stored exposures, from the possible source to the case, by source and time."""
    cur.execute(
        "select e.from_visit::text, e.to_visit::text, e.person::text, f.facility_no, f.facility_id, f.name,"  # noqa: S608 — our own expressions
        f" f.time_zone, f.district, e.zone, e.role, {us('e.starts')}, {us('e.ends')}, e.estimated, e.kind"
        " from source_exposure e join facility f using (facility_no) where trace_id = %s"
        " order by e.person, e.starts, e.from_visit, e.to_visit",
        (trace_id,),
    )
    return [
        Exposure(
            from_visit=row[0],
            to_visit=row[1],
            from_person=row[2],
            to_person="",
            place=Place(*row[3:8]),
            zone=row[8],
            role=row[9],
            start=row[10],
            end=row[11],
            estimated_ends=("an end",) if row[12] else (),
            kind=row[13],
        )
        for row in cur.fetchall()
    ]


def write_sources(cur: Cursor, trace_id: int, exposures: Sequence[Exposure]) -> None:
    """Replace what is stored, where it differs."""
    if _columns(read_sources(cur, trace_id)) == _columns(exposures):
        return
    cur.execute("delete from source_exposure where trace_id = %s", (trace_id,))
    columns = [list(column) for column in zip(*_columns(exposures), strict=True)] or [[]] * 10
    starts, ends = ([utc_of(at) for at in column] for column in columns[6:8])
    cur.execute(
        "insert into source_exposure (trace_id, from_visit, to_visit, person, facility_no, zone, role, starts, ends,"
        " estimated, kind) select %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::text[],"
        " %s::text[], %s::timestamptz[], %s::timestamptz[], %s::boolean[], %s::text[])",
        (trace_id, *columns[:6], starts, ends, *columns[8:]),
    )


def read_ranked_sources(cur: Cursor, trace_id: int, rule: Rule) -> list[Source]:
    """Return the possible sources by rank: cases who could, anybody, the unknown, cases who could not yet."""
    by_person = {
        person: tuple(some) for person, some in groupby(read_sources(cur, trace_id), attrgetter("from_person"))
    }
    cases = _read_cases(cur, by_person, rule)
    known = [
        Source(person, met, order_of(met, cases.get(person, ()), rule), person in cases)
        for person, met in by_person.items()
    ]
    return sorted([*known, Source("", (), NOBODY_SEEN)], key=lambda one: (one.order, -one.overlap_us, one.person))


def _order(exposures: Sequence[Exposure], case: KnownCase, rule: Rule) -> int:
    windows = [case_window(rule, case.day_zero, case.date_isolation, one.place.time_zone) for one in exposures]
    pairs = list(zip(exposures, windows, strict=True))
    if any(min(one.end, window.end) > max(one.start, window.start) for one, window in pairs):
        return INFECTIOUS
    return NOT_YET if all(window.start > one.end for one, window in pairs) else ANYBODY


def _read_cases(cur: Cursor, persons: Iterable[str], rule: Rule) -> dict[str, list[KnownCase]]:
    """Return the cases of these persons; one taken back or refused, or not approved yet, is none."""
    cur.execute(
        "select c.person::text, coalesce(c.date_onset, c.date_specimen),"
        " coalesce((t.header ->> 'date_isolation')::date, c.date_isolation)"
        ' from "case" c left join trace t on t.case_id = c.case_id and t.rule = %s'
        " where c.person = any(%s::uuid[]) and c.state in ('open', 'closed') and c.classification <> 'discarded'"
        " and coalesce(c.date_onset, c.date_specimen) is not null order by c.case_id",
        (rule.id, list(persons)),
    )
    found: dict[str, list[KnownCase]] = {}
    for person, day, isolation in cur.fetchall():
        found.setdefault(person, []).append(KnownCase(day, isolation))
    return found


def _columns(exposures: Iterable[Exposure]) -> list[tuple[str, str, str, int, str, str, int, int, bool, str]]:
    return [
        (
            one.from_visit,
            one.to_visit,
            one.from_person,
            one.place.facility_no,
            one.zone,
            one.role,
            one.start,
            one.end,
            bool(one.estimated_ends),
            one.kind,
        )
        for one in exposures
    ]
