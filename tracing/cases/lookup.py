"""Which visits a trace has to look at: the case's own, and those that overlap them. It narrows, `exposure.py` decides.

An overlap look-up is one index-only range per stay class (`tracing/keys.py`), for all visits of the case in one
prepared statement. What is met needs only person and times; the rest of a visit is read for what counts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from tracing.cases.candidates import Exposure, Place
from tracing.cases.facts import DEFAULT_ZONE
from tracing.exposure import Cases, Visits, case_spans, find_exposures
from tracing.instants import DAY_US, HOUR_US, SECOND_US, utc_of
from tracing.keys import CLASSES, SHORT_CLASSES, facility_of, longest_us
from tracing.rulesets import Rule
from tracing.store import Cursor
from tracing.windows import Window

FARTHEST_US: Final = 26 * HOUR_US  # two clocks of this world are never further apart
_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
# The plan is the same for every case: an index range per class. Statistics of a young table must not talk it out of it.
_PLAN: Final = (
    "set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; set local enable_hashjoin = off;"
    " set local enable_mergejoin = off; set local enable_bitmapscan = off; set local jit = off"
)

_COUNT_PREPARED: Final = "; select count(*) from pg_prepared_statements where name in ('trace_met', 'trace_detail')"


class OwnVisit(NamedTuple):
    """A visit of the case; `zones` are (from, zone) in the order of time."""

    visit_id: str
    place: Place
    check_in: int
    check_out: int
    check_in_estimated: bool
    check_out_estimated: bool
    zones: tuple[tuple[int, str], ...]


class Met(NamedTuple):
    """Somebody's visit as the index holds it."""

    key: int
    person: str
    check_in: int
    check_out: int


class Detail(NamedTuple):
    """The rest of a visit that counts."""

    visit_id: str
    role: str
    check_in_estimated: bool
    check_out_estimated: bool


class Seen(NamedTuple):
    """What a trace found, and how much it looked at."""

    exposures: list[Exposure]
    own_visits: int
    visits_met: int
    windows: Mapping[str, Window]  # by time zone of the facilities where the case was


def find(cur: Cursor, rule: Rule, person: str, window_in: Callable[[str], Window]) -> Seen:
    """Return the exposures of a case's visits.

    Args:
        cur: of a transaction that sees one state of the data.
        rule: what counts.
        person: whose visits they are.
        window_in: gives the window in a time zone; each facility has its own midnight.
    """
    start, end = window_in("UTC")
    own = own_visits(cur, person, Window(start - FARTHEST_US, end + FARTHEST_US))
    windows = {zone: window_in(zone) for zone in sorted({visit.place.time_zone for visit in own} or {DEFAULT_ZONE})}
    prepare(cur)
    spans_of = _columns(own)
    asked = _windows_of(own, windows)
    met = [one for one in _met(cur, spans_of, asked, rule) if one.person != person]
    found = find_exposures(rule, spans_of, asked, _met_columns(met))
    pairs = [(own[visit], met[other]) for visit, other in zip(found.visit.tolist(), found.other.tolist(), strict=True)]
    details = _details(cur, list({other for _, other in pairs}))
    times = zip(found.start.tolist(), found.end.tolist(), strict=True)
    exposures = [
        _exposure(person, visit, other, details[other], span) for (visit, other), span in zip(pairs, times, strict=True)
    ]
    return Seen(exposures, len(own), len(met), windows)


def own_visits(cur: Cursor, person: str, during: Window) -> list[OwnVisit]:
    """Return the person's visits that touch the window, in the order of time."""
    start, end = during
    columns = (
        f"visit_id, key, {_US.format('check_in')} as check_in, {_US.format('check_out')} as check_out,"
        " check_in_estimated, check_out_estimated, zones"
    )
    where = "person = %s and check_in < %s and check_out > %s"
    cur.execute(
        f"select v.visit_id::text, f.facility_no, f.facility_id, f.name, f.time_zone, f.district, v.check_in,"  # noqa: S608 — our own expressions
        " v.check_out, v.check_in_estimated, v.check_out_estimated, v.zones::text from ("
        f" select {columns} from visit where {where} and check_in >= %s"
        f" union all select {columns} from visit_long where {where}"
        ") v join facility f on f.facility_no = v.key >> 3 order by v.check_in, v.visit_id",
        (person, utc_of(end), utc_of(start), utc_of(start - DAY_US), person, utc_of(end), utc_of(start)),
    )
    return [
        OwnVisit(
            row[0], Place(*row[1:6]), row[6], row[7], row[8], row[9], msgspec.json.decode(row[10] or "[]", type=_Zones)
        )
        for row in cur.fetchall()
    ]


def prepare(cur: Cursor) -> None:
    """Prepare the look-ups once per connection, and hold their plans for this transaction."""
    cur.execute(_PLAN + _COUNT_PREPARED)
    row = cur.fetchone()
    if row == (0,):
        cur.execute(f"prepare trace_met (int[], timestamptz[], timestamptz[]) as {_met_sql()}")
        cur.execute(f"prepare trace_detail (int[], timestamptz[], uuid[]) as {_detail_sql()}")


