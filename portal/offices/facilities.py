"""Visitors of an area as they are counted today, and who uses the QR codes: from the country down to a facility.

Exact numbers: an office sees those of its own area, the ministry all. Use is worked out from whole days, once in a
quarter of an hour for each district, however many ask.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get
from litestar.response import Template

from portal.accounts.guard import account_of, principal_of
from portal.bands import last_refresh
from portal.desk import desk_of
from portal.kept import Latest
from portal.keys import EVERYWHERE
from portal.offices import store
from portal.offices.own import OVERSEERS, PROVINCE_LENGTH, area_asked, is_district, office_page, way_to
from portal.offices.store import Numbers
from portal.offices.usage import DAYS, FacilityDays, Judged, Trend, Use, counted, judge_all, trends, week_days
from portal.regions import name_of, time_zone_of
from portal.store import Connection
from portal.web.pages import WebRequest
from portal.web.sheets import note_sheet, sheet_answer, sheet_of

FACILITIES_MAX: Final = 3_000  # more than any district has
SHOWN_MAX: Final = 200  # of facilities on a page; a file has all
NUMBER_COLUMNS: Final = (
    *("code", "name", "kind", "district", "facilities", "inside", "arrivals", "departures", "busiest_hour_visitors"),
    *("estimated", "refused", "manual", "flagged"),
)
USE_COLUMNS: Final = (
    *(
        "facility_id",
        "name",
        "kind",
        "district",
        "use",
        "days_since_last_scan",
        "arrivals_a_day",
        "entered_by_officers",
    ),
    *("first_day", "last_day"),
)


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """What the chart draws: the weeks, and a line for each area."""

    weeks: list[str]
    lines: list[Trend]
    names: list[str]


class Usage(NamedTuple):
    """How an area uses its QR codes."""

    judged: list[Judged]
    trends: list[Trend]
    today: date


@get("/dinas/pengunjung", guards=[OVERSEERS])
async def get_visitors(request: WebRequest) -> Template:
    """Show today's visitors: of each area below, and of each facility of a district."""
    area = area_asked(request)
    rows = await _numbers(request, area)
    total = {name: sum(getattr(one, name) for one in rows) for name in ("facilities", "arrivals", "departures")}
    total |= {name: sum(getattr(one, name) for one in rows) for name in ("manual", "flagged", "refused")}
    inside = sum(one.inside or 0 for one in rows) if is_district(area) else None
    return office_page(
        request,
        "visitors",
        rows=rows,
        total=total,
        inside=inside,
        at=_local(area, datetime.now(UTC)),
        **_around(request, area),
    )


@get("/dinas/pengunjung.csv", guards=[OVERSEERS])
async def get_visitors_sheet(request: WebRequest) -> Response[bytes]:
    """Return today's visitors as a file."""
    area = area_asked(request)
    rows = [_numbers_row(one) for one in await _numbers(request, area)]
    return await _sheet(request, f"pengunjung-{area}", NUMBER_COLUMNS, rows)


@get("/dinas/pemakaian", guards=[OVERSEERS])
async def get_usage(request: WebRequest) -> Template:
    """Show who uses the QR codes: weeks by area, and the facilities that need looking after."""
    area = area_asked(request)
    usage = await _usage(request, area)
    by_use = {use: [one for one in usage.judged if one.use is use] for use in Use}
    falling = [one for one in usage.trends if one.change is not None and one.change < 0]
    return office_page(
        request,
        "usage",
        by_use=by_use,
        counts=counted(usage.judged),
        trends=usage.trends,
        falling=len(falling),
        weeks=[day.strftime("%d-%m") for day in week_days(usage.today)],
        bounds=await desk_of(request).read(store.bounds),
        shown_max=SHOWN_MAX,
        whole=sum(one.arrivals[-1] for one in (judged.facility for judged in usage.judged)),
        **_around(request, area),
    )


@get("/dinas/pemakaian/angka", guards=[OVERSEERS])
async def get_weeks(request: WebRequest) -> Week:
    """Return the weeks for the chart: the areas with most arrivals, and the whole."""
    usage = await _usage(request, area_asked(request))
    lines = sorted(usage.trends, key=lambda one: -sum(one.weeks))[:8]
    return Week(
        weeks=[day.strftime("%d-%m") for day in week_days(usage.today)],
        lines=lines,
        names=[name_of(one.area) or one.area for one in lines],
    )


