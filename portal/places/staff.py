"""Who looks after a facility: its manager invites managers and officers, and closes their way in."""

import time
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts import accounts
from portal.accounts import store as account_store
from portal.accounts.guard import account_of
from portal.accounts.store import Account
from portal.desk import desk_of
from portal.limits import Limits
from portal.places import store
from portal.places.own import MANAGERS, READERS, own_place, place_page
from portal.places.store import Place
from portal.store import Connection, append_audit
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest
from schemas.errors import BadInput, NotFound

INVITATIONS_PER_MINUTE: Final = 20  # of one manager
NAME_MAX: Final = 128

_limits = Limits(INVITATIONS_PER_MINUTE)


@get("/faskes/{facility_id:str}/petugas", guards=[READERS])
async def get_staff(request: WebRequest, facility_id: str) -> Template:
    """Show who looks after the facility."""
    return await _shown(request, await own_place(request, facility_id), 200, {}, {})


@post("/faskes/{facility_id:str}/petugas", status_code=200, guards=[MANAGERS])
async def post_invitation(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Invite somebody."""
    place = await own_place(request, facility_id)
    form = await form_of(request, "email", "name", "role")
    by, url = account_of(request).email, request.app.state.url
    _limits.take(by, time.monotonic())
    try:
        await desk_of(request).read(lambda conn: invite(conn, place, form, by=by, url=url))
    except FormError as error:
        return await _shown(request, place, 422, form, error.errors)
    return Redirect(f"/faskes/{facility_id}/petugas", status_code=303)


@post("/faskes/{facility_id:str}/petugas/{account_id:uuid}/tutup", status_code=200, guards=[MANAGERS])
async def post_closing(request: WebRequest, facility_id: str, account_id: UUID) -> Response[Any] | Template:
    """Close somebody's way in."""
    place = await own_place(request, facility_id)
    me = account_of(request)
    if str(account_id) == me.account_id:
        return await _shown(request, place, 422, {}, {"": "staff.not_oneself"})
    await desk_of(request).read(lambda conn: close(conn, place, str(account_id), me))
    return Redirect(f"/faskes/{facility_id}/petugas", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (get_staff, post_invitation, post_closing)


def invite(conn: Connection, place: Place, form: dict[str, str], *, by: str, url: str) -> None:
    """Give somebody this facility to look after; who has no account gets the link that activates one.

    Raises:
        FormError: a field cannot be, or the address has an account of another kind or one that was closed.
    """
    email = _checked(form)
    is_sent = give(conn, place.facility_id, email=email, name=form["name"], role=form["role"], url=url)
    found = account_store.find_account(conn, email)
    if found is not None and not found[0].is_active and not is_sent:
        accounts.send_link(conn, found[0], "activate", url)
    append_audit(conn, by, "staff invited", place.facility_id, form["role"])


def give(conn: Connection, facility_id: str, *, email: str, name: str, role: str, url: str) -> bool:
    """Give an address a facility to look after; say whether a link that activates its account was sent.

    Raises:
        FormError: the address has an account of another kind or one that was closed.
    """
    found = account_store.find_account(conn, email)
    if found is None:
        accounts.invite(conn, email=email, name=name, role=role, url=url, facilities=[facility_id])
        return True
    account = found[0]
    left = store.closed_and_left(conn, account.account_id)
    if account.role != role or (store.is_closed(conn, account.account_id) and not left):
        raise FormError({"email": "staff.cannot"})
    if left:
        store.reopen_account(conn, account.account_id, " ".join(name.split()))
        accounts.send_link(conn, account, "activate", url)
    account_store.add_facilities(conn, account.account_id, [facility_id])
    return left


def close(conn: Connection, place: Place, account_id: str, by: Account) -> None:
    """Take the facility from an account; one with no other facility is closed.

    Raises:
        NotFound: it does not look after this facility, or the manager who asks does not any more.
    """
    store.lock_members(conn, place.facility_no)  # of two managers who close each other, one stays
    members = {one.account_id: one for one in store.list_members(conn, place.facility_no)}
    member = members.get(account_id)
    if member is None or by.account_id not in members:
        raise NotFound("no such account")
    if not store.remove_member(conn, place.facility_no, account_id):
        account_store.close_account(conn, account_id, datetime.now(UTC))
    append_audit(conn, by.email, "staff closed", place.facility_id, member.role)


def _checked(form: dict[str, str]) -> str:
    errors: dict[str, str] = {}
    email = ""
    try:
        email = accounts.checked_email(form["email"])
    except BadInput:
        errors["email"] = "why.email"
    if not form["name"]:
        errors["name"] = "form.empty"
    elif len(form["name"]) > NAME_MAX:
        errors["name"] = "form.too_long"
    if form["role"] not in accounts.OF_FACILITY:
        errors["role"] = "why.choose"
    if errors:
        raise FormError(errors)
    return email


async def _shown(
    request: WebRequest, place: Place, status: int, form: dict[str, str], errors: dict[str, str]
) -> Template:
    members = await desk_of(request).read(store.list_members, place.facility_no)
    return place_page(request, "staff", place, status=status, members=members, form=form, errors=errors)
