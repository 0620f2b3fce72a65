"""How a page is made: its template, its language, what the frame around it needs, and what is shown when it fails.

Templates escape everything; what is undefined is an error. No page holds a script or a style of its own: the content
policy allows files of ours only.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import jinja2
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.template import TemplateConfig

from portal.logs import report_bug
from portal.problems import TooMany, answer_bug, answer_http_error, answer_jejak_error
from portal.web.clocks import clock, zone_of
from portal.web.words import LANGUAGES, Language, decimal, say
from schemas.errors import JejakError

WebRequest: TypeAlias = Request[Any, Any, State]
HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
LANGUAGE_COOKIE: Final = "language"
SIGN_IN: Final = "/masuk"
PROGRAMS: Final = ("/v1/", "/visitor/")
_KNOWN_STATUS: Final = {400, 401, 403, 404, 405, 409, 413, 422, 429, 503}


class NotSignedIn(JejakError):
    """Nobody is signed in, or not long enough any more: the sign-in page comes first."""

    status = 401


class FormError(JejakError):
    """A form that cannot be taken: for each field the key of the words that say why."""

    status = 422

    def __init__(self, errors: Mapping[str, str], **values: object) -> None:
        self.errors = dict(errors)
        self.values = values
        super().__init__("the form is not right: " + ", ".join(sorted(errors)))


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the templates of all pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment))


def language_of(request: WebRequest) -> Language:
    """Return the language the visitor chose; Indonesian where he chose none."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else "id"


def page(request: WebRequest, name: str, *, status: int = 200, **context: object) -> Template:
    """Return a page; templates have `t(key, …)`, `decimal(number)`, `clock(instant)`, `language` and `errors`.

    Who is signed in is `account` (nobody: None); `full` once the second factor was given, where one is needed.
    """
    language = language_of(request)
    frame: dict[str, object] = {
        "t": partial(say, language),
        "decimal": partial(decimal, language),
        "clock": partial(_clock, request),
        "language": language,
        "account": _account(request),
        "full": getattr(request.scope.get("auth"), "stage", "") == "full",
        "demo": request.app.state.desk.settings.demo,
        "path": request.url.path,
        "errors": {},
        "form": {},
    }
    return Template(template_name=f"{name}.html", context=frame | context, status_code=status)


def answer_error(request: WebRequest, error: Exception) -> Response[Any]:
    """Answer an error: a page for a person, JSON for a program; whoever is not signed in is shown where to do so."""
    if isinstance(error, NotSignedIn) and request.method == "GET":
        return Redirect(f"{SIGN_IN}?ke={request.url.path}", status_code=303)
    if request.url.path.startswith(PROGRAMS) or "text/html" not in request.headers.get("accept", ""):
        return _for_program(request, error)
    status = getattr(error, "status_code", getattr(error, "status", 500))
    if not isinstance(error, JejakError | HTTPException):
        report_bug(error)
    shown = status if status in _KNOWN_STATUS else 500
    answer = page(request, "error", status=status, why=f"error.{shown}", code=status).to_asgi_response(
        request.app, request
    )
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooMany) else {}
    return Response(answer.body, status_code=status, headers=headers, media_type="text/html")


def _account(request: WebRequest) -> object | None:
    """Return who is signed in; below /v1 the user is a key, and nobody is."""
    user = request.scope.get("user")
    return user if hasattr(user, "account_id") else None


def _clock(request: WebRequest, at: datetime, time_zone: str = "") -> str:
    """Return an instant by the clocks of that time zone; by default of the area of who is signed in."""
    return clock(at, time_zone or zone_of(getattr(_account(request), "area", "")))


def _for_program(request: WebRequest, error: Exception) -> Response[Any]:
    if isinstance(error, JejakError):
        return answer_jejak_error(request, error)
    if isinstance(error, HTTPException):
        return answer_http_error(request, error)
    return answer_bug(request, error)
