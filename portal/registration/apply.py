"""The applicant's pages: apply, see where it stands, answer what the ministry asked, many branches by one file."""

import time
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.response import Redirect, Template

from portal.accounts.guard import look_who
from portal.desk import desk_of
from portal.limits import Limits
from portal.regions import choices_in, full_name, regions_in
from portal.registration import desk, store
from portal.registration.branches import COLUMNS, Row, read_branches
from portal.registration.fields import DAYS, NAMES, check_fields, hours_by_day, opening_hours_of
from portal.registration.store import Application
from portal.store import Connection
from portal.web.forms import address_of, form_of
from portal.web.pages import FormError, WebRequest, page

HOURS: Final = tuple(f"{which}_{day}" for day in DAYS for which in ("from", "to"))
FIELDS: Final = (*(name for name in NAMES if name != "opening_hours"), "province", "district", "always", *HOURS)
APPLICATIONS_PER_MINUTE: Final = 20  # from one address

_limits = Limits(APPLICATIONS_PER_MINUTE)


@get("/daftar", guards=[look_who])
async def get_form(request: WebRequest) -> Template:
    """Show the form of an application."""
    return _form(request, 200, {}, {}, None)


@post("/daftar", status_code=200)
async def post_form(request: WebRequest) -> Response[Any] | Template:
    """Take an application; the form comes back where a field cannot be, or where only the region was chosen."""
    form = await form_of(request, *FIELDS, "choose")
    if form["choose"]:
        return _form(request, 200, form, {}, None)
    _limits.take(address_of(request), time.monotonic())
    try:
        applied = check_fields(form | {"opening_hours": opening_hours_of(form)})
        url = request.app.state.url
        application = await desk_of(request).read(lambda conn: desk.submit(conn, applied, url))
    except FormError as error:
        return _form(request, 422, form, error.errors, None)
    return Redirect(f"/daftar/{application.reference}", status_code=303)


@get("/wilayah")
async def get_regions(request: WebRequest) -> Template:
    """Return the choices one level below a region, for the form to put in."""
    code = request.query_params.get("province") or request.query_params.get("district") or ""
    return page(request, "registration/options", options=[(one.code, one.name) for one in regions_in(code)])


@get("/daftar/banyak", guards=[look_who])
async def get_branches(request: WebRequest) -> Template:
    """Show how many branches are applied for by one file."""
    return page(request, "registration/branches", columns=COLUMNS, rows=None)


@post("/daftar/banyak", status_code=200)
async def post_branches(request: WebRequest) -> Template:
    """Take a file of branches: each good row is an application, each bad one is named, and none stops another."""
    _limits.take(address_of(request), time.monotonic())
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile):
        raise FormError({"file": "form.empty"})
    try:
        rows = read_branches(await sent.read())
    except FormError as error:
        shown = {"columns": COLUMNS, "rows": None, "errors": error.errors, **error.values}
        return page(request, "registration/branches", status=422, **shown)
    taken = [await desk_of(request).read(_take, row) for row in rows]
    applications = [application for _, application in taken if application]
    await desk_of(request).read(desk.tell_of_branches, applications, request.app.state.url)
    return page(request, "registration/branches", columns=COLUMNS, rows=taken)


@get("/daftar/{reference:str}", guards=[look_who])
async def get_application(request: WebRequest, reference: str) -> Template:
    """Show where an application stands, to whoever holds its reference."""
    application, steps = await desk_of(request).read(_with_steps, reference)
    if application.state != "asked_back":
        return _standing(request, application, steps)
    return _form(request, 200, _form_of(application), {}, application, steps)


@post("/daftar/{reference:str}", status_code=200)
async def post_answer(request: WebRequest, reference: str) -> Response[Any] | Template:
    """Take the answer to what the ministry asked."""
    form = await form_of(request, *FIELDS, "choose", "words")
    application, steps = await desk_of(request).read(_with_steps, reference)
    if form["choose"]:
        return _form(request, 200, form, {}, application, steps)
    try:
        applied = check_fields(form | {"opening_hours": opening_hours_of(form)})
        url = request.app.state.url
        await desk_of(request).read(lambda conn: desk.answer(conn, reference, applied, form["words"], url))
    except FormError as error:
        return _form(request, 422, form, error.errors, application, steps)
    return Redirect(f"/daftar/{reference}", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (
    get_form,
    post_form,
    get_regions,
    get_branches,
    post_branches,
    get_application,
    post_answer,
)


def _take(conn: Connection, row: Row) -> tuple[Row, Application | None]:
    """Apply for one branch; return the row and the application, None where it cannot be."""
    if row.applied is None:
        return row, None
    try:
        return row, desk.take(conn, row.applied)
    except FormError as error:
        return row._replace(errors=error.errors), None


def _with_steps(conn: Connection, reference: str) -> tuple[Application, list[store.Step]]:
    application = desk.read(conn, reference)
    return application, store.steps_of(conn, application.application_id)


def _standing(request: WebRequest, application: Application, steps: list[store.Step]) -> Template:
    return page(
        request,
        "registration/standing",
        application=application,
        steps=steps,
        region=full_name(application.applied.sub_district),
    )


def _form(
    request: WebRequest,
    status: int,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    application: Application | None,
    steps: list[store.Step] | None = None,
) -> Template:
    form, choices = choices_in(form)
    return page(
        request,
        "registration/form",
        status=status,
        form=form,
        errors=errors,
        application=application,
        steps=steps or [],
        days=DAYS,
        **choices,
    )


def _form_of(application: Application) -> dict[str, str]:
    applied = application.applied
    return {name: str(getattr(applied, name)) for name in NAMES} | hours_by_day(applied.opening_hours)
