"""What a trace cannot see any more, because visits from before the horizon have been let go. Takes a cursor.

A trace holds the horizon back while it is open. One that is asked for later, or again, may find its first days gone:
then it says so, and a run that would see less than one before it changes nothing.
"""

from tracing.cases.facts import Case
from tracing.cases.rows import us
from tracing.instants import utc_of
from tracing.rulesets import Rule
from tracing.store import Cursor
from tracing.windows import FARTHEST_US, case_window, source_window


def lost_before(cur: Cursor, rule: Rule, case: Case) -> str:
    """Return the day from which on there are visits, where a trace looks at days before it; else nothing."""
    cur.execute(f"select {us('max(horizon)')} from position where topic = 'scan.v1'")  # noqa: S608 — our own expression
    (horizon,) = cur.fetchone() or (None,)
    if horizon is None:
        return ""
    windows = case_window(rule, case.day_zero, None, "UTC"), source_window(rule, case.day_zero, "UTC")
    begins = min(window.start for window in windows) - FARTHEST_US
    return f"{utc_of(horizon):%Y-%m-%d}" if begins < horizon else ""


def keep(cur: Cursor, trace_id: int, lost: str) -> None:
    """Leave a trace as it is: nothing is due, and its header says what there is no more."""
    cur.execute(
        "update trace set due = false, state = case when state = 'stale' or closes_at <= now() then 'closed' else state"
        " end, header = header || jsonb_build_object('lost_before', %s::text) where trace_id = %s",
        (lost, trace_id),
    )
