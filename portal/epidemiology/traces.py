"""An epidemiologist's desk: find a case by its number, see whom it met, why, and decide; ask for traces and approve.

Outside his area a caller learns nothing, as over HTTP; every reading goes to the audit. Persons have random names; who
somebody is, no page says.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, cast

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal import store, traces
from portal.accounts.guard import account_of, principal_of, signed_in
from portal.bodies import ApprovalBody, DecisionBody, SubjectBody, TraceBody
from portal.desk import desk_of
from portal.epidemiology.shown import Shown, read_shown
from portal.identifiers import new_uuid7
from portal.nik import holds_nik
from portal.offices.alerts import DECISION_FIELDS, judgement_of
from portal.offices.cases import DECISIONS
from portal.regions import name_of
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest, language_of, page
from schemas.errors import BadInput, Conflict, NotFound

EPIDEMIOLOGISTS: Final = signed_in("epidemiologist")
REASON_MAX: Final = 128
PER_PAGE: Final = 100
STATES: Final = ("", "pending", "open", "closed", "refused", "stale")
KINDS: Final = ("nik", "passport", "kitas")
DAYS: Final = ("date_onset", "date_specimen", "date_isolation")


@get("/pelacakan", guards=[EPIDEMIOLOGISTS])
async def get_cases(request: WebRequest) -> Template | Redirect:
    """Show the cases of the area, those that wait for an approval first; a case number leads to its case."""
    number = request.query_params.get("kasus", "").strip()
    state = request.query_params.get("status", "")
    state = state if state in STATES else ""
    principal, desk, missing = principal_of(request), desk_of(request), False
    if number:
        try:
            found = await desk.read(traces.visible_case, principal, number)
        except NotFound:
            missing = True
        else:
            return Redirect(f"/pelacakan/{found.case_id}", status_code=303)
    rows = await desk.read(traces.list_cases_audited, principal, state)
    return epidemiologist_page(
        request, "cases", status=404 if missing else 200, rows=rows, state=state, states=STATES, missing=missing
    )


@get("/pelacakan/minta", guards=[EPIDEMIOLOGISTS])
async def get_request(request: WebRequest) -> Template:
    """Show the form that asks for a trace, of a person or of a case again."""
    return _asking(request, 200, {"case_id": request.query_params.get("kasus", "")}, {})


@post("/pelacakan/minta", status_code=200, guards=[EPIDEMIOLOGISTS])
async def post_request(request: WebRequest) -> Response[Any] | Template:
    """Ask for a trace; a second, different person has to approve."""
    form = await form_of(request, "case_id", "kind", "number", "district", "reason", *DAYS)
    try:
        body = asked_for(form, datetime.now(UTC))
        await traces.ask_for(desk_of(request), principal_of(request), body)
    except FormError as error:
        return _asking(request, 422, form, error.errors)
    except NotFound:
        return _asking(request, 404, form, {"case_id": "epi.no_case"})
    except BadInput as error:
        return _asking(request, 422, form, {_FIELDS.get(error.field or "", error.field or ""): "form.wrong"})
    return Redirect("/pelacakan?status=pending", status_code=303)


@get("/pelacakan/{case_id:str}", guards=[EPIDEMIOLOGISTS])
async def get_trace(request: WebRequest, case_id: str) -> Template:
    """Show a case: what is known of it, whom it met by rank, and where it may come from."""
    return await _trace(request, case_id, 200, {}, {})


@post("/pelacakan/{case_id:str}/persetujuan", status_code=200, guards=[EPIDEMIOLOGISTS])
async def post_answer(request: WebRequest, case_id: str) -> Response[Any] | Template:
    """Approve or refuse what somebody else asked for."""
    form = await form_of(request, "action", "reason")
    try:
        body = answer_of(form)
        await traces.answer(desk_of(request), principal_of(request), case_id, body)
    except FormError as error:
        return await _trace(request, case_id, 422, form, error.errors)
    except Conflict:
        return await _trace(request, case_id, 409, form, {"": "epi.cannot_answer"})
    return Redirect(f"/pelacakan/{case_id}?ok=1", status_code=303)


@get("/pelacakan/{case_id:str}/kontak/{contact_ref:str}", guards=[EPIDEMIOLOGISTS])
async def get_contact(request: WebRequest, case_id: str, contact_ref: str) -> Template:
    """Show one candidate with every meeting, to decide about."""
    return await _contact(request, case_id, contact_ref, 200, {}, {})


@post("/pelacakan/{case_id:str}/kontak/{contact_ref:str}", status_code=200, guards=[EPIDEMIOLOGISTS])
async def post_decision(request: WebRequest, case_id: str, contact_ref: str) -> Response[Any] | Template:
    """Confirm or drop a candidate, or leave it open again."""
    form = await form_of(request, *DECISION_FIELDS)
    try:
        said = judgement_of(form)
    except FormError as error:
        return await _contact(request, case_id, contact_ref, 422, form, error.errors)
    body = DecisionBody(contact_ref=contact_ref, **msgspec.structs.asdict(said))
    await traces.judge(desk_of(request), principal_of(request), case_id, body)
    return Redirect(f"/pelacakan/{case_id}?ok=1", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (
    get_cases,
    get_request,
    post_request,
    get_trace,
    post_answer,
    get_contact,
    post_decision,
)
_FIELDS: Final = {"subject.value": "number", "subject.district": "district", "subject.type": "kind"}


def asked_for(form: Mapping[str, str], now: datetime) -> TraceBody:
    """Return the request that a form makes: of a case, or of a person whom a document names.

    Raises:
        FormError: every field that cannot be; never with its value.
    """
    errors: dict[str, str] = {}
    days = {name: _day(form[name], name, errors) for name in DAYS}
    _check_reason(form["reason"], errors)
    subject = None
    if form["case_id"] and form["number"]:
        errors["number"] = "epi.one_of_both"
    elif form["number"]:
        if form["kind"] not in (*KINDS, "test"):
            errors["kind"] = "why.choose"
        else:
            kind = cast("Any", form["kind"])
            subject = SubjectBody(type=kind, value=form["number"], district=form["district"])
    elif not form["case_id"]:
        errors["number"] = "epi.one_of_both"
    if len(form["case_id"]) > REASON_MAX:
        errors["case_id"] = "form.too_long"
    if errors:
        raise FormError(errors)
    return TraceBody(request_id=new_uuid7(now), subject=subject, case_id=form["case_id"], reason=form["reason"], **days)


def answer_of(form: Mapping[str, str]) -> ApprovalBody:
    """Return the answer that a form gives.

    Raises:
        FormError: every field that cannot be.
    """
    errors: dict[str, str] = {}
    if form["action"] not in {"approve", "refuse"}:
        errors["action"] = "why.choose"
    _check_reason(form["reason"], errors)
    if errors:
        raise FormError(errors)
    return ApprovalBody(action=cast("Any", form["action"]), reason=form["reason"])


def epidemiologist_page(request: WebRequest, name: str, *, status: int = 200, **context: Any) -> Template:  # noqa: ANN401 — what a template is given
    """Return a page of the desk; its template may ask `named(area)`, `signed(days)` and `instant(text)`."""
    return page(
        request,
        f"epidemiology/{name}",
        status=status,
        named=lambda code: name_of(code) or code,
        instant=datetime.fromisoformat,
        signed=lambda days: f"{days:+d}".replace("-", "\N{MINUS SIGN}") if days else "0",
        **context,
    )


async def _trace(
    request: WebRequest, case_id: str, status: int, form: Mapping[str, str], errors: Mapping[str, str]
) -> Template:
    shown: Shown = await desk_of(request).read(read_shown, principal_of(request), case_id, language_of(request))
    first = max(int(request.query_params.get("dari", "0")), 0) if request.query_params.get("dari", "0").isdigit() else 0
    return epidemiologist_page(
        request,
        "trace",
        status=status,
        view=shown.view,
        rows=shown.rows[first : first + PER_PAGE],
        found=len(shown.rows),
        first=first,
        per_page=PER_PAGE,
        sources=shown.sources,
        form=form,
        errors=errors,
        may_answer=shown.view.state == "pending" and shown.view.requested_by != principal_of(request).name,
        sent="ok" in request.query_params,
    )


async def _contact(
    request: WebRequest,
    case_id: str,
    contact_ref: str,
    status: int,
    form: Mapping[str, str],
    errors: Mapping[str, str],
) -> Template:
    desk, principal = desk_of(request), principal_of(request)
    shown: Shown = await desk.read(read_shown, principal, case_id, language_of(request))
    rows = [one for one in shown.rows if one.view.contact_ref == contact_ref]
    if not rows:
        raise NotFound("the case has no such contact")
    return epidemiologist_page(
        request,
        "contact",
        status=status,
        view=shown.view,
        rows=rows,
        form=form,
        errors=errors,
        decisions=DECISIONS,
        contact_ref=contact_ref,
        history=await desk.read(store.decisions_about, case_id, contact_ref),
    )


def _asking(request: WebRequest, status: int, form: Mapping[str, str], errors: Mapping[str, str]) -> Template:
    """Show the form again; the number of a document is not shown again."""
    kinds = (*KINDS, "test") if desk_of(request).settings.demo else KINDS
    kept = {name: value for name, value in form.items() if name != "number"}
    return epidemiologist_page(
        request, "request", status=status, form=kept, errors=errors, kinds=kinds, area=account_of(request).area
    )


def _check_reason(reason: str, errors: dict[str, str]) -> None:
    if not reason:
        errors["reason"] = "form.empty"
    elif len(reason) > REASON_MAX:
        errors["reason"] = "form.too_long"
    elif holds_nik(reason):
        errors["reason"] = "why.nik"


def _day(text: str, name: str, errors: dict[str, str]) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        errors[name] = "form.wrong"
        return None