def zone_at(zones: Sequence[tuple[int, str]], at: int) -> str:
    """Return the zone in which a visit was at an instant; empty before its first."""
    return next((zone for since, zone in reversed(zones) if since <= at), "")


_Zones = tuple[tuple[int, str], ...]


def _met_sql() -> str:
    ranges = []
    for stay in range(CLASSES):
        table = "visit" if stay in SHORT_CLASSES else "visit_long"
        longest = longest_us(stay)
        since = f" and v.check_in >= s.a - interval '{longest // SECOND_US} seconds'" if longest else ""
        ranges.append(
            f"select v.key, v.person, v.check_in, v.check_out from {table} v"  # noqa: S608 — our own tables and numbers
            f" where v.key = s.facility_no * 8 + {stay} and v.check_in < s.b and v.check_out > s.a{since}"
        )
    return (
        f"select m.key, m.person::text, {_US.format('m.check_in')}, {_US.format('m.check_out')}"  # noqa: S608 — our own
        " from unnest($1, $2, $3) as s (facility_no, a, b)"
        f" cross join lateral ({' union all '.join(ranges)}) m"
    )


def _detail_sql() -> str:
    columns = "v.visit_id, v.role, v.check_in_estimated, v.check_out_estimated, v.check_out"
    same = "v.key = m.key and v.check_in = m.check_in and v.person = m.person and v.check_out > v.check_in"
    return (
        f"select m.key, m.person::text, {_US.format('m.check_in')}, {_US.format('d.check_out')}, d.visit_id::text,"  # noqa: S608 — our own expressions
        " d.role, d.check_in_estimated, d.check_out_estimated from unnest($1, $2, $3) as m (key, check_in, person)"
        f" cross join lateral (select {columns} from visit v where {same}"
        f" union all select {columns} from visit_long v where {same}) d"
    )


def _met(cur: Cursor, visits: Visits, asked: Cases, rule: Rule) -> list[Met]:
    spans = case_spans(rule, visits, asked)
    wanted = np.flatnonzero(spans.start < spans.end)
    if not wanted.size:
        return []
    cur.execute(
        "execute trace_met (%s, %s::timestamptz[], %s::timestamptz[])",
        (
            spans.facility[wanted].tolist(),
            [utc_of(at) for at in spans.start[wanted].tolist()],
            [utc_of(at) for at in spans.end[wanted].tolist()],
        ),
    )
    return sorted({Met(*row) for row in cur.fetchall()})


def _details(cur: Cursor, met: Sequence[Met]) -> dict[Met, Detail]:
    if not met:
        return {}
    cur.execute(
        "execute trace_detail (%s, %s::timestamptz[], %s::uuid[])",
        ([one.key for one in met], [utc_of(one.check_in) for one in met], [one.person for one in met]),
    )
    return {Met(*row[:4]): Detail(*row[4:]) for row in cur.fetchall()}


def _columns(own: Sequence[OwnVisit]) -> Visits:
    """Return the case's visits as columns; the case is person 0."""
    return Visits(
        np.zeros(len(own), dtype=np.int64),
        np.array([visit.place.facility_no for visit in own], dtype=np.int64),
        np.array([visit.check_in for visit in own], dtype=np.int64),
        np.array([visit.check_out for visit in own], dtype=np.int64),
        np.array([not visit.check_out_estimated for visit in own], dtype=np.bool_),
    )


def _windows_of(own: Sequence[OwnVisit], windows: Mapping[str, Window]) -> Cases:
    each = [windows[visit.place.time_zone] for visit in own]
    return Cases(
        np.zeros(len(own), dtype=np.int64),
        np.array([window.start for window in each], dtype=np.int64),
        np.array([window.end for window in each], dtype=np.int64),
    )


def _met_columns(met: Sequence[Met]) -> Visits:
    numbers: dict[str, int] = {}
    return Visits(
        np.array([numbers.setdefault(one.person, len(numbers) + 1) for one in met], dtype=np.int64),
        np.array([facility_of(one.key) for one in met], dtype=np.int64),
        np.array([one.check_in for one in met], dtype=np.int64),
        np.array([one.check_out for one in met], dtype=np.int64),
        np.ones(len(met), dtype=np.bool_),
    )


def _exposure(person: str, visit: OwnVisit, other: Met, detail: Detail, span: tuple[int, int]) -> Exposure:
    ends = []
    if visit.check_in_estimated or detail.check_in_estimated:
        ends.append("check-in")
    if visit.check_out_estimated or detail.check_out_estimated:
        ends.append("check-out")
    return Exposure(
        from_visit=visit.visit_id,
        to_visit=detail.visit_id,
        from_person=person,
        to_person=other.person,
        place=visit.place,
        zone=zone_at(visit.zones, span[0]),
        role=detail.role,
        start=span[0],
        end=span[1],
        estimated_ends=tuple(ends),
    )
