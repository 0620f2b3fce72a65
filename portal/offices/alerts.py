"""An office's first page: its alerts by case, what it has to acknowledge, and whom it follows up and decides about.

Bands only: who a candidate is, and who the case, no page here knows. The ministry sees what provinces leave waiting.
"""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import principal_of
from portal.alerts import ALERTS_MAX, acknowledge_audited, find_about, look_as, own_office
from portal.bodies import JudgementBody
from portal.desk import desk_of
from portal.keys import Principal
from portal.nik import holds_nik
from portal.offices import store
from portal.offices.cases import DECISIONS, Group, decided, followed, grouped, per_case
from portal.offices.own import OFFICES, OVERSEERS, office_page
from portal.offices.reasons import reason_in
from portal.offices.store import Held
from portal.store import Connection, append_audit
from portal.traces import decided as send_decision
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest, language_of
from portal.web.sheets import note_sheet, sheet_answer, sheet_of
from schemas.errors import NotFound
from tracing.cases.unacknowledged import Waiting, read_waiting

HELD_MAX: Final = 5_000
CASES_MAX: Final = 50  # on a page
REASON_MAX: Final = 128
DECISION_FIELDS: Final = ("decision", "reason", "identity_checked")
COLUMNS: Final = (
    *("case", "contact_ref", "action", "made_at", "acknowledged_at", "facility_id", "facility_name", "date"),
    *("minutes_band", "probability_band", "degree", "rank", "rule", "due_by", "already_case", "decision", "reason"),
)


class Board(NamedTuple):
    """What an office's first page shows."""

    groups: list[Group]
    below: list[Waiting]  # what offices below have left waiting for too long


@get("/dinas", guards=[OVERSEERS])
async def get_alerts(request: WebRequest) -> Template:
    """Show the alerts, those that wait for an acknowledgement first."""
    board = await desk_of(request).read(_board, principal_of(request))
    show_all = request.query_params.get("tampil") == "semua"
    shown = [one for one in board.groups if show_all or one.waiting]
    return office_page(
        request,
        "alerts",
        groups=shown[:CASES_MAX],
        left_out=max(len(shown) - CASES_MAX, 0),
        below=board.below,
        show_all=show_all,
        waiting=sum(one.waiting for one in board.groups),
        escalated=sum(one.escalated for one in board.groups),
        cases=len(board.groups),
        because=lambda text: reason_in(language_of(request), text),
        sent="ok" in request.query_params,
    )


@post("/dinas/notifikasi/{alert_id:str}", status_code=200, guards=[OFFICES])
async def post_ack(request: WebRequest, alert_id: str) -> Redirect:
    """Acknowledge one alert; again changes nothing."""
    await desk_of(request).read(acknowledge_audited, principal_of(request), alert_id)
    return Redirect("/dinas?ok=1", status_code=303)


@post("/dinas/kasus/{trace_ref:str}", status_code=200, guards=[OFFICES])
async def post_ack_all(request: WebRequest, trace_ref: str) -> Redirect:
    """Acknowledge all that waits of one case."""
    await desk_of(request).read(_acknowledge_case, principal_of(request), trace_ref)
    return Redirect("/dinas?ok=1", status_code=303)


@get("/dinas/kontak", guards=[OFFICES])
async def get_contacts(request: WebRequest) -> Template:
    """Show whom the office follows up: candidates, and what was decided about each."""
    rows = followed(await desk_of(request).read(_held, principal_of(request), "candidates listed"))
    wanted = request.query_params.get("keputusan", "semua")
    shown = [one for one in rows if wanted in {"semua", one.decision or "belum"}]
    mean, band = per_case(rows)
    return office_page(
        request,
        "contacts",
        rows=shown,
        counts=decided(rows),
        wanted=wanted,
        overdue=sum(_is_overdue(one) for one in rows),
        is_overdue=_is_overdue,
        mean=mean,
        band=band,
        because=lambda text: reason_in(language_of(request), text),
        sent="ok" in request.query_params,
    )


@get("/dinas/kontak/{alert_id:str}", guards=[OFFICES])
async def get_contact(request: WebRequest, alert_id: str) -> Template:
    """Show one candidate, to decide about."""
    return await _shown(request, alert_id, 200, {}, {})


@post("/dinas/kontak/{alert_id:str}", status_code=200, guards=[OFFICES])
async def post_decision(request: WebRequest, alert_id: str) -> Response[Any] | Template:
    """Confirm or drop a candidate, or leave it open again."""
    form, desk, principal = await form_of(request, *DECISION_FIELDS), desk_of(request), principal_of(request)
    try:
        body = judgement_of(form)
    except FormError as error:
        return await _shown(request, alert_id, 422, form, error.errors)
    about = await desk.read(find_about, principal, alert_id)
    await send_decision(desk, principal, about.person, about.case_id, about.contact_ref, body)
    return Redirect("/dinas/kontak?ok=1", status_code=303)


