"""The traces desk: an epidemiologist asks for a trace, a second one approves, both read it and judge candidates.

Outside his area a caller learns nothing: 404, as for a case that is not there. Every reading goes to the audit.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from litestar import get, post
from litestar.params import QueryParameter

from portal import store
from portal.bodies import (
    ApprovalBody,
    CaseLine,
    CaseList,
    DecisionBody,
    JudgementBody,
    RequestAnswer,
    TraceBody,
    check_day_not_ahead,
    read_body,
)
from portal.desk import Desk, GateRequest, desk_of
from portal.identifiers import new_uuid7
from portal.identity import normalise
from portal.keys import Principal, allow, covers
from portal.openapi import NEEDS_KEY, refusals, with_body
from portal.store import CaseRow, Connection
from schemas.errors import BadInput, Conflict, NotFound
from schemas.events import ContactDecision, TraceRequest
from tracing.cases.store import TraceView, read_trace

CASES_MAX: Final = 500
ROLE: Final = "epidemiologist"


@post(
    "/v1/traces",
    guards=[allow(ROLE)],
    status_code=202,
    operation_class=with_body(TraceBody),
    responses=refusals(404, 413),
    security=NEEDS_KEY,
)
async def post_trace(request: GateRequest) -> RequestAnswer:
    """Ask for a trace of a person (opens a case) or of a case; it waits for a second person's approval."""
    return await ask_for(desk_of(request), request.user, read_body(TraceBody, await request.body()))


@get("/v1/traces", guards=[allow(ROLE)], responses=refusals(), security=NEEDS_KEY)
async def list_traces(
    request: GateRequest,
    wanted: Annotated[
        Literal["", "pending", "open", "closed", "refused", "stale"],
        QueryParameter(name="state", description="only those whose case or trace is in this state"),
    ] = "",
) -> CaseList:
    """List the cases of the caller's area and those he asked for, the newest 500, pending ones first.

    A stale trace is one whose data changed after it had closed: ask for it again.
    """
    rows = await desk_of(request).read(list_cases_audited, request.user, wanted)
    return CaseList(
        cases=[
            CaseLine(
                case_id=row.case_id,
                state=row.state,
                classification=row.classification,
                area=row.area,
                requested_by=row.requested_by,
                reason=row.reason,
                opened_at=row.opened_at,
                trace_state=row.trace_state,
            )
            for row in rows
        ]
    )


@get("/v1/traces/{case_id:str}", guards=[allow(ROLE)], responses=refusals(404), security=NEEDS_KEY)
async def get_trace(request: GateRequest, case_id: str) -> TraceView:
    """Read a trace: candidates ranked, with reasons; no person ids."""
    return await desk_of(request).read(read_trace_audited, request.user, case_id)


@post(
    "/v1/traces/{case_id:str}/approval",
    guards=[allow(ROLE)],
    status_code=202,
    operation_class=with_body(ApprovalBody),
    responses=refusals(404, 409, 413),
    security=NEEDS_KEY,
)
async def post_approval(request: GateRequest, case_id: str) -> RequestAnswer:
    """Approve or refuse what somebody else asked for: 409 for one's own request, or when nothing waits."""
    return await answer(desk_of(request), request.user, case_id, read_body(ApprovalBody, await request.body()))


@post(
    "/v1/traces/{case_id:str}/decisions",
    guards=[allow(ROLE)],
    status_code=202,
    operation_class=with_body(DecisionBody),
    responses=refusals(404, 413),
    security=NEEDS_KEY,
)
async def post_decision(request: GateRequest, case_id: str) -> RequestAnswer:
    """Confirm or drop a candidate, or leave it open again."""
    return await judge(desk_of(request), request.user, case_id, read_body(DecisionBody, await request.body()))


async def ask_for(desk: Desk, principal: Principal, body: TraceBody) -> RequestAnswer:
    """Send a request for a trace; return when Kafka has it.

    Raises:
        BadInput: names the field.
        NotFound: the principal may not see the case, or there is none.
    """
    now = datetime.now(UTC)
    for field in ("date_onset", "date_specimen", "date_isolation"):
        check_day_not_ahead(getattr(body, field), now, field)
    event = TraceRequest(
        request_id=body.request_id,
        person_id=await _person_of(desk, principal, body),
        case_id=body.case_id,
        action="request",
        by=principal.name,
        role=principal.role,
        area=principal.area,
        reason=body.reason,
        date_onset=body.date_onset,
        date_specimen=body.date_specimen,
        date_isolation=body.date_isolation,
        at=now,
    )
    await desk.send([event])
    return RequestAnswer(request_id=body.request_id)


