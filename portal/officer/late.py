"""The second person's list: what was entered for more than a day ago is sent when another of the facility agrees."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of
from portal.accounts.store import Account
from portal.desk import Desk, desk_of
from portal.officer import store
from portal.officer.intake import resent
from portal.officer.store import Late
from portal.places.own import READERS, own_place, place_page
from portal.places.store import Place
from portal.scans import AGE_MAX
from portal.store import Connection, append_audit
from portal.web.forms import form_of
from portal.web.pages import WebRequest
from schemas.errors import Conflict


@get("/faskes/{facility_id:str}/meja/susulan", guards=[READERS])
async def get_late(request: WebRequest, facility_id: str) -> Template:
    """Show what waits for a second person, and what became of the rest."""
    return await _shown(request, await own_place(request, facility_id), 200, {})


@post("/faskes/{facility_id:str}/meja/susulan/{scan_id:uuid}", status_code=200, guards=[READERS])
async def post_late(request: WebRequest, facility_id: str, scan_id: UUID) -> Response[Any] | Template:
    """Approve or refuse an entry of somebody else's, or send again what was approved and did not arrive.

    Raises:
        NotFound: there is no such entry here.
        Conflict: it is decided, or whoever asks made it.
        Unavailable: it was not sent; it stays approved, and can be sent again.
    """
    place = await own_place(request, facility_id)
    form = await form_of(request, "action")
    account, desk, now = account_of(request), desk_of(request), datetime.now(UTC)
    if form["action"] in {"approve", "refuse"}:
        await desk.read(_decide, place, str(scan_id), account, form["action"] == "approve", now)
    elif form["action"] != "send":
        return await _shown(request, place, 422, {"": "why.choose"})
    await _send(desk, place, str(scan_id), now)
    return Redirect(f"/faskes/{facility_id}/meja/susulan", status_code=303)


ROUTES: Final[tuple[Any, ...]] = (get_late, post_late)


def _decide(conn: Connection, place: Place, scan_id: str, account: Account, approved: bool, now: datetime) -> None:  # noqa: FBT001 — passed on by Desk.read, which takes no names
    late = store.decide_late(conn, place.facility_no, scan_id, account=account, approved=approved, now=now)
    if approved and late.scan.at < now - AGE_MAX:
        raise Conflict("the entry is of more than 30 days ago")
    what = "late entry approved" if approved else "late entry refused"
    append_audit(conn, account.email, what, late.scan.person_id, place.facility_id)


async def _send(desk: Desk, place: Place, scan_id: str, now: datetime) -> None:
    """Send an entry that was approved, with its original time: repeats change nothing."""
    late = await desk.read(store.unsent, place.facility_no, scan_id)
    if late is not None:
        await desk.send([resent(late.scan, now)])
        await desk.read(store.mark_sent, place.facility_no, scan_id, now)


async def _shown(request: WebRequest, place: Place, status: int, errors: dict[str, str]) -> Template:
    found: list[Late] = await desk_of(request).read(store.list_late, place.facility_no)
    return place_page(
        request,
        "officer/late",
        place,
        status=status,
        waiting=[one for one in found if one.approved is None],
        unsent=[one for one in found if one.approved and one.sent_at is None],
        done=[one for one in found if one.approved is False or one.sent_at is not None],
        errors=errors,
    )
