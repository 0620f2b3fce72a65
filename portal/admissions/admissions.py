"""The admissions desk: a hospital's system sends who came in, was moved, and left, as CSV or as a FHIR R4 bundle."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import msgspec
from litestar import post

from portal.admissions.feed import Outcome, take
from portal.admissions.fhir import stays_of
from portal.admissions.rows import OPTIONAL, REQUIRED, unit_of
from portal.admissions.stays import Unit
from portal.bodies import FILE_MAX
from portal.desk import Desk, GateRequest, desk_of
from portal.fhir import Bundle
from portal.keys import Principal, allow
from portal.openapi import NEEDS_KEY, refusals, with_file
from portal.problems import TooLarge
from portal.store import FacilityRow
from portal.tables import is_table, read_table
from schemas.errors import BadInput

ROLE: Final = "import"
RECORDS_MAX: Final = 5_000


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one record: its line in a CSV file (the header is 1), or its entry in a bundle (from 0)."""

    line: int | None = None
    entry: int | None = None
    status: Literal["new", "changed", "known", "withdrawn", "ignored", "bad"]
    field: str = ""
    reason: str = ""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each record, in order."""

    taken: int
    bad: int
    results: list[Result]


class _Judged(NamedTuple):
    at: int
    unit: Unit | BadInput | None  # None: a record that we do not take
    facility: FacilityRow | None = None


@post(
    "/v1/admissions",
    guards=[allow(ROLE)],
    status_code=200,
    request_max_body_size=FILE_MAX,
    operation_class=with_file("Encounter"),
    responses=refusals(413),
    security=NEEDS_KEY,
)
async def post_admissions(request: GateRequest) -> Taken:
    """Take admissions, transfers, discharges and deaths: good ones become scans, bad ones are named."""
    desk, principal = desk_of(request), request.user
    is_csv = is_table(request.headers.get("content-type", ""))
    read = _rows if is_csv else _stays
    body, now, demo = await request.body(), datetime.now(UTC), desk.settings.demo
    judged = await asyncio.to_thread(lambda: list(read(body, principal.facility, now, demo=demo)))
    if len(judged) > RECORDS_MAX:
        raise TooLarge(f"more than {RECORDS_MAX:,} records at once")
    judged = await _placed(desk, principal, judged)
    await desk.horizon.know()
    outcomes = await _take(desk, principal, judged)
    results = [_result(one, outcomes.get(number), is_csv=is_csv) for number, one in enumerate(judged)]
    bad = sum(one.status == "bad" for one in results)
    return Taken(taken=len(results) - bad, bad=bad, results=results)


def _rows(data: bytes, own_facility: str, now: datetime, *, demo: bool) -> Iterator[_Judged]:
    for line, cells, fault in read_table(data, required=REQUIRED, optional=OPTIONAL):
        try:
            if fault is not None:
                raise fault
            yield _Judged(line, unit_of(cells, own_facility, now, demo=demo))
        except BadInput as error:
            yield _Judged(line, error)


def _stays(data: bytes, own_facility: str, now: datetime, *, demo: bool) -> Iterator[_Judged]:
    for number, unit, fault in stays_of(Bundle(data), own_facility, now, demo=demo):
        yield _Judged(number, fault or unit)


async def _placed(desk: Desk, principal: Principal, judged: Sequence[_Judged]) -> list[_Judged]:
    """Return the records with their facilities; one that is not known, or another's, is bad."""
    await desk.register.know({one.unit.facility_id for one in judged if isinstance(one.unit, Unit)})
    return [_placed_one(desk, principal, one) for one in judged]


def _placed_one(desk: Desk, principal: Principal, one: _Judged) -> _Judged:
    if not isinstance(one.unit, Unit):
        return one
    facility = desk.register.get(one.unit.facility_id)
    fault = None
    if facility is None:
        fault = BadInput("is not known", field="facility_id")
    elif not principal.may_speak_for(facility.facility_id, facility.district):
        fault = BadInput("is not this key's", field="facility_id")
    if fault is not None:
        return one._replace(unit=fault if one.unit.subject is not None else None)
    return one._replace(facility=facility)


async def _take(desk: Desk, principal: Principal, judged: Sequence[_Judged]) -> dict[int, Outcome | BadInput]:
    """Return what became of the good ones, by their places in `judged`."""
    places: dict[str, FacilityRow] = {}
    groups: dict[str, list[tuple[int, Unit]]] = {}
    for number, one in enumerate(judged):
        if isinstance(one.unit, Unit) and one.facility is not None:
            places[one.facility.facility_id] = one.facility
            groups.setdefault(one.facility.facility_id, []).append((number, one.unit))
    outcomes: dict[int, Outcome | BadInput] = {}
    for facility_id, group in groups.items():
        said = await take(desk, principal, places[facility_id], [unit for _, unit in group])
        outcomes |= {number: outcome for (number, _), outcome in zip(group, said, strict=True)}
    return outcomes


def _result(one: _Judged, outcome: Outcome | BadInput | None, *, is_csv: bool) -> Result:
    line, entry = (one.at, None) if is_csv else (None, one.at)
    if isinstance(one.unit, BadInput):
        return Result(line=line, entry=entry, status="bad", field=one.unit.field, reason=one.unit.reason)
    if isinstance(outcome, BadInput):
        field = outcome.field if is_csv else "period"
        return Result(line=line, entry=entry, status="bad", field=field, reason=outcome.reason)
    return Result(line=line, entry=entry, status=outcome or "ignored")
