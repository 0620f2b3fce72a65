"""A facility's first page: how many are inside, the hours and the days; the same as JSON for its charts."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import get
from litestar.response import Redirect, Template

from portal import store as gate_store
from portal.accounts.guard import account_of
from portal.desk import desk_of
from portal.places import store
from portal.places.counts import Slot, by_day, by_hour, first_instant, fullness
from portal.places.own import READERS, check_own, own_place, place_page
from portal.places.store import ManualEntry, Place
from portal.plausibility.store import count_flagged
from portal.store import Connection
from portal.web.pages import WebRequest, page

ENTRIES_MAX: Final = 500


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the first page shows, as its charts ask for it."""

    inside: int
    capacity: int | None
    full: int | None  # per cent
    at: str  # by the facility's clock
    waiting: int  # flagged scans that nobody has cleared or voided
    hours: list[Slot]
    days: list[Slot]


@get("/faskes", guards=[READERS])
async def get_places(request: WebRequest) -> Template | Redirect:
    """Show the account's facilities; whoever has one is led to it."""
    own = account_of(request).facilities
    if len(own) == 1:
        return Redirect(f"/faskes/{own[0]}", status_code=303)
    places = await desk_of(request).read(_occupied, own)
    return page(request, "places/list", places=places)


@get("/faskes/{facility_id:str}", guards=[READERS])
async def get_overview(request: WebRequest, facility_id: str) -> Template:
    """Show a facility's counts."""
    check_own(request, facility_id)
    place, figures = await desk_of(request).read(_figures, facility_id, datetime.now(UTC))
    return place_page(request, "overview", place, figures=figures)


@get("/faskes/{facility_id:str}/angka", guards=[READERS])
async def get_figures(request: WebRequest, facility_id: str) -> Figures:
    """Return the counts for the charts."""
    check_own(request, facility_id)
    _, figures = await desk_of(request).read(_figures, facility_id, datetime.now(UTC))
    return figures


@get("/faskes/{facility_id:str}/manual", guards=[READERS])
async def get_manual(request: WebRequest, facility_id: str) -> Template:
    """Show what officers entered by hand today."""
    place = await own_place(request, facility_id)
    entries = await desk_of(request).read(_entries_of_today, place, datetime.now(UTC))
    return place_page(request, "manual", place, entries=entries)


ROUTES: Final[tuple[Any, ...]] = (get_places, get_overview, get_figures, get_manual)


def _figures(conn: Connection, facility_id: str, now: datetime) -> tuple[Place, Figures]:
    place = store.read_place(conn, facility_id)
    zone = place.zone
    rows = gate_store.hours(conn, place.facility_no, first_instant(now, zone), now)
    inside = gate_store.occupancy(conn, place.facility_no, now)
    capacity = None if place.details is None else place.details.capacity
    return place, Figures(
        inside=inside,
        capacity=capacity,
        full=fullness(inside, capacity),
        at=place.clock(now),
        waiting=count_flagged(conn, place.facility_no),
        hours=by_hour(rows, now, zone),
        days=by_day(rows, now, zone),
    )


def _occupied(conn: Connection, facility_ids: tuple[str, ...]) -> list[tuple[Place, int]]:
    now = datetime.now(UTC)
    return [
        (place, gate_store.occupancy(conn, place.facility_no, now)) for place in store.list_places(conn, facility_ids)
    ]


def _entries_of_today(conn: Connection, place: Place, now: datetime) -> list[ManualEntry]:
    midnight = now.astimezone(place.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return store.manual_entries(conn, place.facility_no, midnight, midnight + timedelta(days=1), ENTRIES_MAX)
