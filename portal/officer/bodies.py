"""What the desk's page sends and gets as JSON: one look-up shows one action, each entry is judged by itself."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from portal.bodies import Body, Named, SubjectBody
from portal.registry.colours import Action
from schemas.codec import Codec
from schemas.events import Gate, Instant, Role, Uuid7

ENTRIES_MAX: Final = 20

Words = Annotated[str, Meta(max_length=80)]
Reason = Literal["check", "symptoms", "document", "other"]


class LookUpBody(Body, frozen=True, kw_only=True):
    """Whose certificate is looked up."""

    subject: SubjectBody
    name: Named


class LookUpAnswer(msgspec.Struct, frozen=True):
    """What to do: the same for every cause, and for somebody nobody knows."""

    action: Action


class EntryBody(Body, frozen=True, kw_only=True):
    """One person at a gate or zone, as an officer enters him; a name is no part of it."""

    scan_id: Uuid7
    subject: SubjectBody
    gate: Gate
    zone: Annotated[str, Meta(max_length=128)] = ""
    at: Instant  # when he stood there, also where it is sent later
    role: Role = Role.UNKNOWN
    admitted: bool = True
    reason: Reason | None = None  # why he was sent to triage
    words: Words = ""
    saw_id: bool = False
    group_id: Uuid7 | None = None  # the same of all who rode together
    why_late: Words = ""  # of an entry of more than a day ago


class EntriesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 20 entries; what is wrong with one is no matter of the others."""

    entries: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=ENTRIES_MAX)]


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry: `waiting` for a second person; `scan_id` is null where none of the right form came."""

    scan_id: str | None
    status: Literal["accepted", "waiting", "invalid"]
    field: str = ""
    reason: str = ""


class EntriesAnswer(msgspec.Struct, frozen=True):
    """One result per entry, in order."""

    results: list[EntryAnswer]


LOOK_UPS: Final = Codec(LookUpBody)
ENTRIES: Final = Codec(EntryBody)
