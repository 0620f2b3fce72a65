"""The vaccinations desk: a vaccination register sends what it has on record, as CSV or as a FHIR R4 bundle."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import msgspec
from litestar import post

from portal.bodies import FILE_MAX
from portal.desk import GateRequest, desk_of
from portal.keys import allow
from portal.openapi import NEEDS_KEY, refusals, with_file
from portal.problems import TooLarge
from portal.registry.importing import Result, batches, good, judge, results_of
from portal.registry.store import Source
from portal.registry.taking import take
from portal.tables import is_table

ROLE: Final = "registry"
RECORDS_MAX: Final = 5_000


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each record, in order."""

    taken: int
    bad: int
    results: list[Result]


@post(
    "/v1/vaccinations",
    guards=[allow(ROLE)],
    status_code=200,
    request_max_body_size=FILE_MAX,
    operation_class=with_file("Immunization"),
    responses=refusals(413),
    security=NEEDS_KEY,
)
async def post_vaccinations(request: GateRequest) -> Imported:
    """Take records of vaccinations: good ones are stored, bad ones named, and all may be sent again."""
    desk, who = desk_of(request), request.user.name
    source: Source = "csv" if is_table(request.headers.get("content-type", "")) else "fhir"
    body, now, demo = await request.body(), datetime.now(UTC), desk.settings.demo
    judged = await asyncio.to_thread(lambda: list(judge(source, body, now, demo=demo)))  # scans must not wait for it
    if len(judged) > RECORDS_MAX:
        raise TooLarge(f"more than {RECORDS_MAX:,} records at once")
    results: list[Result] = []
    for group in batches(judged):
        outcomes = await desk.read(take, desk.vault, good(group), who, source) if good(group) else []
        results += results_of(source, group, outcomes)
    bad = sum(one.status == "bad" for one in results)
    return Imported(taken=len(results) - bad, bad=bad, results=results)
