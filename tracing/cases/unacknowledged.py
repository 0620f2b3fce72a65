"""Alerts that no office has acknowledged, and those that wait for so long that somebody above the office sees them.

The latest alert of a candidate counts: who acknowledges it knows the earlier ones. So does one about a trace as a
whole that has to be reviewed, until a later summary. Hours are by the database's clock.
Takes a cursor; no commit.
"""

from datetime import datetime
from typing import Final

import msgspec

from schemas.events import AlertData
from tracing.store import Cursor

_WAITING: Final = """
    with allowed as (
        select value * interval '1 hour' as hours from setting_dated
        where name = 'alert_escalation_hours' and valid_from <= now() order by valid_from desc limit 1
    ), waiting as (
        select a.*, a.made_at <= now() - hours as escalated from alert a, allowed
        where a.acknowledged_at is null and a.action <> 'withdrawn'
            and (a.contact_ref <> '' or a.action = 'review') and not exists (
            select from alert later where later.trace_id = a.trace_id and later.office = a.office
                and later.contact_ref = a.contact_ref and later.revision > a.revision)
    )
"""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as a list of an office shows it; what one has escalated to another sees no names of the first."""

    alert_id: str
    office: str
    action: str
    made_at: datetime
    escalated: bool
    data: AlertData


class _Body(msgspec.Struct):
    data: AlertData


_bodies = msgspec.json.Decoder(_Body)


def count_waiting(cur: Cursor) -> dict[str, int]:
    """Return how many alerts wait, by whether they have escalated (`no`, `yes`)."""
    cur.execute(
        _WAITING + "select count(*) filter (where not escalated), count(*) filter (where escalated) from waiting"  # noqa: S608 — our own
    )
    row = cur.fetchone()
    assert row is not None
    return {"no": row[0], "yes": row[1]}


def read_waiting(cur: Cursor, office: str, limit: int) -> list[Waiting]:
    """Return what waits for an office, the longest first, and what has escalated to it.

    To a province's office escalates what its districts have not acknowledged in time, to the ministry (an empty
    `office`, which has no alerts of its own) what provinces have not.
    """
    below = "p%" if not office else f"d{office[1:]}%" if office.startswith("p") else ""
    cur.execute(
        _WAITING + "select alert_id, office, action, made_at, escalated, body::text from waiting"  # noqa: S608 — our own
        " where office = %s or (office like %s and escalated) order by made_at, alert_id limit %s",
        (office, below, limit),
    )
    return [
        Waiting(
            alert_id=row[0],
            office=row[1],
            action=row[2],
            made_at=row[3],
            escalated=row[4],
            data=_shown(row[5], own=row[1] == office),
        )
        for row in cur.fetchall()
    ]


def _shown(body: str, *, own: bool) -> AlertData:
    data = _bodies.decode(body).data
    return data if own else msgspec.structs.replace(data, trace_ref="", contact_ref="")
