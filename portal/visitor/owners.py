"""Whose a device is: what was claimed, what a bound one may know, and how it is forgotten."""

import uuid
from datetime import UTC, datetime
from typing import Final

from portal.identity import Vault
from portal.registry.colours import Colour
from portal.store import Connection
from portal.visitor import claims, store
from portal.visitor.claims import Claim
from portal.visitor.shapes import ClaimAnswer, ClaimBody, EraseAnswer, MeAnswer
from portal.visitor.store import Device, NewDevice
from portal.visitor.visitors import Visitors
from schemas.errors import Conflict

ERASED_BECAUSE: Final = "asked for on the visitor's own device"


async def claim(visitors: Visitors, body: ClaimBody) -> ClaimAnswer:
    """Store who a phone's owner says he is; the same work whether he is known or not, and nothing known changes.

    Raises:
        BadInput: names the field and why, never the value.
        Conflict: the key has claimed somebody else.
        Unavailable: the database does not answer.
    """
    now = datetime.now(UTC)
    claimed = claims.check(body, now)
    device = await visitors.desk.read(_claim, visitors.desk.vault, claimed, now)
    return ClaimAnswer(device_id=device.device_id)


async def me(visitors: Visitors, device: Device) -> MeAnswer:
    """Return what a device may know of its owner: of one that is not bound nothing.

    Raises:
        Unavailable: database or registry does not answer.
    """
    if not device.bound_by:
        return MeAnswer(proven=False)
    colour = await visitors.registry.colour(device.person, datetime.now(UTC))
    black = visitors.registry.statuses.black_until(device.person) if colour is Colour.BLACK else ()
    return MeAnswer(proven=True, colour=colour.value, until=max(black, default=None))


async def erase(visitors: Visitors, device: Device) -> EraseAnswer:
    """Forget a device and what was claimed; whom it is bound to is erased as by a request of his own.

    Who has proved nothing cannot have anybody erased.

    Raises:
        Unavailable: the database does not answer.
    """
    return EraseAnswer(due_at=await visitors.desk.read(_erase, device.device_id))


def _claim(conn: Connection, vault: Vault, claimed: Claim, now: datetime) -> Device:
    (person, is_new), device_id = vault.claim(conn, claimed.subject), str(uuid.uuid4())
    store.add_area(conn, person, claimed.subject.district, wanted=is_new)
    own_key = vault.own_keys(conn, [person])[person]
    new = NewDevice(
        device_id=device_id,
        person=person,
        public_key=claimed.public_key,
        district=claimed.subject.district,
        claim=claims.seal(own_key, device_id, person, claimed.told),
    )
    device = store.add_device(conn, new, now)
    if device.person != person:
        raise Conflict("this key has claimed somebody else: make another")
    return device


def _erase(conn: Connection, device_id: str) -> datetime | None:
    due_at = store.erase_person(conn, device_id, ERASED_BECAUSE)
    store.remove_device(conn, device_id)
    return due_at
