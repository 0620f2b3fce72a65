"""The gate's HTTP interface from the other side: what commands and replays speak through.

Sends again what was not answered, the same bytes with the same ids: after 503 and 429 when the gate says
(Retry-After), after a timeout or a reset soon. No error repeats what was sent.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from schemas.errors import BadInput, Conflict, InvalidSettings, JejakError, NotFound, Refused, Unavailable
from schemas.network import is_loopback
from schemas.settings import Settings

TIMEOUT_S: Final = 30.0
GIVE_UP_S: Final = 90.0  # longer than a broker, a database and a gate need to come back
BACKOFF_S: Final = 0.2
BACKOFF_MAX_S: Final = 5.0
UNANSWERED: Final = {429, 502, 503, 504}


class GateClient:
    """A caller of the gate with one API key; safe to share between threads."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        private_network: bool = False,
        timeout_s: float = TIMEOUT_S,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInput("is not an http(s) address", field="--gate")
        if parts.scheme == "http" and not (private_network or is_loopback(parts.hostname)):
            raise BadInput("an API key beyond loopback needs https, or JEJAK_PRIVATE_NETWORK=true", field="--gate")
        self.url = url.rstrip("/")
        self.retries = 0
        self._give_up_s = give_up_s
        self._answered = False
        self._stopping = threading.Event()
        self._http = httpx.Client(
            base_url=self.url, timeout=timeout_s, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def give_up(self) -> None:
        """Let threads that wait to send again stop waiting; the client cannot be used afterwards."""
        self._stopping.set()

    def close(self) -> None:
        """Close the connections."""
        self.give_up()
        self._http.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 — JSON
        """Return the JSON answer of a GET; errors as `post`."""
        return self._ask("GET", path, query=query)

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 — JSON
        """Return the JSON answer of a POST of `body` (structs, lists, plain values).

        Raises:
            Refused, NotFound, Conflict, BadInput: as the gate answered, with its reason and field.
            Unavailable: nothing listens, or it stayed busy for longer than we wait.
        """
        return self._ask("POST", path, content=msgspec.json.encode(body))

    def post_file(self, path: str, content: bytes, kind: str) -> Any:  # noqa: ANN401 — JSON
        """Return the JSON answer of a POST of a file of that media type; errors as `post`."""
        return self._ask("POST", path, content=content, kind=kind)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        kind: str = "application/json",
    ) -> Any:  # noqa: ANN401 — JSON
        deadline = time.monotonic() + self._give_up_s
        pause = BACKOFF_S
        headers = {"Content-Type": kind} if content is not None else {}
        while True:
            why = "does not answer in time"
            try:
                answer = self._http.request(method, path, params=query, content=content, headers=headers)
            except httpx.ConnectError as error:
                if not self._answered:  # one that answered before is being restarted
                    raise Unavailable(f"no gate listens at {self.url}: is `jejak up` running?") from error
                wait_s = pause
            except httpx.TransportError:
                wait_s = pause
            else:
                self._answered = True
                if answer.status_code not in UNANSWERED:
                    return _result(answer)
                wait_s = max(pause, _retry_after_s(answer))
                why = f"is busy ({answer.status_code})"
            if time.monotonic() + wait_s > deadline or self._stopping.wait(wait_s):
                raise Unavailable(f"the gate at {self.url} {why}; what was sent may be sent again")
            self.retries += 1
            pause = min(2 * pause, BACKOFF_MAX_S)


def open_gate(settings: Settings, gate: str = "", key_file: str = "") -> GateClient:
    """Return a client of the gate at `gate`, else of the one that runs in this home, with the key of `key_file`.

    Raises:
        Unavailable: no gate runs here.
        BadInput: the address or the key file is not usable.
    """
    url = gate or _running_gate(settings)
    return GateClient(url, _read_key(settings, key_file), private_network=settings.private_network)


def _running_gate(settings: Settings) -> str:
    try:
        found = msgspec.json.decode((settings.home / "run" / "gate.json").read_bytes(), type=dict[str, Any])
        return str(found["url"])
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        raise Unavailable("no gate runs here: start `jejak up`, or name one with --gate URL") from error


def _read_key(settings: Settings, key_file: str) -> str:
    name = key_file or settings.api_key_file
    if not name:
        raise InvalidSettings(
            "no API key: `jejak keys create` makes one, --key-file names its file", field="--key-file"
        )
    try:
        key = Path(name).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("is not a file we can read a key from", field="--key-file") from error
    if not key or not key.isprintable():
        raise BadInput("holds no API key", field="--key-file")
    return key


def _result(answer: httpx.Response) -> Any:  # noqa: ANN401 — JSON
    try:
        body = msgspec.json.decode(answer.content) if answer.content else None
    except msgspec.DecodeError as error:
        raise Unavailable(f"the gate answered {answer.status_code} without JSON: is --gate right?") from error
    if answer.is_success:
        return body
    raise _refusal(answer.status_code, body if isinstance(body, dict) else {})


def _refusal(status: int, body: dict[str, Any]) -> JejakError:
    reason = str(body.get("reason") or body.get("detail") or f"the gate answered {status}")
    kinds: dict[int, type[JejakError]] = {401: Refused, 403: Refused, 404: NotFound, 409: Conflict}
    if status in kinds:
        return kinds[status](reason)
    if status < 500:  # noqa: PLR2004 — HTTP: theirs begins here
        return BadInput(reason, field=str(body.get("field") or ""))
    return Unavailable(reason)


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), GIVE_UP_S) if text.isascii() and text.isdigit() else 0.0
