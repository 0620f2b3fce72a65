"""The results desk: a laboratory reports, corrects or withdraws a test result, and sees what became of it."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar import get, post
from litestar.params import Parameter

from portal import store
from portal.bodies import (
    ResultAnswer,
    ResultState,
    TestResultBody,
    check_day_not_ahead,
    check_not_ahead,
    read_body,
)
from portal.desk import GateRequest, desk_of
from portal.identity import normalise
from portal.keys import Principal, allow, covers
from portal.openapi import NEEDS_KEY, refusals, with_body
from portal.registry.taking import REPORTED, put_name
from portal.store import ResultRow
from schemas.errors import NotFound
from schemas.events import TestResult

UUID7: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


@post(
    "/v1/test-results",
    guards=[allow("laboratory", "epidemiologist")],
    status_code=200,
    operation_class=with_body(TestResultBody),
    responses=refusals(413),
    security=NEEDS_KEY,
)
async def post_test_result(request: GateRequest) -> ResultAnswer:
    """Take a test result; the same id again changes nothing."""
    desk, principal, now = desk_of(request), request.user, datetime.now(UTC)
    body = read_body(TestResultBody, await request.body())
    check_not_ahead(body.specimen_at, now, "specimen_at")
    check_not_ahead(body.reported_at, now, "reported_at")
    check_day_not_ahead(body.date_onset, now, "date_onset")
    check_day_not_ahead(body.date_isolation, now, "date_isolation")
    who = body.subject
    (person_id,) = await desk.person_ids([normalise(who.type, who.value, who.district, demo=desk.settings.demo)])
    if body.name:
        await desk.read(put_name, desk.vault, person_id, body.name, principal.name, REPORTED)
    await desk.send([_event(body, person_id, principal, now)])
    desk.waiting.add(body.result_id, principal.name)
    return ResultAnswer(result_id=body.result_id)


@get(
    "/v1/test-results/{result_id:str}",
    guards=[allow("laboratory", "epidemiologist")],
    responses=refusals(404),
    security=NEEDS_KEY,
)
async def get_test_result(request: GateRequest, result_id: Annotated[str, Parameter(pattern=UUID7)]) -> ResultState:
    """Say whether a result has been applied, and to which case; 404 for one this caller did not send or may not see."""
    desk = desk_of(request)
    row = await desk.read(store.find_result, result_id)
    if row is not None and _may_see(row, request.user):
        return ResultState(state="applied", case_id=row.case_id, case_state=row.case_state)
    if row is None and desk.waiting.is_from(result_id, request.user.name):
        return ResultState(state="received")
    raise NotFound("no such result")


def _may_see(row: ResultRow, principal: Principal) -> bool:
    if row.by == principal.name:
        return True
    if principal.role == "laboratory":
        return row.laboratory == principal.facility
    return covers(principal.area, row.area or "")


def _event(body: TestResultBody, person_id: str, principal: Principal, now: datetime) -> TestResult:
    return TestResult(
        result_id=body.result_id,
        lab_ref=body.lab_ref,
        person_id=person_id,
        test=body.test,
        result=body.result,
        status=body.status,
        supersedes=body.supersedes,
        specimen_at=body.specimen_at,
        reported_at=body.reported_at,
        date_onset=body.date_onset,
        date_isolation=body.date_isolation,
        laboratory=principal.facility,
        area=principal.area,
        by=principal.name,
        received_at=now,
    )
