"""A facility's page about its gate: what it does with yellow, and which of its staff the gate left to the PPI team."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of
from portal.desk import desk_of
from portal.places.own import MANAGERS, own_place, place_page
from portal.places.store import Place
from portal.registry import store
from portal.registry.colours import Action
from portal.registry.registry import registry_of
from portal.store import Connection, append_audit
from portal.web.forms import form_of
from portal.web.pages import WebRequest

ADVICE_DAYS: Final = 14


@get("/faskes/{facility_id:str}/aturan", guards=[MANAGERS])
async def get_rule(request: WebRequest, facility_id: str) -> Template:
    """Show the rule, and the staff of the last two weeks; that they were shown is in the audit, for each of them."""
    place = await own_place(request, facility_id)
    return await _shown(request, place, 200, {}, is_kept="ok" in request.query_params)


@post("/faskes/{facility_id:str}/aturan", status_code=200, guards=[MANAGERS])
async def post_rule(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Take a changed rule."""
    place = await own_place(request, facility_id)
    form = await form_of(request, "yellow")
    if form["yellow"] not in set(Action):
        return await _shown(request, place, 422, {"yellow": "why.choose"})
    await desk_of(request).read(_keep, place, Action(form["yellow"]), account_of(request).email)
    return Redirect(f"/faskes/{facility_id}/aturan?ok=1", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (get_rule, post_rule)


async def _shown(
    request: WebRequest, place: Place, status: int, errors: dict[str, str], *, is_kept: bool = False
) -> Template:
    desk = desk_of(request)
    since = (datetime.now(UTC).astimezone(place.zone) - timedelta(days=ADVICE_DAYS)).date()
    yellow = await desk.read(store.yellow_rule, place.facility_id)
    advice = await desk.read(store.list_advice, place.facility_no, since)
    names = await registry_of(request).names_of([one.person for one in advice], account_of(request).email)
    return place_page(
        request,
        "rule",
        place,
        status=status,
        errors=errors,
        form={"yellow": yellow.value},
        is_kept=is_kept,
        advice=list(zip(advice, names, strict=True)),
    )


def _keep(conn: Connection, place: Place, yellow: Action, by: str) -> None:
    store.set_yellow_rule(conn, place.facility_no, yellow, by)
    append_audit(conn, by, "gate rule changed", place.facility_id, f"yellow: {yellow}")
