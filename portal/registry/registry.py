"""The certificate registry as the other desks use it: an action for an officer, a colour for a bound phone.

A hit and a miss take the same work and have the same shape; every look-up is in the audit before its answer is known.
"""

from datetime import datetime
from typing import Any

from litestar.connection import ASGIConnection

from portal.desk import Desk
from portal.registry.colours import Action, Colour
from schemas.errors import Unavailable
from schemas.events import Role


class Registry:
    """Looks up; one per gate process."""

    def __init__(self, desk: Desk) -> None:
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
        role: Role = Role.UNKNOWN,
    ) -> Action:
        """Return what an officer of a facility does with somebody who shows a document.

        Args:
            doc_type: nik, passport, kitas (or test, in the demo).
            number: of the document.
            name: as the document says it; another name than the registry's is no match.
            at: when he stands at the gate.
            facility_id: where: what yellow means is the facility's own rule.
            who: asks; for the audit, and so for the person's processing trail.
            role: why he comes: of staff at their own facility the infection control team hears, not the gate.

        Raises:
            BadInput: the number cannot be one of that type; names the field, never the value.
            Unavailable: the database does not answer, or what is known of cases is not read yet.
        """
        raise Unavailable("the registry is not open yet")

    async def colour(self, person_id: str, at: datetime) -> Colour:
        """Return a person's colour, for his own bound device only.

        Raises:
            Unavailable: the database does not answer, or what is known of cases is not read yet.
        """
        raise Unavailable("the registry is not open yet")

    async def phone_of(self, person_id: str) -> str | None:
        """Return the number that the registry holds of a person, as +62…; None if it holds none.

        Raises:
            Unavailable: the database does not answer.
        """
        raise Unavailable("the registry is not open yet")


def registry_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Registry:
    """Return the registry of the application that serves this request."""
    state = connection.app.state
    if "registry" not in state:
        state.registry = Registry(state.desk)
    registry = state.registry
    assert isinstance(registry, Registry)
    return registry
