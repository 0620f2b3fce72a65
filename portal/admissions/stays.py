"""From a record of a hospital's system to the scans that it stands for. Pure.

An admission is an entrance (and the ward, where it is named), a transfer a zone, a discharge or a death an exit. What
was sent for a record before is compared with what it says now: what is still the same stands, the rest is taken back,
the new is sent under ids of its own. Ids are made of the record alone, so the same feed again is a repeat.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec

from portal.identity import Subject
from producers.scan_ids import scan_id
from schemas.errors import BadInput
from schemas.events import Gate, Role

HASH_BYTES: Final = 16
ORDER: Final = {Gate.ENTRANCE: 0, Gate.ZONE: 1, Gate.EXIT: 2}


class Passage(msgspec.Struct, frozen=True, order=True):
    """Somebody passed a gate or came into a zone; at one instant the entrance comes first."""

    at: datetime
    gate: Gate
    zone: str = ""
    role: Role = Role.INPATIENT


class Sent(msgspec.Struct, frozen=True):
    """A passage and the scan that was sent for it."""

    scan_id: str
    passage: Passage


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A record as its hospital has it: an event of a stay, or the whole stay."""

    facility_id: str
    name: str  # the hospital's own, of the stay or the event
    subject: Subject | None  # None: it is no stay, and only what was sent when it was one matters
    passages: tuple[Passage, ...]  # none: entered in error
    as_of: datetime | None = None  # its version, where its system says it

    @property
    def key(self) -> bytes:
        """What is stored of the name: it may be the number of a patient's file."""
        return _hash(self.facility_id, self.name)

    def content(self, person: str) -> bytes:
        """Return what is the same for the same record of the same person."""
        return _hash(person, msgspec.json.encode((sorted(self.passages), self.as_of)).decode())


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent for a unit."""

    person: str
    revision: int
    scans: tuple[Sent, ...]
    seen: tuple[bytes, ...]  # every content it had
    as_of: datetime | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be sent for a unit, and what then stands."""

    void: tuple[Sent, ...]  # of the person it was before
    send: tuple[Sent, ...]
    after: Before


def change_of(unit: Unit, person: str, before: Before | None, horizon: datetime | None = None) -> Change | None:
    """Return what a record changes; None: nothing, for it was seen before, in this or an earlier form.

    Args:
        unit: as it is sent now.
        person: whom it is about.
        before: what was sent for it; None: never anything.
        horizon: scans from before it have gone and none are taken in, so of a long stay only the rest is sent.

    Raises:
        BadInput: all of it was before the horizon, and nothing is known of it.
    """
    content, seen = unit.content(person), before.seen if before is not None else ()
    if content in seen or (before is not None and _is_older(unit, before)):
        return None
    revision = 0 if before is None else before.revision + 1
    held = before.scans if before is not None and before.person == person else ()
    stays = {one.passage: one for one in held}
    wanted = [
        stays.get(passage) or _made(unit, passage, revision)
        for passage in sorted(set(unit.passages))
        if passage in stays or horizon is None or passage.at >= horizon
    ]
    if unit.passages and not wanted:
        raise BadInput("is before the horizon: what was then has been let go", field="at")
    standing = set(wanted) & set(held)
    return Change(
        void=tuple(
            one
            for one in (before.scans if before else ())
            if one not in standing and (horizon is None or one.passage.at >= horizon)
        ),
        send=tuple(one for one in wanted if one not in standing),
        after=Before(
            person=person,
            revision=revision,
            scans=tuple(wanted),
            seen=(*seen, content),
            as_of=unit.as_of or (before.as_of if before is not None else None),
        ),
    )


def of_event(event: str, at: datetime, ward: str, role: Role) -> tuple[Passage, ...]:
    """Return the passages of one event: admit, transfer, discharge or death."""
    if event == "admit":
        return (Passage(at, Gate.ENTRANCE, "", role), *of_ward(at, ward, role))
    if event == "transfer":
        return of_ward(at, ward, role)
    return (Passage(at, Gate.EXIT, "", role),)


def of_ward(at: datetime, ward: str, role: Role = Role.INPATIENT) -> tuple[Passage, ...]:
    """Return the passage into a ward; none where it has no name."""
    return (Passage(at, Gate.ZONE, ward, role),) if ward else ()


def of_stay(
    start: datetime, wards: Iterable[tuple[datetime, str]], end: datetime | None, role: Role = Role.INPATIENT
) -> tuple[Passage, ...]:
    """Return the passages of a whole stay, its wards in the order of time."""
    moves: Sequence[Passage] = [one for at, ward in wards for one in of_ward(max(at, start), ward, role)]
    leaves = (Passage(end, Gate.EXIT, "", role),) if end is not None else ()
    return (Passage(start, Gate.ENTRANCE, "", role), *moves, *leaves)


def _is_older(unit: Unit, before: Before) -> bool:
    return unit.as_of is not None and before.as_of is not None and unit.as_of < before.as_of


def _made(unit: Unit, passage: Passage, revision: int) -> Sent:
    """Return the scan of a passage; of one instant the entrance has the smaller id, as pairing reads them."""
    return Sent(
        scan_id(
            passage.at,
            ORDER[passage.gate],
            unit.facility_id,
            unit.name,
            passage.gate,
            passage.zone,
            passage.role,
            str(revision),
        ),
        passage,
    )


def _hash(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=HASH_BYTES).digest()
