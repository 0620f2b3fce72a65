"""An officer who sees the document in a visitor's hand binds the visitor's phone, by the code that the phone shows."""

from typing import Any, Final

from litestar import get, post
from litestar.response import Template

from portal.accounts.guard import account_of
from portal.desk import desk_of
from portal.identity import normalise
from portal.officer.desk import KINDS
from portal.places.own import READERS, own_place, place_page
from portal.places.store import Place
from portal.visitor.binding import bind_by_officer
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest
from schemas.errors import BadInput


@get("/faskes/{facility_id:str}/meja/ponsel", guards=[READERS])
async def get_phone(request: WebRequest, facility_id: str) -> Template:
    """Ask for the code and the document."""
    return _shown(request, await own_place(request, facility_id))


@post("/faskes/{facility_id:str}/meja/ponsel", status_code=200, guards=[READERS])
async def post_phone(request: WebRequest, facility_id: str) -> Template:
    """Bind the phone; why it was not is not said.

    Raises:
        TooMany: the officer tries too often.
        Unavailable: the database does not answer.
    """
    place = await own_place(request, facility_id)
    form = await form_of(request, "type", "number", "code", "saw_id")
    desk = desk_of(request)
    try:
        _check(form)
        seen = normalise(form["type"], form["number"], "", demo=desk.settings.demo)
    except BadInput:
        return _shown(request, place, 422, form, {"number": "officer.number_wrong"})
    except FormError as error:
        return _shown(request, place, 422, form, error.errors)
    if not await bind_by_officer(desk, form["code"], account_of(request), seen):
        return _shown(request, place, 422, form, {"code": "officer.phone_not_bound"})
    return _shown(request, place, is_bound=True)


ROUTES: Final[tuple[Any, ...]] = (get_phone, post_phone)


def _check(form: dict[str, str]) -> None:
    errors = {}
    if form["type"] not in KINDS:
        errors["type"] = "why.choose"
    if not form["code"]:
        errors["code"] = "form.empty"
    if form["saw_id"] != "1":
        errors["saw_id"] = "officer.phone_saw_first"
    if errors:
        raise FormError(errors)


def _shown(  # the number is not shown again: nobody needs to see it who did not type it
    request: WebRequest,
    place: Place,
    status: int = 200,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    *,
    is_bound: bool = False,
) -> Template:
    kept = {name: text for name, text in (form or {}).items() if name in {"type", "code"}}
    return place_page(
        request,
        "officer/phone",
        place,
        status=status,
        kinds=KINDS,
        form=kept or {"type": "nik"},
        errors=errors or {},
        is_bound=is_bound,
    )
