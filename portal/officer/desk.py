"""The officer's desk: a page that works by keyboard alone, the look-up behind it, and the entries it sends.

A look-up is answered at the next tick of a clock, so that the time it took says nothing of whom it found.
"""

import asyncio
import base64
import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of, principal_of
from portal.desk import desk_of
from portal.officer import store
from portal.officer.bodies import LOOK_UPS, EntriesAnswer, LookUpAnswer
from portal.officer.intake import read_entries, take_entries
from portal.officer.quotas import Quotas, quotas_of
from portal.places.own import READERS, check_own, own_place, place_page
from portal.regions import regions_in
from portal.registry.registry import registry_of
from portal.web.pages import WebRequest, language_of
from portal.web.words import all_words
from schemas.events import Role

TICK_S: Final = 0.1
KINDS: Final = ("nik", "passport", "kitas", "temporary")
WORDS: Final = "officer.js."


@get("/meja", guards=[READERS])
async def get_own_desk(request: WebRequest) -> Redirect:
    """Lead to the desk of the account's facility; whoever has several chooses first."""
    own = account_of(request).facilities
    return Redirect(f"/faskes/{own[0]}/meja" if len(own) == 1 else "/faskes", status_code=303)


@get("/faskes/{facility_id:str}/meja", guards=[READERS])
async def get_desk(request: WebRequest, facility_id: str) -> Template:
    """Show the desk."""
    place = await own_place(request, facility_id)
    account, now = account_of(request), datetime.now(UTC)
    zones = await desk_of(request).read(store.zones_of, place.facility_no)
    return place_page(
        request,
        "officer/desk",
        place,
        zones=zones,
        kinds=KINDS,
        roles=list(Role),
        districts=[one for province in regions_in() for one in regions_in(province.code)],
        words=_words(request),
        queue_key=base64.b64encode(request.app.state.box.tag("officer queue", account.account_id)).decode(),
        now_ms=int(now.timestamp() * 1000),
        offset=f"{now.astimezone(place.zone):%z}",
    )


@post("/faskes/{facility_id:str}/meja/periksa", status_code=200, guards=[READERS])
async def post_look_up(request: WebRequest, facility_id: str) -> LookUpAnswer:
    """Return what to do with somebody who shows a document.

    Raises:
        BadInput: what was sent cannot be a document; says nothing of any person.
        TooMany: the officer, the facility or the address asks too often.
        Unavailable: nobody can say now; the officer looks at the papers.
    """
    began_s = time.monotonic()
    check_own(request, facility_id)
    _take(request, quotas_of(request).look_ups, facility_id)
    asked = LOOK_UPS.decode(await request.body())
    action = await registry_of(request).action(
        asked.subject.type,
        asked.subject.value,
        asked.name,
        datetime.now(UTC),
        facility_id=facility_id,
        who=account_of(request).email,
    )
    spent_s = time.monotonic() - began_s
    await asyncio.sleep(TICK_S - spent_s % TICK_S)
    return LookUpAnswer(action)


@post("/faskes/{facility_id:str}/meja/entri", status_code=200, guards=[READERS])
async def post_entries(request: WebRequest, facility_id: str) -> EntriesAnswer:
    """Take up to 20 entries, also those that waited for a signal; the answer comes when they cannot be lost.

    Raises:
        InvalidEvent: the body holds no entries.
        TooMany: the officer, the facility or the address enters too many.
        Unavailable: send all again with the same ids.
    """
    check_own(request, facility_id)
    items = read_entries(await request.body())
    _take(request, quotas_of(request).entries, facility_id, len(items))
    principal = msgspec.structs.replace(principal_of(request), role="gate", facility=facility_id)
    return await take_entries(desk_of(request), account_of(request), principal, items, datetime.now(UTC))


ROUTES: Final[tuple[Any, ...]] = (get_own_desk, get_desk, post_look_up, post_entries)


def _take(request: WebRequest, quotas: Quotas, facility_id: str, count: int = 1) -> None:
    quotas.take(
        officer=account_of(request).account_id,
        facility=facility_id,
        address=request.client.host if request.client else "",
        now_s=time.monotonic(),
        count=count,
    )


def _words(request: WebRequest) -> dict[str, str]:
    language = language_of(request)
    return {key.removeprefix(WORDS): texts[language] for key, texts in all_words().items() if key.startswith(WORDS)}
