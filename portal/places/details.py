"""A facility's details, kept by its manager: all but kind and time zone, which tracing rests on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of
from portal.desk import desk_of
from portal.places import store
from portal.places.own import MANAGERS, READERS, own_place, place_page
from portal.places.store import Place
from portal.regions import choices_in, full_name
from portal.registration.apply import FIELDS
from portal.registration.fields import DAYS, NAMES, Applied, check_fields, hours_by_day, opening_hours_of
from portal.store import Connection, append_audit
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest
from schemas.errors import Conflict


@get("/faskes/{facility_id:str}/data", guards=[READERS])
async def get_details(request: WebRequest, facility_id: str) -> Template:
    """Show the details; a manager can change them."""
    place = await own_place(request, facility_id)
    return _form(request, place, 200, _form_of(place), {}, is_kept="ok" in request.query_params)


@post("/faskes/{facility_id:str}/data", status_code=200, guards=[MANAGERS])
async def post_details(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Take changed details."""
    place = await own_place(request, facility_id)
    form = await form_of(request, *FIELDS, "choose", "custom_hours")
    if form["choose"]:
        return _form(request, place, 200, form, {})
    by = account_of(request).email
    try:
        given = checked(form, place)
        await desk_of(request).read(keep, place, given, by)
    except FormError as error:
        return _form(request, place, 422, form, error.errors)
    return Redirect(f"/faskes/{facility_id}/data?ok=1", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (get_details, post_details)


def checked(form: Mapping[str, str], place: Place) -> Applied:
    """Return the details that a form gives.

    Raises:
        FormError: every field that cannot be; a region whose clock is another: a time zone never changes.
    """
    hours = opening_hours_of(form) or form.get("custom_hours", "")
    given = check_fields({**form, "kind": place.kind, "opening_hours": hours})
    now = datetime.now(UTC)
    if now.astimezone(ZoneInfo(given.time_zone)).utcoffset() != now.astimezone(place.zone).utcoffset():
        raise FormError({"sub_district": "places.other_clock"})
    return given


def keep(conn: Connection, place: Place, given: Applied, by: str) -> None:
    """Store changed details, and in the audit which fields they were.

    Raises:
        FormError: another facility has this licence.
    """
    before = _form_of(place)
    try:
        store.put_details(conn, place, given)
    except Conflict:
        raise FormError({"licence": "why.known"}) from None
    after = {name: str(getattr(given, name)) for name in NAMES}
    after |= hours_by_day(given.opening_hours)
    changed = sorted(name for name in NAMES if name in after and before.get(name) != after[name])
    append_audit(conn, by, "facility changed", place.facility_id, ", ".join(changed))


def _form_of(place: Place) -> dict[str, str]:
    form = {"name": place.name, "kind": place.kind, "owner": place.owner}
    details = place.details
    if details is None:
        return form | {"district": place.district, "province": place.district[:2]}
    form |= {name: str(getattr(details, name)) for name in details.__struct_fields__}
    hours = hours_by_day(details.opening_hours)
    return form | hours | {"custom_hours": "" if hours else details.opening_hours}


def _form(
    request: WebRequest,
    place: Place,
    status: int,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    is_kept: bool = False,
) -> Template:
    form, choices = choices_in(form)
    return place_page(
        request,
        "details",
        place,
        status=status,
        form=form,
        errors=errors,
        is_kept=is_kept,
        region=full_name(form.get("sub_district") or place.district),
        days=DAYS,
        **choices,
    )
