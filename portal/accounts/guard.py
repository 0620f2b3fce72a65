"""Who may open a page: guards that find the session of a request's cookie. `request.user` is then the Account."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler

from portal.accounts.accounts import ROLES, Accounts
from portal.accounts.store import Account
from portal.keys import Principal
from portal.web.pages import NotSignedIn, WebRequest
from schemas.errors import Refused

SESSION_COOKIE: Final = "__Host-session"
NAME_MAX: Final = 128  # of who did something, as events and tables hold it
Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def signed_in(*roles: str, stages: tuple[str, ...] = ("full",)) -> Guard:
    """Return a guard that lets in accounts of these roles (none given: of any) whose session is at one of `stages`."""
    assert set(roles) <= set(ROLES)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        session = await accounts_of(connection).session(connection.cookies.get(SESSION_COOKIE, ""))
        if session is None or session.stage not in stages:
            raise NotSignedIn("nobody is signed in")
        if roles and session.account.role not in roles:
            raise Refused("this page is not for the account's role")
        connection.scope["user"] = session.account
        connection.scope["auth"] = session

    return guard


async def look_who(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let everybody in, and say who is signed in, if anybody is."""
    session = await accounts_of(connection).session(connection.cookies.get(SESSION_COOKIE, ""))
    if session is not None and session.stage == "full":
        connection.scope["user"] = session.account
        connection.scope["auth"] = session


def accounts_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Accounts:
    """Return the accounts of the application that serves this request."""
    accounts = connection.app.state.accounts
    assert isinstance(accounts, Accounts)
    return accounts


def account_of(request: WebRequest) -> Account:
    """Return who is signed in; the handler's guard has seen to it that somebody is."""
    account = request.scope["user"]
    assert isinstance(account, Account)
    return account


def principal_of(request: WebRequest) -> Principal:
    """Return who is signed in as the caller that a key would be: what desks do for keys they do for pages."""
    account = account_of(request)
    name = account.email if len(account.email) <= NAME_MAX else account.account_id
    return Principal(account.account_id, name, account.role, "", account.area, datetime.max.replace(tzinfo=UTC))


def session_token(request: WebRequest) -> str:
    """Return the session cookie's value."""
    return request.cookies.get(SESSION_COOKIE, "")


def session_cookie(token: str) -> Cookie:
    """Return the cookie of a session; an empty token takes it away."""
    return Cookie(
        key=SESSION_COOKIE,
        value=token,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
        max_age=None if token else 0,
    )
