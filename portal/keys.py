"""API keys: who calls, in which role, for which facility or area. A key is shown once; only its hash is stored.

The secret has 256 random bits, so its SHA-256 needs no salt, and finding it by that hash tells a caller's timing
nothing about any other key.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Container, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portal import store
from portal.limits import Limits
from portal.problems import Unauthorised
from portal.store import Connection, KeyRow
from schemas.errors import BadInput, InvalidSettings, NotFound, Refused
from schemas.settings import Settings
from schemas.topics import office_of

PREFIX: Final = "jejak_"
SECRET_BYTES: Final = 32
ROLES: Final = ("gate", "laboratory", "epidemiologist", "office", "import", "registry")
CACHED_S: Final = 1.0  # a revoked key may still pass for so long
REFRESH_S: Final = 0.5  # from then on it is asked for again, and nobody waits for that
CACHED_MAX: Final = 10_000
FAILURES_PER_MINUTE: Final = 600  # per address
EVERYWHERE: Final = "all"

_bearer = re.compile(r"(?i:Bearer) +(jejak_[A-Za-z0-9_-]{40,60})")
_principal = re.compile(r"[\w.@ -]{1,64}")


class Principal(msgspec.Struct, frozen=True):
    """The caller of a request: its key without the secret."""

    key_id: str
    name: str
    role: str
    facility: str
    area: str
    expires_at: datetime

    def may_speak_for(self, facility_id: str, district: str) -> bool:
        """Say whether the key covers a facility: its own, or one in its area; an import key without either, all."""
        if self.facility:
            return self.facility == facility_id
        return covers(self.area or (EVERYWHERE if self.role == "import" else ""), district)

    @property
    def speaks_for_all(self) -> bool:
        """Say whether it is the ministry's own: an import key that is of no facility and no area."""
        return self.role == "import" and not self.facility and self.area in {"", EVERYWHERE}


Find = Callable[[bytes], Awaitable[KeyRow | None]]


