"""The first page, each account's own page, and the demo's outbox of mail."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import get, post
from litestar.response import Redirect, Template

from portal.accounts import store
from portal.accounts.accounts import send_link
from portal.accounts.guard import account_of, look_who, signed_in
from portal.accounts.login import HOME
from portal.desk import desk_of
from portal.web.pages import WebRequest, page
from schemas.errors import NotFound

SHOWN_MAX: Final = 50


@get("/", guards=[look_who])
async def get_start(request: WebRequest) -> Template:
    """Show what this is and where to go."""
    return page(request, "start")


@get("/beranda", guards=[signed_in()])
async def get_home(request: WebRequest) -> Redirect:
    """Lead to the desk of the account's role."""
    return Redirect(HOME[account_of(request).role], status_code=303)


@get("/akun", guards=[signed_in()])
async def get_account(request: WebRequest) -> Template:
    """Show the account: who, for what, and how it is protected."""
    return page(request, "account", is_sent=False)


@post("/akun/sandi", status_code=200, guards=[signed_in()])
async def post_new_password(request: WebRequest) -> Template:
    """Send the account a link to set a new password."""
    account, url = account_of(request), request.app.state.url
    await desk_of(request).read(lambda conn: send_link(conn, account, "reset", url))
    return page(request, "account", is_sent=True)


@get("/kotak-keluar")
async def get_outbox(request: WebRequest) -> Template:
    """Show the latest mail of a demo, which has no server to send it.

    Raises:
        NotFound: this is no demo.
    """
    desk = desk_of(request)
    if not desk.settings.demo:
        raise NotFound("no such path")
    mail = await desk.read(store.list_mail, SHOWN_MAX)
    return page(request, "outbox", mail=mail, now=datetime.now(UTC))


ROUTES: Final[tuple[Any, ...]] = (get_start, get_home, get_account, post_new_password, get_outbox)
