"""What the offices hold of a trace, and what of it they have acknowledged.

Takes a cursor; the one who opened it commits.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from schemas.events import AlertData
from tracing.cases.alerts import Told
from tracing.store import Cursor

# Whoever takes it waits for a run of the trace that is under way; a run that begins later sees what was committed.
TRACE_LOCK: Final = "hashtextextended({}, 1)"


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """Who acknowledged an alert first, and when."""

    alert_id: str
    acknowledged_by: str
    acknowledged_at: datetime


class About(NamedTuple):
    """What an alert is about; an office never sees it."""

    case_id: str
    person: str  # whose case it is, 32 hex digits
    contact_ref: str


class _Body(msgspec.Struct):
    data: AlertData


_bodies = msgspec.json.Decoder(_Body)


class Said(NamedTuple):
    """One alert about one candidate, as stored."""

    office: str
    contact_ref: str
    action: str
    acknowledged: bool
    body: str


def read_told(cur: Cursor, trace_id: int, persons: Mapping[tuple[str, str], Any]) -> dict[str, Told]:
    """Return what each office was told of the trace, and has acknowledged since it was last withdrawn.

    Args:
        cur: of the transaction that makes the next revision.
        trace_id: whose alerts.
        persons: by office and name; a name of nobody is passed over.
    """
    cur.execute(
        "select office, contact_ref, action, acknowledged_at is not null, case action when 'review' then body::text"
        " else '' end from alert where trace_id = %s order by office, contact_ref, revision, action = 'review'",
        (trace_id,),
    )
    told = {}
    for office, some in groupby(map(Said._make, cur.fetchall()), key=lambda said: said.office):
        told[office] = told_of(list(some), persons)
    return told


def acknowledge(cur: Cursor, alert_id: str, office: str, by: str) -> tuple[Acknowledged, bool] | None:
    """Acknowledge an alert of this office, and say whether it was not before; None where the office has no such alert.

    A run of the trace that is under way is waited for: it could withdraw what is being acknowledged.
    """
    cur.execute(
        "select t.case_id || '|' || t.rule from alert a join trace t using (trace_id)"
        " where a.alert_id = %s and a.office = %s",
        (alert_id, office),
    )
    row = cur.fetchone()
    if row is None:
        return None
    cur.execute(f"select pg_advisory_xact_lock({TRACE_LOCK.format('%s')})", row)
    cur.execute(
        "update alert set acknowledged_by = %s, acknowledged_at = clock_timestamp()"
        " where alert_id = %s and acknowledged_at is null",
        (by, alert_id),
    )
    first = cur.rowcount == 1
    cur.execute("select acknowledged_by, acknowledged_at from alert where alert_id = %s", (alert_id,))
    row = cur.fetchone()
    assert row is not None, "an alert is never removed"
    return Acknowledged(alert_id=alert_id, acknowledged_by=row[0], acknowledged_at=row[1]), first


def read_about(cur: Cursor, alert_id: str, office: str) -> About | None:
    """Return what an alert of this office is about; None where the office has no such alert about a candidate."""
    cur.execute(
        "select t.case_id, replace(c.person::text, '-', ''), a.contact_ref from alert a join trace t using (trace_id)"
        " join \"case\" c using (case_id) where a.alert_id = %s and a.office = %s and a.contact_ref <> ''",
        (alert_id, office),
    )
    row = cur.fetchone()
    return About(*row) if row else None


def read_dropped(cur: Cursor, case_id: str) -> frozenset[str]:
    """Return the persons whose latest decision in this case is that they are no contacts."""
    cur.execute(
        "select person::text from (select distinct on (person) person, decision from contact_decision"
        " where case_id = %s and person is not null order by person, at desc, decision_id desc) d"
        " where decision = 'dropped'",
        (case_id,),
    )
    return frozenset(row[0] for row in cur.fetchall())


def told_of(said: Iterable[Said], persons: Mapping[tuple[str, str], Any]) -> Told:
    """Return what one office was told and has acknowledged, from its alerts in the order of their making."""
    summary = False
    held: set[str] = set()
    acknowledged: set[str] = set()
    gone: dict[str, AlertData] = {}
    for one in said:
        summary |= one.action == "summary"
        person = persons.get((one.office, one.contact_ref))
        if not one.contact_ref or not person:
            continue
        gone.pop(person, None)
        if one.action == "withdrawn":
            held.discard(person)
            acknowledged.discard(person)
            continue
        held.add(person)
        if one.acknowledged:
            acknowledged.add(person)
        if one.action == "review" and (last := _bodies.decode(one.body).data).rank == 0:
            gone[person] = last
    return Told(summary=summary, persons=frozenset(held), acknowledged=frozenset(acknowledged), gone=gone)