@get("/dinas/pemakaian.csv", guards=[OVERSEERS])
async def get_usage_sheet(request: WebRequest) -> Response[bytes]:
    """Return how every facility of an area uses its QR codes, as a file."""
    area = area_asked(request)
    usage = await _usage(request, area)
    days = week_days(usage.today)[0], usage.today
    return await _sheet(request, f"pemakaian-{area}", USE_COLUMNS, [_use_row(one, *days) for one in usage.judged])


@get("/dinas/tren.csv", guards=[OVERSEERS])
async def get_trends_sheet(request: WebRequest) -> Response[bytes]:
    """Return the weeks of each area as a file."""
    area = area_asked(request)
    usage = await _usage(request, area)
    header = ("area", "name", "facilities", *(day.isoformat() for day in week_days(usage.today)), "change_percent")
    rows = [(one.area, name_of(one.area), one.facilities, *one.weeks, one.change) for one in usage.trends]
    return await _sheet(request, f"tren-{area}", header, rows)


ROUTES: Final[tuple[Any, ...]] = (
    get_visitors,
    get_visitors_sheet,
    get_usage,
    get_weeks,
    get_usage_sheet,
    get_trends_sheet,
)


async def _numbers(request: WebRequest, area: str) -> list[Numbers]:
    desk, now = desk_of(request), datetime.now(UTC)
    if is_district(area):
        return await desk.read(store.numbers_of_facilities, area, now, FACILITIES_MAX)
    length = PROVINCE_LENGTH if area == EVERYWHERE else 5
    found = await desk.read(store.numbers_of_areas, area, length, now)
    return [msgspec.structs.replace(one, name=name_of(one.code) or one.code) for one in found]


async def _usage(request: WebRequest, area: str) -> Usage:
    """Return how an area uses its codes; it is asked district by district, as no look-up may take long."""
    now = datetime.now(UTC)
    today = _local(area, now).date()
    bounds = await desk_of(request).read(store.bounds)
    facilities: list[FacilityDays] = []
    for one in await desk_of(request).read(store.districts_of, area):
        facilities += await _days(request, one, now)
    length = PROVINCE_LENGTH if area == EVERYWHERE else 5
    return Usage(judge_all(facilities, today, bounds), trends(facilities, length), today)


async def _days(request: WebRequest, district: str, now: datetime) -> Sequence[FacilityDays]:
    kept: Latest[list[FacilityDays]] = request.app.state.setdefault("days_of_districts", Latest())
    today = _local(district, now).date()

    async def compute() -> list[FacilityDays]:
        return await desk_of(request).read(store.days_of, district, today, DAYS)

    return await kept.get(district, last_refresh(now), compute)


def _local(area: str, now: datetime) -> datetime:
    """Return the time in an area; of the whole country Jakarta's."""
    return now.astimezone(ZoneInfo("Asia/Jakarta" if area == EVERYWHERE else time_zone_of(area)))


def _around(request: WebRequest, area: str) -> dict[str, Any]:
    """Return where the page stands: the way down to the area, and what lies in it."""
    own = account_of(request).area
    return {"area": area, "way": way_to(own, area), "is_district": is_district(area)}


async def _sheet(
    request: WebRequest, name: str, header: Sequence[str], rows: Sequence[Sequence[object]]
) -> Response[bytes]:
    principal, sheet = principal_of(request), sheet_of(name, header, rows)

    def note(conn: Connection) -> None:
        note_sheet(conn, principal, sheet)

    await desk_of(request).read(note)
    return sheet_answer(sheet, datetime.now(UTC))


def _numbers_row(one: Numbers) -> tuple[object, ...]:
    counts = one.inside, one.arrivals, one.departures, one.busiest, one.estimated, one.refused, one.manual, one.flagged
    return one.code, one.name, one.kind, one.district, one.facilities, *counts


def _use_row(one: Judged, first: date, today: date) -> tuple[object, ...]:
    facility = one.facility
    idle = facility.idle_days if facility.was_used else None
    days = first.isoformat(), date.fromordinal(today.toordinal() - 1).isoformat()
    facts = facility.facility_id, facility.name, facility.kind, facility.district
    return (*facts, one.use.value, idle, f"{one.mean:.2f}", facility.by_hand, *days)