async def answer(desk: Desk, principal: Principal, case_id: str, body: ApprovalBody) -> RequestAnswer:
    """Send a second person's answer to a request; return when Kafka has it.

    Raises:
        Conflict: it is the principal's own request, or nothing waits.
        NotFound: the principal may not see the case, or there is none.
    """
    case = await desk.read(visible_case, principal, case_id)
    if case.requested_by == principal.name:
        raise Conflict("a second, different person must approve")
    if case.state != "pending":
        raise Conflict("the case does not wait for an approval")
    event = _answer_to(case, body.action, body.reason, principal)
    await desk.send([event])
    return RequestAnswer(request_id=event.request_id)


async def judge(desk: Desk, principal: Principal, case_id: str, body: DecisionBody) -> RequestAnswer:
    """Send what an epidemiologist decided about a candidate; return when Kafka has it.

    Raises:
        NotFound: the principal may not see the case, it has no such contact, or there is none.
    """
    case = await desk.read(visible_case, principal, case_id)
    if not await desk.read(store.has_contact, case_id, body.contact_ref):
        raise NotFound("the case has no such contact")
    return await decided(desk, principal, case.person, case.case_id, body.contact_ref, body)


async def decided(
    desk: Desk, principal: Principal, person: str, case_id: str, contact_ref: str, body: DecisionBody | JudgementBody
) -> RequestAnswer:
    """Send what somebody decided about a candidate of a person's case; return when Kafka has it."""
    now = datetime.now(UTC)
    event = ContactDecision(
        decision_id=new_uuid7(now),
        person_id=person,
        case_id=case_id,
        contact_ref=contact_ref,
        decision=body.decision,
        by=principal.name,
        role=principal.role,
        reason=body.reason,
        identity_checked=body.identity_checked,
        at=now,
    )
    await desk.send([event])
    return RequestAnswer(request_id=event.decision_id)


async def _person_of(desk: Desk, principal: Principal, body: TraceBody) -> str:
    if (body.subject is None) == (not body.case_id):
        raise BadInput("either a subject or a case_id is needed", field="subject")
    if body.subject is None:
        case: CaseRow = await desk.read(visible_case, principal, body.case_id)
        return case.person
    who = body.subject
    (person_id,) = await desk.person_ids([normalise(who.type, who.value, who.district, demo=desk.settings.demo)])
    return person_id


def _answer_to(case: CaseRow, action: Literal["approve", "refuse"], reason: str, principal: Principal) -> TraceRequest:
    now = datetime.now(UTC)
    return TraceRequest(
        request_id=new_uuid7(now),
        person_id=case.person,
        case_id=case.case_id,
        action=action,
        by=principal.name,
        role=principal.role,
        area=principal.area,
        reason=reason,
        at=now,
    )


def visible_case(conn: Connection, principal: Principal, case_id: str) -> CaseRow:
    """Return a case of the principal's area, or one he asked for.

    Raises:
        NotFound: it is another's, or there is none: which of them is not said.
    """
    case = None if "\0" in case_id else store.find_case(conn, case_id)  # PostgreSQL's text holds no NUL
    if case is None or not (covers(principal.area, case.area) or case.requested_by == principal.name):
        raise NotFound("no such case")
    return case


def list_cases_audited(conn: Connection, principal: Principal, state: str) -> list[CaseRow]:
    """Return the newest cases that the principal may see; the reading is in the audit."""
    rows = store.list_cases(conn, principal.area, principal.name, state, CASES_MAX)
    store.append_audit(conn, principal.name, "traces listed", f"{len(rows)} cases")
    return rows


def read_trace_audited(conn: Connection, principal: Principal, case_id: str) -> TraceView:
    """One transaction: what cannot be written to the audit is not read."""
    case = visible_case(conn, principal, case_id)
    view = read_trace(conn, case.case_id)
    store.append_audit(conn, principal.name, "trace shown", case.case_id)
    return view
