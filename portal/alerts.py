"""The alerts desk: a health office sees what waits for it, acknowledges it, and decides about candidates.

An office knows its own alerts only: of any other it is told the same as of one that does not exist.
"""

from typing import Final

from litestar import get, post

from portal import store
from portal.bodies import AlertList, JudgementBody, RequestAnswer, read_body
from portal.desk import GateRequest, desk_of
from portal.keys import EVERYWHERE, Principal, allow
from portal.openapi import NEEDS_KEY, refusals, with_body
from portal.store import Connection
from portal.traces import decided
from schemas.errors import NotFound
from schemas.topics import office_of
from tracing.cases.acknowledged import About, Acknowledged, acknowledge, read_about
from tracing.cases.unacknowledged import Waiting, read_waiting

ROLE: Final = "office"
ALERTS_MAX: Final = 500


@get("/v1/alerts", guards=[allow(ROLE)], responses=refusals(), security=NEEDS_KEY)
async def list_alerts(request: GateRequest) -> AlertList:
    """List what nobody has acknowledged yet, the longest waiting 500: one's own, and what has escalated to one."""
    return AlertList(alerts=await desk_of(request).read(_list_audited, request.user))


@post(
    "/v1/alerts/{alert_id:str}/ack", guards=[allow(ROLE)], status_code=200, responses=refusals(404), security=NEEDS_KEY
)
async def post_ack(request: GateRequest, alert_id: str) -> Acknowledged:
    """Acknowledge an alert of one's own office. Again changes nothing: the answer says who did it first, and when."""
    return await desk_of(request).read(acknowledge_audited, request.user, alert_id)


@post(
    "/v1/alerts/{alert_id:str}/decisions",
    guards=[allow(ROLE)],
    status_code=202,
    operation_class=with_body(JudgementBody),
    responses=refusals(404, 413),
    security=NEEDS_KEY,
)
async def post_judgement(request: GateRequest, alert_id: str) -> RequestAnswer:
    """Confirm or drop the candidate whom an alert of one's own office names, or leave it open again."""
    desk, principal = desk_of(request), request.user
    body = read_body(JudgementBody, await request.body())
    about = await desk.read(find_about, principal, alert_id)
    return await decided(desk, principal, about.person, about.case_id, about.contact_ref, body)


def own_office(principal: Principal) -> str:
    """Return the principal's office; of the whole country it is none, and has no alerts of its own."""
    return "" if principal.area == EVERYWHERE else office_of(principal.area)


def _list_audited(conn: Connection, principal: Principal) -> list[Waiting]:
    look_as(conn, principal)
    with conn.cursor() as cur:
        found = read_waiting(cur, own_office(principal), ALERTS_MAX)
    store.append_audit(conn, principal.name, "alerts listed", f"{len(found)} alerts")
    return found


def acknowledge_audited(conn: Connection, principal: Principal, alert_id: str) -> Acknowledged:
    """Acknowledge an alert of the principal's office; what is the first time goes into the audit.

    Raises:
        NotFound: the office has no such alert.
    """
    look_as(conn, principal)
    with conn.cursor() as cur:
        done = acknowledge(cur, _text(alert_id), own_office(principal), principal.name)
        about = read_about(cur, alert_id, own_office(principal)) if done else None
    if done is None:
        raise NotFound("no such alert")
    acknowledged, first = done
    if first:
        store.append_audit(conn, principal.name, "alert acknowledged", about.case_id if about else "a summary")
    return acknowledged


def find_about(conn: Connection, principal: Principal, alert_id: str) -> About:
    """Return what an alert of the principal's office is about.

    Raises:
        NotFound: the office has no such alert about a candidate.
    """
    look_as(conn, principal)
    with conn.cursor() as cur:
        about = read_about(cur, _text(alert_id), own_office(principal))
    if about is None:
        raise NotFound("no such alert")
    return about


def look_as(conn: Connection, principal: Principal) -> None:
    """Look at alerts as the principal's office, or as the ministry, for the rest of the transaction."""
    store.look_as(conn, own_office(principal) or EVERYWHERE)


def _text(alert_id: str) -> str:
    """Return an id that can be asked for: PostgreSQL's text holds no NUL."""
    return "" if "\0" in alert_id else alert_id
