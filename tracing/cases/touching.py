"""Which traces a changed visit can touch. It only narrows and never misses; the run of the trace decides.

A trace is a function of the case's visits, of whom they met, of the visits of candidates of first degree, and of whom
those met. Each change is held against the visits as they are stored now: what another change makes new is that one's
to find. So a visit touches a trace when it is the case's own or such a candidate's, when it is near one of
theirs in time and in the same facility, or when its person once rode with one of them; all of it in the days that a
trace looks at: who was a candidate in spring goes where he likes in autumn. Takes a cursor; no commit.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

from schemas.events import VisitChange
from tracing.cases.acknowledged import TRACE_LOCK
from tracing.cases.rows import person_uuid
from tracing.instants import MINUTE_US, us_of
from tracing.rulesets import rule_sets
from tracing.store import Cursor

GRID_US: Final = 20 * MINUTE_US  # a derived interval begins or ends no further from the stay than its grid
SLACK_DAYS: Final = 4  # two clocks of this world, the ends of local days, and the hours between two scans of a ride

_TOUCHED: Final = """
    with said as (
        select person, instant_of(since) as since, instant_of(until) as until
        from unnest(%(persons)s::uuid[], %(since)s::bigint[], %(until)s::bigint[]) as c (person, since, until)
    ), changed as ({changed}
    ), looked_at as materialized (
        select c.person, coalesce(c.date_onset, c.date_specimen) - %(before)s * interval '1 day' as since,
            coalesce(c.date_onset, c.date_specimen) + %(after)s * interval '1 day' as until, trace_id
        from "case" c join trace using (case_id) where c.state = 'open'
        union all select d.person, d.first_start - %(slack)s * interval '1 day',
            d.last_end + %(contact)s * interval '1 day', trace_id
        from candidate d join trace using (trace_id) join "case" c using (case_id)
        where d.degree = 1 and c.state = 'open'
    ), watched as materialized ({watched}
    ), near as (
        select person, since, until from changed
        union all select person, check_in, check_out from trace_met_by(
            (select array_agg(distinct person) from watched), %(places)s::int[], %(froms)s::bigint[],
            %(untils)s::bigint[])
        union all select r.person, since, until from changed
            join scan s using (person) join scan r on r.group_id = s.group_id
            where s.group_id <> '' and r.group_id <> ''
    ), found as (
        select w.trace_id from near n join watched w using (person) where n.until > w.since and n.since < w.until
        union select unnest(%(running)s::bigint[])
    )
    select t.trace_id, t.case_id, t.rule, c.person::text, c.area,
        coalesce(t.closes_at <= now(), false) and t.trace_id <> all (%(running)s::bigint[])
    from found join trace t using (trace_id) join "case" c using (case_id) where c.state = 'open' order by t.trace_id
"""
_OF: Final = " select person, {1} from {0}"
_OF_HUMAN: Final = _OF + " union select h.other, {1} from {0} join same_human h using (person)"  # noqa: S608 — the names are ours
_RUNNING: Final = f"""
    with held as (
        select classid::bigint << 32 | objid::bigint as key from pg_locks
        where locktype = 'advisory' and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
    )
    select t.trace_id from trace t where exists (select from held)
        and {TRACE_LOCK.format("t.case_id || '|' || t.rule")} in (select key from held)
"""  # noqa: S608 — our own expression


class Span(NamedTuple):
    """A facility and a time."""

    place: int
    start: int
    end: int


class Touched(NamedTuple):
    """A trace that has to be looked at again."""

    trace_id: int
    case_id: str
    rule: str
    person: str  # whose case it is
    area: str
    closed: bool  # its time is over: nobody waits for it any more


def touched_by(cur: Cursor, changes: Sequence[VisitChange]) -> list[Touched]:
    """Return the traces that the changes can touch; of cases that are open only.

    A trace that is being run at this moment counts as touched: its run may have begun before the change was stored,
    and what it will store is not there yet to hold the change against.
    """
    any_open, any_joined = _any_open(cur) if changes else (False, False)
    if not any_open:
        return []
    cur.execute(_RUNNING)  # first: whoever began later than this sees the changes
    running = [row[0] for row in cur.fetchall()]
    spans = _spans(cur, changes)
    states = [(change, state) for change in changes for state in (change.before, change.after) if state is not None]
    cur.execute(
        _touched_sql(any_joined=any_joined),
        {
            "persons": [person_uuid(change.person_id) for change, _ in states],
            "since": [us_of(state.check_in) for _, state in states],
            "until": [us_of(state.check_out) for _, state in states],
            "places": [span.place for span in spans],
            "froms": [span.start for span in spans],
            "untils": [span.end for span in spans],
            "running": running,
        }
        | _days(),
    )
    return list(map(Touched._make, cur.fetchall()))


def _touched_sql(*, any_joined: bool) -> str:
    """Return the question; what is near somebody is near him under all his ids, asked only where somebody is joined."""
    of = _OF_HUMAN if any_joined else _OF
    return _TOUCHED.format(
        changed=of.format("said", "since, until"), watched=of.format("looked_at", "since, until, trace_id")
    )


@cache
def _days() -> dict[str, int]:
    """Return how many days before and after what a trace looks at may lie, by the widest of all rules."""
    rules = rule_sets().values()
    return {
        "before": max(max(rule.source_days, rule.days_before) for rule in rules) + SLACK_DAYS,
        "after": max(rule.days_after for rule in rules) + SLACK_DAYS,
        "contact": max(rule.contact_days for rule in rules) + SLACK_DAYS,
        "slack": SLACK_DAYS,
    }


@cache
def reach_us() -> int:
    """Return how far from a visit its effect may lie: the longest tail of any rule, and the grid."""
    return max(rule.tail_us for rule in rule_sets().values()) + GRID_US


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same times, each facility's in one piece where they touch."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and found[-1].place == span.place and span.start <= found[-1].end:
            found[-1] = Span(span.place, found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _any_open(cur: Cursor) -> tuple[bool, bool]:
    """Say whether there is any trace to touch, for one that is opened later reads the visits; and any joined ids."""
    cur.execute(
        """select exists (select from trace join "case" c using (case_id) where c.state = 'open'),"""
        " exists (select from person_join where approved_at is not null and undone_at is null)"
    )
    row = cur.fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])


def _spans(cur: Cursor, changes: Iterable[VisitChange]) -> list[Span]:
    states = [state for change in changes for state in (change.before, change.after) if state is not None]
    cur.execute(
        "select facility_id, facility_no from facility where facility_id = any(%s)",
        (sorted({state.facility_id for state in states}),),
    )
    places = dict(cur.fetchall())
    reach = reach_us()
    return merged(
        Span(places[state.facility_id], us_of(state.check_in) - reach, us_of(state.check_out) + reach)
        for state in states
        if state.facility_id in places
    )