class Keyring:
    """Tells who calls. Remembers keys for a second, and slows down addresses that guess."""

    def __init__(self, find: Find, rate_per_minute: int) -> None:
        self._find = find
        self._seen: dict[bytes, tuple[float, Principal]] = {}
        self._asked: dict[bytes, asyncio.Task[Principal | None]] = {}
        self._rates = Limits(rate_per_minute)
        self._failures = Limits(FAILURES_PER_MINUTE)

    async def identify(self, header: str | None, address: str) -> Principal:
        """Return whose key `header` holds, and count the request.

        Raises:
            Unauthorised: there is no key that counts; never says why.
            TooMany: the key, or an address without one, asks too often.
            Unavailable: the database is away.
        """
        now_s = time.monotonic()
        if self._failures.is_empty(address, now_s):
            self._failures.take(address, now_s)  # raises
        found = _bearer.fullmatch(header or "")
        principal = await self._look_up(hash_of(found[1]), now_s) if found else None
        if principal is None or principal.expires_at <= datetime.now(UTC):
            self._failures.take(address, now_s)
            raise Unauthorised("an API key is needed")
        self._rates.take(principal.key_id, now_s)
        return principal

    async def admit(self, header: str | None, address: str, roles: Container[str]) -> Principal:
        """Return whose key `header` holds, as `identify` does, if its role is one of these.

        Raises:
            Refused: it is another one.
        """
        principal = await self.identify(header, address)
        if principal.role not in roles:
            raise Refused("the key's role may not do this")
        return principal

    async def _look_up(self, key_hash: bytes, now_s: float) -> Principal | None:
        at, principal = self._seen.get(key_hash, (-CACHED_S, None))
        age_s = now_s - at
        if principal is not None and age_s < REFRESH_S:
            return principal
        asked = self._asked.get(key_hash)
        if asked is None:  # of many requests that come together one asks, or each second would begin with a crowd
            asked = self._asked[key_hash] = asyncio.create_task(self._ask(key_hash, now_s))
            asked.add_done_callback(lambda task: self._answered(key_hash, task))
        return principal if principal is not None and age_s < CACHED_S else await asyncio.shield(asked)

    def _answered(self, key_hash: bytes, task: "asyncio.Task[Principal | None]") -> None:
        self._asked.pop(key_hash, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; perhaps nobody did

    async def _ask(self, key_hash: bytes, now_s: float) -> Principal | None:
        row = await self._find(key_hash)
        if row is None or row.revoked_at is not None:
            self._seen.pop(key_hash, None)
            return None
        principal = Principal(row.key_id, row.principal, row.role, row.facility, row.area, row.expires_at)
        if len(self._seen) >= CACHED_MAX:
            self._seen.clear()
        self._seen[key_hash] = (now_s, principal)
        return principal


Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def allow(*roles: str) -> Guard:
    """Return a guard that lets in the keys of these roles; `request.user` is then the Principal."""
    assert set(roles) <= set(ROLES)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        address = connection.client.host if connection.client else ""
        keyring: Keyring = connection.app.state.desk.keyring
        header = connection.headers.get("authorization")
        connection.scope["user"] = await keyring.admit(header, address, roles)

    return guard


def covers(area: str, district: str) -> bool:
    """Say whether an area (`all`, a province `36`, a district `36.71`) holds a district or province."""
    return bool(area) and (area in {EVERYWHERE, district} or district.startswith(f"{area}."))


def hash_of(secret: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode()).digest()


def make_key(
    conn: Connection,
    *,
    role: str,
    principal: str,
    facility: str = "",
    area: str = "",
    days: int = 90,
    demo: bool = False,
) -> tuple[str, KeyRow]:
    """Store a new key; return its secret, which nobody can show again, and its row.

    Raises:
        BadInput: names the option that is missing, malformed or not for this role.
        NotFound: there is no such facility.
    """
    if not _principal.fullmatch(principal):
        raise BadInput("must be 1 to 64 letters, digits, blanks or .@_-", field="--name")
    if role not in ROLES:
        raise BadInput("is not one of the allowed values", field="--role")
    area = area_of(area, field="--area")
    _check_scope(role, facility, area)
    if facility and facility not in {row.facility_id for row in store.list_facilities(conn)}:
        raise NotFound("no such facility: `jejak facilities list` shows them")
    now = datetime.now(UTC)
    row = KeyRow(
        key_id=secrets.token_hex(6),
        principal=principal,
        role=role,
        facility=facility,
        area=area,
        demo=demo,
        made_at=now,
        expires_at=now + timedelta(days=days),
        revoked_at=None,
    )
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    store.add_key(conn, row, hash_of(secret))
    return secret, row


def revoke(conn: Connection, key_id: str) -> None:
    """Revoke a key; commit, then wait `CACHED_S` before saying that it is done.

    Raises:
        NotFound: there is no key of that id.
    """
    if not store.revoke_key(conn, key_id, datetime.now(UTC)):
        raise NotFound("no key of that id: `jejak keys list` shows them")


def refuse_demo(settings: Settings, keys: Iterable[KeyRow], accounts: int, now: datetime) -> None:
    """Raise InvalidSettings where demo mode, or a demo key or account that still counts, would be open to others."""
    if settings.demo:
        raise InvalidSettings("demo mode is for this machine's loopback and embedded servers only", field="JEJAK_DEMO")
    if any(key.demo and key.revoked_at is None and key.expires_at > now for key in keys):
        raise InvalidSettings(
            "there are demo keys: revoke them (`jejak keys list`) before others can reach the gate", field="JEJAK_HOST"
        )
    if accounts:
        raise InvalidSettings(
            "there are demo accounts: close them (`jejak accounts list`) before others can reach the gate",
            field="JEJAK_HOST",
        )


def area_of(text: str, *, field: str = "area") -> str:
    """Return an area as it is stored: nothing, `all`, or a code as Kemendagri writes it (`36`, `36.71`).

    Raises:
        BadInput: it is none of these.
    """
    if not text or text == EVERYWHERE:
        return text
    try:
        digits = office_of(text)[1:]
    except ValueError as error:
        raise BadInput(str(error), field=field) from error
    return ".".join(filter(None, (digits[:2], digits[2:])))


def _check_scope(role: str, facility: str, area: str) -> None:
    if facility and area:
        raise BadInput("a key has a facility or an area, not both", field="--area")
    if role == "registry" and (facility or area):
        raise BadInput("a registry's key has neither facility nor area", field="--facility" if facility else "--area")
    if role == "laboratory" and not facility:
        raise BadInput("a laboratory's key needs its facility", field="--facility")
    if role == "gate" and not (facility or area):
        raise BadInput("a gate's key needs a facility, or an area", field="--facility")
    if role in {"epidemiologist", "office"}:
        if facility:
            raise BadInput(f"an {role}'s key has an area, no facility", field="--facility")
        if not area:
            raise BadInput(f"an {role}'s key needs an area", field="--area")
