"""When a trace closes, and what happens to data that come after: the trace becomes stale, and its owner hears of it.

A trace closes at its window's end and the greatest accepted lateness, by the database's clock. Takes a cursor; the
one who opened it commits.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.events import Alert, AlertData
from schemas.topics import office_of
from tracing.cases.alerts import Trace, alert_id
from tracing.cases.revision import write_alerts
from tracing.cases.rows import reference
from tracing.cases.touching import Touched
from tracing.store import Cursor

STALE_NAME: Final = "stale"  # in place of a candidate's: the trace as a whole is to be reviewed
STALE: Final = "a visit came or changed after the trace had closed: ask for the trace again, and it is run once more"


def close_due(cur: Cursor) -> int:
    """Close the traces whose time is over; return how many."""
    cur.execute("update trace set state = 'closed' where state = 'open' and closes_at <= now()")
    return cur.rowcount


def mark_due(cur: Cursor, touched: Iterable[Touched]) -> None:
    """Say that a run is due; where a run is under way, it is waited for, or it would end this again."""
    touched = list(touched)
    if not touched:
        return
    cur.execute(
        "update trace t set due = true from (select trace_id from trace where trace_id = any(%s) order by trace_id"
        " for no key update) due where t.trace_id = due.trace_id",
        ([one.trace_id for one in touched],),
    )


def mark_stale(cur: Cursor, touched: Sequence[Touched]) -> list[tuple[int, Alert]]:
    """Mark closed traces as stale; return what the office of each case's area hears of it, once until the next run."""
    cur.execute(
        "update trace t set state = 'stale' from (select trace_id from trace where trace_id = any(%s)"
        " order by trace_id for no key update) late where t.trace_id = late.trace_id and t.state <> 'stale'"
        " returning t.trace_id, t.revision, now()",
        ([one.trace_id for one in touched],),
    )
    revised = {row[0]: row[1:] for row in cur.fetchall()}
    alerts = []
    for one in touched:
        if one.trace_id in revised and one.area:
            revision, at = revised[one.trace_id]
            alerts += [
                (one.trace_id, alert) for alert in write_alerts(cur, one.trace_id, [_stale(cur, one, revision)], at)
            ]
    return alerts


def due_traces(cur: Cursor) -> list[tuple[str, str, str]]:
    """Return (case, rule, person) of the traces that wait for a run, whoever said so; those of open cases."""
    cur.execute(
        'select t.case_id, t.rule, c.person::text from trace t join "case" c using (case_id)'
        " where t.due and c.state = 'open' order by t.trace_id limit 1000"
    )
    return list(cur.fetchall())


def _stale(cur: Cursor, one: Touched, revision: int) -> AlertData:
    office = office_of(one.area)
    trace_ref = reference(cur, one.case_id, office, None)
    trace = Trace(revision=revision, rule=one.rule, due_by=None, limit=0)
    return AlertData(
        alert_id=alert_id(trace, trace_ref, STALE_NAME, office),
        version=revision,
        action="review",
        office=office,
        trace_ref=trace_ref,
        rule=one.rule,
        reason=STALE,
    )
