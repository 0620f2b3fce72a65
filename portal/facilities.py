"""The facilities desk: how many are inside, and the counts of each hour. Exact to those entitled, bands to the rest."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from litestar import get
from litestar.params import QueryParameter

from portal import store
from portal.bands import band_of, last_refresh, minutes_of
from portal.bodies import HourBand, HourBandsAnswer, HourCounts, HoursAnswer, OccupancyAnswer
from portal.desk import Desk, GateRequest, desk_of
from portal.keys import ROLES, Principal, allow
from portal.openapi import NEEDS_KEY, refusals
from portal.store import FacilityRow, HourRow
from schemas.codec import YEAR_MAX, YEAR_MIN
from schemas.errors import BadInput, NotFound

RANGE_MAX: Final = timedelta(days=31)


@get("/v1/facilities/{facility_id:str}/occupancy", guards=[allow(*ROLES)], responses=refusals(404), security=NEEDS_KEY)
async def get_occupancy(request: GateRequest, facility_id: str) -> OccupancyAnswer:
    """Say how many are inside."""
    desk, now = desk_of(request), datetime.now(UTC)
    facility = await _facility(desk, facility_id)
    zone = ZoneInfo(facility.time_zone)
    if _is_entitled(request.user, facility):
        count = await desk.read(store.occupancy, facility.facility_no, now)
        return OccupancyAnswer(
            facility_id=facility_id, at=now.astimezone(zone), exact=True, count=count, band=band_of(count)
        )
    at = last_refresh(now)

    async def compute() -> str:
        return band_of(await desk.read(store.occupancy, facility.facility_no, at))

    band = await desk.public_occupancy.get(facility_id, at, compute)
    return OccupancyAnswer(facility_id=facility_id, at=at.astimezone(zone), exact=False, band=band)


@get("/v1/facilities/{facility_id:str}/hours", guards=[allow(*ROLES)], responses=refusals(404), security=NEEDS_KEY)
async def get_hours(
    request: GateRequest,
    facility_id: str,
    since: Annotated[
        str, QueryParameter(name="from", description="ISO 8601 with offset; hours beginning here or later")
    ] = "",
    until: Annotated[
        str, QueryParameter(name="to", description="ISO 8601 with offset; at most 31 days after `from`")
    ] = "",
) -> HoursAnswer | HourBandsAnswer:
    """Return the counts of the hours that begin in [from, to); bands reach back 31 days."""
    desk = desk_of(request)
    begin, end = _instant(since, "from"), _instant(until, "to")
    if not begin < end:
        raise BadInput("must be after `from`", field="to")
    if end - begin > RANGE_MAX:
        raise BadInput("is more than 31 days after `from`", field="to")
    facility = await _facility(desk, facility_id)
    if _is_entitled(request.user, facility):
        rows = await desk.read(store.hours, facility.facility_no, begin, end)
        return HoursAnswer(facility_id=facility_id, hours=[_exact(row, facility) for row in rows])
    bands = [band for band in await _public_hours(desk, facility) if begin <= band.hour_start < end]
    return HourBandsAnswer(facility_id=facility_id, hours=bands)


async def _public_hours(desk: Desk, facility: FacilityRow) -> list[HourBand]:
    at = last_refresh(datetime.now(UTC))
    zone = ZoneInfo(facility.time_zone)

    async def compute() -> list[HourBand]:
        rows = await desk.read(store.hours, facility.facility_no, at - RANGE_MAX, at)
        return [
            HourBand(hour_start=row.hour.astimezone(zone), visitors=band_of(row.visitors), flagged=band_of(row.flagged))
            for row in rows
        ]

    return await desk.public_hours.get(facility.facility_id, at, compute)


async def _facility(desk: Desk, facility_id: str) -> FacilityRow:
    await desk.register.know({facility_id})
    facility = desk.register.get(facility_id)
    if facility is None:
        raise NotFound("no such facility")
    return facility


def _is_entitled(principal: Principal, facility: FacilityRow) -> bool:
    return principal.may_speak_for(facility.facility_id, facility.district)


def _exact(row: HourRow, facility: FacilityRow) -> HourCounts:
    return HourCounts(
        hour_start=row.hour.astimezone(ZoneInfo(facility.time_zone)),
        arrivals=row.arrivals,
        departures=row.departures,
        visitors=row.visitors,
        person_minutes=minutes_of(row.person_us),
        estimated=row.estimated,
        refused=row.refused,
        manual=row.manual,
        flagged=row.flagged,
    )


def _instant(text: str, field: str) -> datetime:
    if not text:
        raise BadInput("is missing", field=field)
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of a query arrives as a blank
    except ValueError:
        raise BadInput("is not an ISO 8601 instant", field=field) from None
    if at.tzinfo is None:
        raise BadInput("has no offset", field=field)
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise BadInput(f"is outside the years {YEAR_MIN}–{YEAR_MAX}", field=field)
    return at
