"""What goes wrong at the desks, and how each answer looks: `{"error", "field", "reason"}`, also for 404 and 405.

No answer ever holds a value of the request; an unexpected error is a bug and says nothing at all.
"""

from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from portal.logs import report_bug
from schemas.errors import BadInput, JejakError

RETRY_AFTER_S: Final = 2
NAMES: Final = {
    400: "malformed",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many",
    500: "internal",
    503: "unavailable",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is no success."""

    error: str
    field: str = ""
    reason: str = ""


class Unauthorised(JejakError):
    """No key, or none that counts: which of these is not said."""

    status = 401


class TooLarge(JejakError):
    """More than a request may hold."""

    status = 413


class TooMany(JejakError):
    """More requests than the key or address may send; later it may again."""

    status = 429

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many requests: try again later")


class NotYours(BadInput):
    """The key may do this, but not for what `field` names."""

    status = 403


def answer_jejak_error(_: Request[Any, Any, Any], error: JejakError) -> Response[Problem]:
    """Answer what we raised on purpose; its status says what the caller should do."""
    problem, headers = problem_of(error)
    return Response(problem, status_code=error.status, headers=headers, media_type="application/json")


def problem_of(error: JejakError) -> tuple[Problem, dict[str, str]]:
    """Return the body and the headers of the answer to what we raised on purpose."""
    headers: dict[str, str] = {}
    if error.status == 401:  # noqa: PLR2004 — HTTP
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 503:  # noqa: PLR2004 — HTTP
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_s)
    field, reason = (error.field, error.reason) if isinstance(error, BadInput) else ("", str(error))
    return Problem(error=NAMES.get(error.status, "refused"), field=field, reason=reason), headers


def answer_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what Litestar found: no such path or method, a parameter that is wrong, or too long a body."""
    if isinstance(error, ValidationException):
        named = error.extra[0].get("key", "") if isinstance(error.extra, list) and error.extra else ""
        return _answer(422, named, "is missing or has not the form it must have", {})
    reasons = {404: "no such path", 405: "not with this method", 413: "the body is too long"}
    allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return _answer(error.status_code, "", reasons.get(error.status_code, "cannot be read"), allow)


def answer_bug(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer 500 and log where it happened, without any value."""
    report_bug(error)
    return _answer(500, "", "our fault; it is logged", {})


def _answer(status: int, field: str, reason: str, headers: dict[str, str]) -> Response[Problem]:
    body = Problem(error=NAMES.get(status, "refused"), field=field, reason=reason)
    return Response(body, status_code=status, headers=headers, media_type="application/json")
