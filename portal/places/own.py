"""Whose facility it is: managers and officers open the pages of their own, and only managers change anything there."""

from typing import Any, Final

from litestar.response import Template

from portal.accounts.guard import account_of, signed_in
from portal.desk import desk_of
from portal.places import store
from portal.places.store import Place
from portal.web.pages import WebRequest, page
from schemas.errors import NotFound

READERS: Final = signed_in("manager", "officer")
MANAGERS: Final = signed_in("manager")


def check_own(request: WebRequest, facility_id: str) -> None:
    """Let in whoever belongs to the facility.

    Raises:
        NotFound: it is another's, or there is none: which of them is not said.
    """
    if facility_id not in account_of(request).facilities:
        raise NotFound("no such facility")


async def own_place(request: WebRequest, facility_id: str) -> Place:
    """Return a facility of the account's own.

    Raises:
        NotFound: it is another's, or there is none.
    """
    check_own(request, facility_id)
    return await desk_of(request).read(store.read_place, facility_id)


def place_page(request: WebRequest, name: str, place: Place, *, status: int = 200, **context: Any) -> Template:  # noqa: ANN401 — what a template is given
    """Return a page of a facility, of another folder than `places` by its name with a slash.

    Its template may ask `place`, `may_change` and `clock(instant)`.
    """
    may_change = account_of(request).role == "manager"
    named = name if "/" in name else f"places/{name}"
    return page(request, named, status=status, place=place, may_change=may_change, clock=place.clock, **context)
