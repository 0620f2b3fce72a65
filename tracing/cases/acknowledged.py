"""What the offices hold of a trace, and what of it they have acknowledged.

Takes a cursor; the one who opened it commits.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from schemas.events import AlertData
from tracing.cases.alerts import Told
from tracing.store import Cursor

# Whoever takes it waits for a run of the trace that is under way; a run that begins later sees what was committed.
TRACE_LOCK: Final = "hashtextextended({}, 1)"


class _Body(msgspec.Struct):
    data: AlertData


_bodies = msgspec.json.Decoder(_Body)


class _Said(NamedTuple):
    """One alert about one candidate, as stored."""

    office: str
    contact_ref: str
    action: str
    acknowledged: bool
    body: str


def read_told(cur: Cursor, trace_id: int, persons: dict[tuple[str, str], Any]) -> dict[str, Told]:
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
    for office, some in groupby(map(_Said._make, cur.fetchall()), key=lambda said: said.office):
        told[office] = _told(list(some), persons)
    return told


def read_dropped(cur: Cursor, case_id: str) -> frozenset[str]:
    """Return the persons whose latest decision in this case is that they are no contacts."""
    cur.execute(
        "select person::text from (select distinct on (person) person, decision from contact_decision"
        " where case_id = %s and person is not null order by person, at desc, decision_id desc) d"
        " where decision = 'dropped'",
        (case_id,),
    )
    return frozenset(row[0] for row in cur.fetchall())


def _told(said: Iterable[_Said], persons: dict[tuple[str, str], Any]) -> Told:
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
