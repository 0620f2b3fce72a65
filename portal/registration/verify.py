"""The ministry's verification desk: the queue, one application with what may be the same, and the decision."""

from typing import Any, Final, cast, get_args

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of, signed_in
from portal.desk import desk_of
from portal.regions import full_name
from portal.registration import desk, store
from portal.registration.duplicates import Alike
from portal.registration.states import Action, State
from portal.registration.store import Application, Step
from portal.store import Connection
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest, page

SHOWN_MAX: Final = 200
JUDGEMENTS: Final = ("approve", "ask_back", "reject")


@get("/kemenkes", guards=[signed_in("ministry")])
async def get_queue(request: WebRequest) -> Template:
    """Show the applications that wait, the longest first; others by their state."""
    asked = request.query_params.get("status", "submitted")
    state = cast("State", asked if asked in get_args(State) else "submitted")
    found, counts = await desk_of(request).read(_queue, state)
    rows = [(one, full_name(one.applied.sub_district)) for one in found]
    return page(request, "registration/queue", rows=rows, state=state, states=get_args(State), counts=counts)


@get("/kemenkes/{reference:str}", guards=[signed_in("ministry")])
async def get_one(request: WebRequest, reference: str) -> Template:
    """Show one application, every step, and what may be the same facility."""
    return await _shown(request, reference, 200, {}, "")


@post("/kemenkes/{reference:str}", status_code=200, guards=[signed_in("ministry")])
async def post_judgement(request: WebRequest, reference: str) -> Response[Any] | Template:
    """Approve, ask back or reject."""
    form = await form_of(request, "action", "words")
    if form["action"] not in JUDGEMENTS:
        return await _shown(request, reference, 422, {"action": "why.choose"}, form["words"])
    by, url = account_of(request).email, request.app.state.url
    action = cast("Action", form["action"])
    try:
        await desk_of(request).read(lambda conn: desk.judge(conn, reference, action, form["words"], by, url))
    except FormError as error:
        return await _shown(request, reference, 422, error.errors, form["words"])
    return Redirect(f"/kemenkes/{reference}", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (get_queue, get_one, post_judgement)


def _queue(conn: Connection, state: State) -> tuple[list[Application], dict[str, int]]:
    return store.list_applications(conn, state, SHOWN_MAX), store.count_applications(conn)


def _whole(conn: Connection, reference: str) -> tuple[Application, list[Step], list[Alike]]:
    application = desk.read(conn, reference)
    return application, store.steps_of(conn, application.application_id), desk.doubles(conn, application)


async def _shown(request: WebRequest, reference: str, status: int, errors: dict[str, str], words: str) -> Template:
    application, steps, doubles = await desk_of(request).read(_whole, reference)
    return page(
        request,
        "registration/one",
        status=status,
        application=application,
        steps=steps,
        doubles=doubles,
        region=full_name(application.applied.sub_district),
        errors=errors,
        form={"words": words},
    )
