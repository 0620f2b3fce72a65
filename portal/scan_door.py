"""The short way in for scans: `POST /v1/scans` without the framework, which would cost more than the work itself.

Key, role, limits, checks, answers and metrics are those of the desk that Litestar describes and serves as well (with
a slash at the end of the path it still does); a test holds both ways alike.
"""

from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from portal.desk import Desk
from portal.logs import report_bug
from portal.problems import Problem, TooLarge, problem_of
from portal.scans import PATH, ROLES, take_scans
from schemas.errors import JejakError

_encode = msgspec.json.Encoder().encode
_JSON: Final = (b"content-type", b"application/json")
_BUG: Final = Problem(error="internal", reason="our fault; it is logged")


class _Gone(Exception):
    """The caller left before his body was whole."""


class ScanDoor:
    """An ASGI application that takes scans itself and leaves everything else to the one behind it."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._body_limit = desk.settings.body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["path_template"] = PATH  # as Litestar sets it on the others
        more: dict[str, str] = {}
        try:
            status, body = 200, await self._take(scope, receive)
        except JejakError as error:
            problem, more = problem_of(error)
            status, body = error.status, _encode(problem)
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 — a bug is answered and logged here as everywhere
            report_bug(error)
            status, body = 500, _encode(_BUG)
        headers = [_JSON, (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _take(self, scope: HTTPScope, receive: Receive) -> bytes:
        key, announced = None, b"0"
        for name, value in scope["headers"]:
            if name == b"authorization" and key is None:
                key = value.decode("latin-1")
            elif name == b"content-length":
                announced = value
        client = scope["client"]
        principal = await self._desk.keyring.admit(key, client[0] if client else "", ROLES)
        if int(announced) > self._body_limit:  # the server has seen to it that this is a number
            raise TooLarge("the body is too long")
        return _encode(await take_scans(self._desk, principal, await self._read(receive)))

    async def _read(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_limit:
                raise TooLarge("the body is too long")
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)
