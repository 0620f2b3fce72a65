"""What a scanned token is worth: the gate it stands for, or why it stands for none at that instant.

The instant is the scan's own, not ours: a poster that was replaced this morning was good yesterday.
"""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from litestar.connection import ASGIConnection

from portal.desk import Desk
from portal.posters import store, tokens
from portal.posters.keys import PosterKeys
from portal.posters.store import Gate
from portal.posters.versions import doubt
from portal.store import Connection
from portal.web.secret_box import portal_secrets

PATH: Final = "/q/"  # of the link in the QR code

Why: TypeAlias = Literal["unreadable", "unknown", "not_yet", "revoked"]


class Shown(msgspec.Struct, frozen=True):
    """The gate whose poster was scanned while it hung there rightly."""

    gate: Gate
    version: int


class Refusal(msgspec.Struct, frozen=True):
    """Why a token counts for nothing at that instant.

    `unreadable`: no key of ours signed it, and nothing of it can be believed. `unknown`: signed, but nothing of that
    name is stored. `not_yet`, `revoked`: a real poster at another time; its gate and version are told.
    """

    why: Why
    gate: Gate | None = None
    version: int | None = None


class Posters:
    """Checks and makes posters' tokens; one per gate process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.keys = PosterKeys(portal_secrets(desk.settings))

    async def check(self, token: str, at: datetime) -> Shown | Refusal:
        """Return the gate of a token that was scanned at `at`, or a refusal.

        Raises:
            Unavailable: the database does not answer.
        """
        named = tokens.read(self.keys, token)
        return Refusal("unreadable") if named is None else await self._desk.read(check_named, named, at)


def check(conn: Connection, keys: PosterKeys, token: str, at: datetime) -> Shown | Refusal:
    """Return the gate of a token that was scanned at `at`, or a refusal."""
    named = tokens.read(keys, token)
    return Refusal("unreadable") if named is None else check_named(conn, named, at)


def check_named(conn: Connection, named: tokens.Named, at: datetime) -> Shown | Refusal:
    """Return the gate of a token that our key signed, or a refusal."""
    gate = store.find_gate(conn, named.facility_id, named.gate_no)
    if gate is None or gate.kind is not named.kind:
        return Refusal("unknown")
    why = doubt(store.versions_of(conn, gate), named.version, at)
    if why == "unknown":
        return Refusal("unknown")
    return Refusal(why, gate, named.version) if why else Shown(gate, named.version)


def posters_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Posters:
    """Return the posters of the application that serves this request."""
    state = connection.app.state
    if "posters" not in state:
        state.posters = Posters(state.desk)
    posters = state.posters
    assert isinstance(posters, Posters)
    return posters
