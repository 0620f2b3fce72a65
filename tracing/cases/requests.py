"""What a request does to a person's cases, or why it does nothing. Pure; nobody approves what he asked for."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from tracing.cases.episodes import near
from tracing.cases.facts import Case, Facts, Request

DONE: Final = "done"
UNKNOWN_CASE: Final = "unknown case"
NOT_PENDING: Final = "the case is not pending"
SELF_APPROVAL: Final = "who asked cannot approve"
NO_DAY: Final = "neither onset nor specimen"


def judge(facts: Facts, request: Request, episode_days: int, new_case_id: Callable[[], str]) -> tuple[Request, Facts]:
    """Return the request with its case and outcome, and the facts with it: its case is new, approved or refused.

    Asking for what is there already is done too: it may bring a day that was not known. Asking again for what was
    refused makes it wait for a second person again.
    """
    if request.action == "request":
        judged, case = _asked(facts, request, episode_days, new_case_id)
    else:
        judged, case = _answered(facts, request)
    cases = facts.cases
    if case is not None:
        cases = (*(one for one in cases if one.case_id != case.case_id), case)
    return judged, replace(facts, requests=(*facts.requests, judged), cases=cases)


def _asked(
    facts: Facts, request: Request, episode_days: int, new_case_id: Callable[[], str]
) -> tuple[Request, Case | None]:
    if request.case_id:
        case = next((one for one in facts.cases if one.case_id == request.case_id), None)
        if case is None:
            return replace(request, outcome=UNKNOWN_CASE), None
    else:
        day = request.date_specimen or request.date_onset
        case = near(facts.cases, day, episode_days)
        if case is None and day is None:
            return replace(request, outcome=NO_DAY), None
    if case is None:
        case = _new_case(new_case_id(), request)
    elif case.state == "refused":
        case = replace(
            case,
            state="pending",
            classification="suspek",
            requested_by=request.by,
            requested_role=request.role,
            reason=request.reason,
            closed_at=None,
        )
    return replace(request, outcome=DONE, case_id=case.case_id), case


def _answered(facts: Facts, request: Request) -> tuple[Request, Case | None]:
    case = next((one for one in facts.cases if one.case_id == request.case_id), None)
    if case is None:
        return replace(request, outcome=UNKNOWN_CASE), None
    if case.state != "pending":
        return replace(request, outcome=NOT_PENDING), None
    if case.requested_by == request.by:
        return replace(request, outcome=SELF_APPROVAL), None
    if request.action == "refuse":
        return replace(request, outcome=DONE), replace(case, state="refused", closed_at=request.at)
    approved = replace(case, approved_by=request.by, approved_reason=request.reason)
    return replace(request, outcome=DONE), approved


def _new_case(case_id: str, request: Request) -> Case:
    return Case(
        case_id=case_id,
        state="pending",
        classification="suspek",
        area=request.area,
        requested_by=request.by,
        requested_role=request.role,
        reason=request.reason,
        date_onset=request.date_onset,
        date_specimen=request.date_specimen,
        date_isolation=request.date_isolation,
        opened_at=request.at,
    )
