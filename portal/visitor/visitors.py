"""What the visitors' handlers work with, and who asks: the desk, the registry, limits, and which device signed."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar.connection import ASGIConnection

from portal.desk import Desk
from portal.kept import Kept
from portal.posters.check import Posters, posters_of
from portal.registry.registry import Registry, registry_of
from portal.visitor import store
from portal.visitor.chain import CLOCK_ERROR_MAX
from portal.visitor.crowd import Crowd
from portal.visitor.limited import Limited
from portal.visitor.shapes import ConfirmBody, DeviceBody
from portal.visitor.signing import is_signed, request_text
from portal.visitor.store import Device
from portal.web.secret_box import SecretBox
from schemas.errors import BadInput, Refused
from schemas.events import Kind

NOT_THE_DEVICE: Final = "the device is not known, or this is not its signature"


class Visitors:
    """One per gate process."""

    def __init__(self, desk: Desk, box: SecretBox, posters: Posters, registry: Registry) -> None:
        self.desk = desk
        self.box = box
        self.posters = posters
        self.registry = registry
        self.limited = Limited()
        self.crowds: Kept[Crowd] = Kept()

    async def device_of(self, body: DeviceBody | ConfirmBody, path: str) -> Device:
        """Return the device that signed a request.

        Raises:
            BadInput: it was signed too long ago, or by a wrong clock (field `signed.sent_at`).
            Refused: the device is not known, or did not sign this; which of them is not said.
            Unavailable: the database does not answer.
        """
        if abs(sent(body.signed.sent_at, "signed.sent_at") - datetime.now(UTC)) > CLOCK_ERROR_MAX:
            raise BadInput("is more than 5 minutes off", field="signed.sent_at")
        device = await self.desk.read(store.find_device, body.device_id)
        code = body.code if isinstance(body, ConfirmBody) else ""
        text = request_text(body.device_id, path, body.signed.sent_at, code)
        if device is None or not is_signed(device.public_key, body.signed.signature, text):
            raise Refused(NOT_THE_DEVICE)
        return device

    async def kind_of(self, facility_id: str) -> Kind | None:
        """Return what a facility is; None if there is none of that id.

        Raises:
            Unavailable: it is not known yet, and the database does not answer.
        """
        await self.desk.register.know((facility_id,))
        row = self.desk.register.get(facility_id)
        return None if row is None else Kind(row.kind)


def sent(text: str, field: str) -> datetime:
    """Return the instant that a phone wrote.

    Raises:
        BadInput: there is no such instant.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("is no instant", field=field) from None


def visitors_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitors:
    """Return the visitors of the application that serves this request."""
    state = connection.app.state
    if "visitors" not in state:
        state.visitors = Visitors(state.desk, state.box, posters_of(connection), registry_of(connection))
    visitors = state.visitors
    assert isinstance(visitors, Visitors)
    return visitors
