"""Where flagged scans are looked at: a facility's manager sees his own, the ministry all, by area; both clear or void.

When, at which gate, as what and why is shown, as of manual entries; whom it was about is not.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of, signed_in
from portal.desk import Desk, desk_of
from portal.nik import holds_nik
from portal.places import store as place_store
from portal.places.own import MANAGERS, own_place
from portal.places.store import Place
from portal.plausibility import store
from portal.plausibility.decisions import Decided, decide
from portal.plausibility.reasons import Reason
from portal.plausibility.store import Flagged
from portal.regions import full_name, name_of, regions_in
from portal.store import Connection
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest, page
from schemas.events import Verdict

MINISTRY: Final = signed_in("ministry")
ANSWERS: Final = (Verdict.CLEAR, Verdict.VOID)
REASON_MAX: Final = 128
FOLD_ASKED_S: Final = 0.1
FOLD_ASKED: Final = 20  # times: then the page is shown as it is

_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Picked(msgspec.Struct, frozen=True):
    """What a form says of which scans."""

    scan_ids: tuple[str, ...]
    decision: Verdict
    reason: str


@get("/faskes/{facility_id:str}/tanda", guards=[MANAGERS])
async def get_own(request: WebRequest, facility_id: str) -> Template:
    """Show the flagged scans of a manager's facility."""
    return await _shown(request, "own", await own_place(request, facility_id), 200, {}, {})


@post("/faskes/{facility_id:str}/tanda", status_code=200, guards=[MANAGERS])
async def post_own(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Clear or void scans of a manager's facility."""
    return await _decide(request, "own", await own_place(request, facility_id), f"/faskes/{facility_id}/tanda")


@get("/tanda", guards=[MINISTRY])
async def get_areas(request: WebRequest) -> Template:
    """Show the facilities with flagged scans, of the country or a province."""
    asked = request.query_params.get("wilayah", "")
    area = asked if asked in {region.code for region in regions_in()} else ""
    found = await desk_of(request).read(store.list_flagging, area)
    rows = [(one, full_name(one.district)) for one in found]
    return page(request, "flags/areas", rows=rows, area=area, area_name=name_of(area), provinces=regions_in())


@get("/tanda/{facility_id:str}", guards=[MINISTRY])
async def get_one(request: WebRequest, facility_id: str) -> Template:
    """Show the flagged scans of a facility to the ministry."""
    place = await desk_of(request).read(place_store.read_place, facility_id)
    return await _shown(request, "ministry", place, 200, {}, {})


@post("/tanda/{facility_id:str}", status_code=200, guards=[MINISTRY])
async def post_one(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Clear or void scans of a facility, by the ministry."""
    place = await desk_of(request).read(place_store.read_place, facility_id)
    return await _decide(request, "ministry", place, f"/tanda/{facility_id}")


ROUTES: Final[tuple[Any, ...]] = (get_own, post_own, get_areas, get_one, post_one)


def checked(form: Mapping[str, str], picked: Sequence[str]) -> Picked:
    """Return what a form says.

    Raises:
        FormError: every field that cannot be.
    """
    errors: dict[str, str] = {}
    reason = " ".join(form["reason"].split())
    if not picked or not all(map(_uuid.fullmatch, picked)):
        errors["scan"] = "flags.pick"
    if form["decision"] not in {answer.value for answer in ANSWERS}:
        errors["decision"] = "why.choose"
    if not reason:
        errors["reason"] = "form.empty"
    elif len(reason) > REASON_MAX:
        errors["reason"] = "form.too_long"
    elif holds_nik(reason):
        errors["reason"] = "why.nik"
    elif _control.search(reason):
        errors["reason"] = "why.control"
    if errors:
        raise FormError(errors)
    return Picked(tuple(dict.fromkeys(picked)), Verdict(form["decision"]), reason)


async def _decide(request: WebRequest, name: str, place: Place, home: str) -> Response[Any] | Template:
    desk, form = desk_of(request), await form_of(request, "decision", "reason", "all")
    sent = await request.form()
    picked = [one for one in sent.getall("shown" if form["all"] else "scan", []) if isinstance(one, str)]
    try:
        wanted = checked(form, picked)
    except FormError as error:
        return await _shown(request, name, place, 422, form, error.errors, picked)
    found = await desk.read(store.list_flagged, place.facility_no, wanted.scan_ids)
    decided = [
        Decided(
            facility_id=place.facility_id,
            person_id=one.person_id,
            scan_id=one.scan_id,
            at=one.at,
            decision=wanted.decision,
            reason=wanted.reason,
        )
        for one in found
    ]
    await decide(desk, decided, account_of(request).email)
    await _until_folded(desk, place.facility_no, [one.scan_id for one in decided])
    return Redirect(f"{home}?ok={len(decided)}", status_code=303)


async def _until_folded(desk: Desk, facility_no: int, scan_ids: Sequence[str]) -> None:
    """Wait a moment until the decisions are in the tables, so that the page that follows shows it."""
    for _ in range(FOLD_ASKED if scan_ids else 0):
        if not await desk.read(store.list_flagged, facility_no, scan_ids):
            return
        await asyncio.sleep(FOLD_ASKED_S)


async def _shown(
    request: WebRequest,
    name: str,
    place: Place,
    status: int,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    picked: Sequence[str] = (),
) -> Template:
    scans, total = await desk_of(request).read(_flagged, place.facility_no)
    asked, done = request.query_params.get("alasan", ""), request.query_params.get("ok", "")
    reasons = Counter(reason for one in scans for reason in dict.fromkeys(map(code_of, one.reasons)))
    return page(
        request,
        f"flags/{name}",
        status=status,
        place=place,
        may_change=name == "own",
        clock=place.clock,
        scans=[one for one in scans if not asked or asked in map(code_of, one.reasons)],
        total=total,
        reasons=sorted(reasons.items(), key=lambda one: (-one[1], one[0])),
        asked=asked if asked in reasons else "",
        region=full_name(place.district),
        done=int(done) if done.isascii() and done.isdigit() and len(done) <= 4 else None,  # noqa: PLR2004 — digits
        picked=set(picked),
        errors=errors,
        form=form,
        code_of=code_of,
    )


def code_of(reason: str) -> str:
    """Return the code of a reason of ours; `by_hand` for somebody's words."""
    return reason if reason in {one.value for one in Reason} else "by_hand"


def _flagged(conn: Connection, facility_no: int) -> tuple[list[Flagged], int]:
    return store.list_flagged(conn, facility_no), store.count_flagged(conn, facility_no)
