"""The certificate registry as the other desks use it: an action for an officer, a colour for a bound phone.

A hit and a miss take the same steps and have the same shape, and every look-up is in the audit before anything sealed
comes out. It gives nobody a person id: who asks for ten thousand numbers leaves nothing behind but that he asked.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidTag
from litestar.connection import ASGIConnection

from portal.desk import Desk
from portal.identity import KINDS, PERSON_BYTES, Subject, Vault, normalise
from portal.key_files import KEY_BYTES
from portal.registry import store
from portal.registry.colours import MIDDLE, Action, Colour, Facts, action_of, colour_of, editions
from portal.registry.holder import NOBODY, Holder, seal, unseal
from portal.registry.statuses import Statuses
from portal.store import Connection
from schemas.errors import BadInput, NotFound, Unavailable

LOOKED_UP: Final = "certificate looked up"
SHOWN: Final = "status shown to its person"
NAMED: Final = "staff named to the infection control team"
PHONE_USED: Final = "registered number used for a code"
OWN_CLOCK: Final = ZoneInfo("Asia/Jakarta")  # of a person's own phone: most of the country's

# What is opened where there is nothing to open, so that this takes as long.
_NO_PERSON: Final = "0" * 2 * PERSON_BYTES
_NO_KEY: Final = bytes(KEY_BYTES)
_NO_SEAL: Final = seal(_NO_KEY, _NO_PERSON, NOBODY)[0]


class Registry:
    """Looks up; one per gate process. Who is black it knows from `statuses`."""

    def __init__(self, desk: Desk) -> None:
        self.statuses = Statuses()
        self._desk = desk

    async def action(
        self,
        doc_type: str,
        number: str,
        name: str,
        at: datetime,
        *,
        facility_id: str,
        who: str,
    ) -> Action:
        """Return what an officer of a facility does with somebody who shows a document.

        Of staff at their own facility the infection control team hears, not the gate, whatever they say they come
        for: two answers to two roles would say who is black.

        Args:
            doc_type: nik, passport, kitas, temporary (or test, in the demo).
            number: of the document.
            name: as the document says it; another name than the one on record is no match.
            at: when he stands at the gate.
            facility_id: where: what yellow means is the facility's own rule.
            who: asks; for the audit, and so for the person's processing trail.

        Raises:
            BadInput: the number cannot be one of that type; names the field, never the value.
            NotFound: there is no such facility.
            Unavailable: the database does not answer, or who is black is not read yet.
        """
        desk = self._desk
        if doc_type not in KINDS:
            raise BadInput("is not one of the allowed values", field="doc_type")
        subject = normalise(doc_type, number, "", demo=desk.settings.demo)
        await desk.register.know((facility_id,))
        facility = desk.register.get(facility_id)
        if facility is None:
            raise NotFound("no such facility")
        person, ticket = await desk.read(_ask, desk.vault, subject, who)
        seen, yellow, is_staff = await desk.read(_look, desk.vault, ticket, person, facility_id)
        matches = seen.holder.is_called(name) and seen.is_known
        local, black = at.astimezone(ZoneInfo(facility.time_zone)), self.statuses.black_until(person or _NO_PERSON)
        is_black = any(local < until for until in black)
        for_team = matches and is_staff and is_black
        action = action_of(colour_of(seen.facts(() if for_team else black), local, editions()), yellow)
        if for_team and person is not None:
            await desk.read(store.advise_team, facility_id, person, local)
        decides = seen.holder.has_certificate or (is_black and not for_team)  # of a name alone no doses are known
        return action if matches and decides else MIDDLE

    async def colour(self, person_id: str, at: datetime) -> Colour:
        """Return a person's colour, for his own bound device only. Without a certificate he has no doses.

        Raises:
            Unavailable: the database does not answer, or who is black is not read yet.
        """
        seen = await self._own(person_id, SHOWN)
        return colour_of(seen.facts(self.statuses.black_until(person_id)), at.astimezone(OWN_CLOCK), editions())

    async def phone_of(self, person_id: str) -> str | None:
        """Return the number that the registry holds of a person, as +62…; None if it holds none.

        Raises:
            Unavailable: the database does not answer.
        """
        return (await self._own(person_id, PHONE_USED)).holder.phone or None

    async def names_of(self, persons: Sequence[str], who: str) -> list[str]:
        """Return the names of staff whom their infection control team has to find; empty where none is known.

        Raises:
            Unavailable: the database does not answer.
        """
        names = []
        for person in persons:
            ticket = await self._desk.read(store.ask, who, NAMED, person)
            names.append((await self._desk.read(_open, self._desk.vault, ticket, person)).holder.name)
        return names

    async def _own(self, person_id: str, what: str) -> "_Seen":
        ticket = await self._desk.read(store.ask, "visitor", what, person_id)
        return await self._desk.read(_open, self._desk.vault, ticket, person_id)


class _Seen(NamedTuple):
    """What a look-up brought out."""

    holder: Holder
    is_known: bool  # false: a holder who is nobody, after the same work
    doses: tuple[tuple[int, date], ...]

    def facts(self, black_until: tuple[datetime, ...]) -> Facts:
        birth_date = self.holder.birth_date if self.is_known else None
        return Facts(birth_date=birth_date, doses=self.doses, black_until=black_until)


def registry_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Registry:
    """Return the registry of the application that serves this request."""
    registry = connection.app.state.registry
    assert isinstance(registry, Registry)
    return registry


def _ask(conn: Connection, vault: Vault, subject: Subject, who: str) -> tuple[str | None, int]:
    person = vault.known_id(conn, subject)
    return person, store.ask(conn, who, LOOKED_UP, person)


def _look(
    conn: Connection, vault: Vault, ticket: int, person: str | None, facility_id: str
) -> tuple[_Seen, Action, bool]:
    seen = _open(conn, vault, ticket, person)
    return seen, store.yellow_rule(conn, facility_id), store.is_staff(conn, facility_id, person)


def _open(conn: Connection, vault: Vault, ticket: int, person: str | None) -> _Seen:
    found = store.certificate(conn, ticket, person)
    key, name, sealed = _NO_KEY, _NO_PERSON, _NO_SEAL
    if found.key is not None and found.holder:
        key, name, sealed = vault.own_key(conn, found.key), found.key.person, found.holder
    try:
        return _Seen(unseal(key, name, sealed), bool(found.holder), found.doses)
    except InvalidTag as error:
        raise Unavailable("the vault's keys are being changed") from error