@get("/dinas/notifikasi.csv", guards=[OFFICES])
async def get_alerts_sheet(request: WebRequest) -> Response[bytes]:
    """Return the alerts as a file."""
    return await _sheet(request, "notifikasi", lambda held: held)


@get("/dinas/kontak.csv", guards=[OFFICES])
async def get_contacts_sheet(request: WebRequest) -> Response[bytes]:
    """Return the candidates to follow up as a file."""
    return await _sheet(request, "kontak", followed)


ROUTES: Final[tuple[Any, ...]] = (
    get_alerts,
    post_ack,
    post_ack_all,
    get_contacts,
    get_contact,
    post_decision,
    get_alerts_sheet,
    get_contacts_sheet,
)


def judgement_of(form: dict[str, str]) -> JudgementBody:
    """Return a decision that a form gives.

    Raises:
        FormError: every field that cannot be.
    """
    errors = {}
    if form["decision"] not in DECISIONS:
        errors["decision"] = "why.choose"
    if not form["reason"]:
        errors["reason"] = "form.empty"
    elif len(form["reason"]) > REASON_MAX:
        errors["reason"] = "form.too_long"
    elif holds_nik(form["reason"]):
        errors["reason"] = "why.nik"
    if errors:
        raise FormError(errors)
    return JudgementBody(
        decision=cast("Any", form["decision"]),
        reason=form["reason"],
        identity_checked=bool(form["identity_checked"]),
    )


def _board(conn: Connection, principal: Principal) -> Board:
    look_as(conn, principal)
    office = own_office(principal)
    held = store.held_by(conn, office, HELD_MAX) if office else []
    with conn.cursor() as cursor:
        below = [one for one in read_waiting(cursor, office, ALERTS_MAX) if one.office != office]
    append_audit(conn, principal.name, "alerts listed", f"{len(held) + len(below)} alerts")
    return Board(grouped(held), below)


def _held(conn: Connection, principal: Principal, what: str) -> list[Held]:
    look_as(conn, principal)
    held = store.held_by(conn, own_office(principal), HELD_MAX)
    append_audit(conn, principal.name, what, f"{len(held)} alerts")
    return held


def _acknowledge_case(conn: Connection, principal: Principal, trace_ref: str) -> None:
    """Acknowledge what waits of a case, in the order of ids: so two people who do it at once never dead-lock.

    Raises:
        NotFound: the office knows no such case.
    """
    look_as(conn, principal)
    held = store.held_by(conn, own_office(principal), HELD_MAX, "" if "\0" in trace_ref else trace_ref)
    if not held or not trace_ref:
        raise NotFound("no such case")
    for alert_id in sorted(one.alert_id for one in held if one.waits):
        acknowledge_audited(conn, principal, alert_id)


def _one(conn: Connection, principal: Principal, alert_id: str) -> Held:
    find_about(conn, principal, alert_id)
    office = own_office(principal)
    held = store.held_by(conn, office, HELD_MAX, store.case_of_alert(conn, alert_id, office))
    found = next((one for one in held if one.alert_id == alert_id and one.data.contact_ref), None)
    if found is None:
        raise NotFound("there is a later alert of this candidate")
    append_audit(conn, principal.name, "candidate shown", found.data.contact_ref)
    return found


async def _shown(
    request: WebRequest, alert_id: str, status: int, form: dict[str, str], errors: dict[str, str]
) -> Template:
    one = await desk_of(request).read(_one, principal_of(request), alert_id)
    return office_page(
        request,
        "contact",
        status=status,
        one=one,
        form=form,
        errors=errors,
        decisions=DECISIONS,
        is_overdue=_is_overdue,
        because=lambda text: reason_in(language_of(request), text),
    )


async def _sheet(request: WebRequest, name: str, chosen: Any) -> Response[bytes]:  # noqa: ANN401 — which of the alerts
    desk, principal, now = desk_of(request), principal_of(request), datetime.now(UTC)

    def work(conn: Connection) -> Response[bytes]:
        look_as(conn, principal)
        held = store.held_by(conn, own_office(principal), HELD_MAX)
        sheet = sheet_of(f"{name}-{principal.area}", COLUMNS, map(_row, chosen(held)))
        note_sheet(conn, principal, sheet)
        return sheet_answer(sheet, now)

    return await desk.read(work)


def _row(one: Held) -> tuple[object, ...]:
    data = one.data
    return (
        data.trace_ref,
        data.contact_ref,
        one.action,
        one.made_at.isoformat(timespec="seconds"),
        one.acknowledged_at.isoformat(timespec="seconds") if one.acknowledged_at else "",
        data.facility_id,
        data.facility_name,
        data.date,
        data.minutes_band,
        data.probability_band,
        data.degree,
        data.rank,
        data.rule,
        data.due_by.isoformat(timespec="seconds") if data.due_by else "",
        str(data.already_case).lower(),
        one.decision,
        data.reason,
    )


def _is_overdue(one: Held) -> bool:
    """Say whether quarantine was due and nobody has decided yet."""
    return one.decision in {"", "undecided"} and one.data.due_by is not None and one.data.due_by < datetime.now(UTC)
