"""The sign-in desk: password, second factor, links that set a password, sign-out, language."""

import time
from typing import Any, Final

import pyotp
import segno
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect, Template

from portal.accounts.accounts import ISSUER, ROLES
from portal.accounts.guard import account_of, accounts_of, look_who, session_cookie, session_token, signed_in
from portal.limits import Limits
from portal.web.forms import address_of, form_of, path_inside
from portal.web.pages import LANGUAGE_COOKIE, FormError, WebRequest, page
from portal.web.words import LANGUAGES

YEAR_S: Final = 365 * 24 * 3600
TRIES_PER_MINUTE: Final = 60  # from one address, whoever is tried: a hospital's people may share one
HOME: Final = dict.fromkeys(ROLES, "/akun") | {  # where an account begins
    "ministry": "/kemenkes",
    "manager": "/faskes",
    "officer": "/meja",
    "office": "/dinas",
    "epidemiologist": "/pelacakan",
}

_limits = Limits(TRIES_PER_MINUTE)


@get("/masuk", guards=[look_who])
async def get_sign_in(request: WebRequest) -> Template | Redirect:
    """Show the sign-in form; whoever is signed in goes home."""
    if "user" in request.scope and request.scope["user"] is not None:
        return Redirect(HOME[account_of(request).role], status_code=303)
    return page(request, "login/sign_in", goal=path_inside(request.query_params.get("ke", "")))


@post("/masuk", status_code=200)
async def post_sign_in(request: WebRequest) -> Response[Any] | Template:
    """Take address and password."""
    _limits.take(address_of(request), time.monotonic())
    form = await form_of(request, "email", "password", "goal", as_typed=("password",))
    goal = path_inside(form["goal"])
    try:
        token, stage = await accounts_of(request).sign_in(form["email"], form["password"])
    except FormError as error:
        return page(request, "login/sign_in", status=422, goal=goal, errors=error.errors, form={"email": form["email"]})
    return _onwards(token, stage, goal)


@get("/masuk/kode", guards=[signed_in(stages=("code",))])
async def get_code(request: WebRequest) -> Template:
    """Ask for the code of the second factor."""
    return page(request, "login/code", goal=path_inside(request.query_params.get("ke", "")))


@post("/masuk/kode", status_code=200, guards=[signed_in(stages=("code",))])
async def post_code(request: WebRequest) -> Response[Any] | Template:
    """Take the code."""
    form = await form_of(request, "code", "goal")
    goal = path_inside(form["goal"])
    try:
        token, stage = await accounts_of(request).enter_code(session_token(request), request.auth, form["code"])
    except FormError as error:
        return page(request, "login/code", status=422, goal=goal, errors=error.errors)
    return _onwards(token, stage, goal)


@get("/masuk/kode-baru", guards=[signed_in(stages=("enrol", "full"))])
async def get_enrol(request: WebRequest) -> Template:
    """Offer a second factor, as a QR code and in letters."""
    return _offer(request, 200, {})


@post("/masuk/kode-baru", status_code=200, guards=[signed_in(stages=("enrol", "full"))])
async def post_enrol(request: WebRequest) -> Response[Any] | Template:
    """Take the second factor once a code proves that the telephone has it."""
    form = await form_of(request, "code", "password", as_typed=("password",))
    try:
        token, stage = await accounts_of(request).enrol(
            session_token(request), request.auth, form["code"], form["password"]
        )
    except FormError as error:
        return _offer(request, 422, error.errors)
    return _onwards(token, stage, "")


@post("/keluar", status_code=200)
async def post_sign_out(request: WebRequest) -> Response[Any]:
    """End the session."""
    await accounts_of(request).sign_out(session_token(request))
    return _redirect("/masuk", session_cookie(""))


@get("/sandi/{token:str}")
async def get_password(request: WebRequest, token: str) -> Template:
    """Show the form that sets a password, while the link lasts."""
    account = await accounts_of(request).whose_link(token)
    return page(request, "login/password", status=200 if account else 404, owner=account, token=token)


@post("/sandi/{token:str}", status_code=200)
async def post_password(request: WebRequest, token: str) -> Response[Any] | Template:
    """Set the password; the link is used up."""
    form = await form_of(request, "password", "again", as_typed=("password", "again"))
    try:
        session, stage = await accounts_of(request).set_password(token, form["password"], form["again"])
    except FormError as error:
        account = await accounts_of(request).whose_link(token)
        return page(request, "login/password", status=422, owner=account, token=token, errors=error.errors)
    return _onwards(session, stage, "")


@get("/lupa-sandi")
async def get_forgotten(request: WebRequest) -> Template:
    """Ask whose password is forgotten."""
    return page(request, "login/forgotten", is_sent=False)


@post("/lupa-sandi", status_code=200)
async def post_forgotten(request: WebRequest) -> Template:
    """Send a link, if there is an account; the answer is the same if there is none."""
    _limits.take(address_of(request), time.monotonic())
    form = await form_of(request, "email")
    await accounts_of(request).forget(form["email"], request.app.state.url)
    return page(request, "login/forgotten", is_sent=True)


@post("/bahasa", status_code=200, guards=[look_who])
async def post_language(request: WebRequest) -> Response[Any]:
    """Change the language of the pages, and of the mail to whoever is signed in."""
    form = await form_of(request, "language", "goal")
    chosen = form["language"] if form["language"] in LANGUAGES else "id"
    if request.scope.get("user") is not None:
        await accounts_of(request).keep_language(account_of(request), chosen)
    cookie = Cookie(key=LANGUAGE_COOKIE, value=chosen, path="/", samesite="lax", max_age=YEAR_S, httponly=True)
    return _redirect(path_inside(form["goal"]) or "/", cookie)


ROUTES = (
    get_sign_in,
    post_sign_in,
    get_code,
    post_code,
    get_enrol,
    post_enrol,
    post_sign_out,
    get_password,
    post_password,
    get_forgotten,
    post_forgotten,
    post_language,
)


def _offer(request: WebRequest, status: int, errors: dict[str, str]) -> Template:
    secret = accounts_of(request).new_secret(session_token(request))
    address = pyotp.TOTP(secret).provisioning_uri(name=account_of(request).email, issuer_name=ISSUER)
    drawn = segno.make(address, error="m").svg_inline(scale=5, border=2, dark="#1c2126", omitsize=False)
    letters = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return page(request, "login/enrol", status=status, drawn=drawn, letters=letters, errors=errors)


def _onwards(token: str, stage: str, goal: str) -> Response[Any]:
    ways = {"code": "/masuk/kode", "enrol": "/masuk/kode-baru", "full": goal or "/beranda"}
    way = ways[stage]
    if stage == "code" and goal:
        way += f"?ke={goal}"
    return _redirect(way, session_cookie(token))


def _redirect(path: str, cookie: Cookie) -> Response[Any]:
    return Redirect(path, status_code=303, cookies=[cookie])
