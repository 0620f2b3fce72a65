"""A facility's doors: gates and zones, their posters as files to print, a new version, a theft, a gate that closes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from unicodedata import normalize

from litestar import Response, get, post
from litestar.response import Redirect, Template

from portal.accounts.guard import account_of
from portal.desk import desk_of
from portal.nik import holds_nik
from portal.places.own import MANAGERS, READERS, own_place, place_page
from portal.places.store import Place
from portal.posters import gates, store
from portal.posters.check import posters_of
from portal.posters.sheet import ZONES, can_be_printed
from portal.posters.store import Gate, Zone
from portal.posters.versions import Version, Versions, standing
from portal.store import Connection, append_audit
from portal.web.forms import form_of
from portal.web.pages import FormError, WebRequest
from schemas.errors import Conflict
from schemas.events import Gate as Kind

NAME_MAX: Final = 64
GATES_MAX: Final = 200  # of one facility, closed ones too; zones likewise
FIRST: Final = ((Kind.ENTRANCE, "Pintu utama"), (Kind.EXIT, "Pintu utama"))


@get("/faskes/{facility_id:str}/gerbang", guards=[READERS])
async def get_doors(request: WebRequest, facility_id: str) -> Template:
    """Show gates, zones, and the poster that stands at each."""
    return await _shown(request, await own_place(request, facility_id), 200, {}, {})


@post("/faskes/{facility_id:str}/gerbang", status_code=200, guards=[MANAGERS])
async def post_gate(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Add a gate, with the first version of its poster."""
    form = await form_of(request, "kind", "name", "zone")

    def work(conn: Connection, place: Place) -> None:
        kind, name, zone = checked_gate(form, store.list_zones(conn, place.facility_no))
        _refuse_more(conn, place)
        _add(request, conn, place, kind, name, zone)

    return await _change(request, facility_id, work, form)


@post("/faskes/{facility_id:str}/gerbang/pertama", status_code=200, guards=[MANAGERS])
async def post_first_gates(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Add the entrance and the exit that every facility has, where there is no gate yet."""

    def work(conn: Connection, place: Place) -> None:
        if store.list_gates(conn, place.facility_id):
            raise Conflict("there are gates already")
        for kind, name in FIRST:
            _add(request, conn, place, kind, name, "")

    return await _change(request, facility_id, work, {})


@post("/faskes/{facility_id:str}/zona", status_code=200, guards=[MANAGERS])
async def post_zone(request: WebRequest, facility_id: str) -> Response[Any] | Template:
    """Add a zone, change its kind, or remove one that no gate belongs to."""
    form = await form_of(request, "zone_name", "zone_kind", "remove")

    def work(conn: Connection, place: Place) -> None:
        name, kind = checked_zone(form)
        by = account_of(request).email
        if form["remove"]:
            store.remove_zone(conn, place.facility_no, name)
        else:
            known = {one.name for one in store.list_zones(conn, place.facility_no)}
            if name not in known and len(known) >= GATES_MAX:
                raise Conflict("the facility has too many zones")
            store.put_zone(conn, place.facility_no, name, kind)
        append_audit(conn, by, "zone removed" if form["remove"] else "zone set", place.facility_id, kind)

    return await _change(request, facility_id, work, form)


@get("/faskes/{facility_id:str}/gerbang/{gate_no:int}", guards=[READERS])
async def get_gate(request: WebRequest, facility_id: str, gate_no: int) -> Template:
    """Show a gate with every version of its poster."""
    return await _shown_gate(request, await own_place(request, facility_id), gate_no, 200, {}, {})


@post("/faskes/{facility_id:str}/gerbang/{gate_no:int}", status_code=200, guards=[MANAGERS])
async def post_change(request: WebRequest, facility_id: str, gate_no: int) -> Response[Any] | Template:
    """Make a new version, revoke a stolen one from the stated time, or close the gate."""
    place = await own_place(request, facility_id)
    form = await form_of(request, "action", "version", "since")
    keys, by = posters_of(request).keys, account_of(request).email

    def work(conn: Connection) -> None:
        gate, now = gates.find(conn, facility_id, gate_no), datetime.now(UTC)
        if form["action"] == "reissue":
            gates.reissue(conn, keys, gate, by, now)
        elif form["action"] == "close":
            gates.close(conn, gate, by, now)
        else:
            version, since = checked_theft(form, place, now)
            gates.revoke_stolen(conn, keys, gate, version=version, since=since, by=by, now=now)

    try:
        await desk_of(request).read(work)
    except FormError as error:
        return await _shown_gate(request, place, gate_no, 422, form, error.errors)
    return Redirect(f"/faskes/{facility_id}/gerbang/{gate_no}", status_code=303)


@get("/faskes/{facility_id:str}/gerbang/{gate_no:int}/poster.pdf", guards=[READERS])
async def get_sheet(request: WebRequest, facility_id: str, gate_no: int) -> Response[bytes]:
    """Return the standing poster of a gate, A4 or A5."""
    from portal.posters.sheets import SIZES, draw

    size = request.query_params.get("ukuran", "a4")
    size = size if size in SIZES else "a4"
    place = await own_place(request, facility_id)
    keys, url = posters_of(request).keys, request.app.state.url

    sheets = await desk_of(request).read(gates.sheets_of, keys, place.facility_id, url, gate_no)
    return _file(f"{sheets[0].file_name}-{size}.pdf", await asyncio.to_thread(draw, sheets, size), "application/pdf")


@get("/faskes/{facility_id:str}/poster.zip", guards=[READERS])
async def get_all_sheets(request: WebRequest, facility_id: str) -> Response[bytes]:
    """Return the standing posters of all gates in both sizes, as one file."""
    from portal.posters.sheets import in_one_file

    place = await own_place(request, facility_id)
    keys, url = posters_of(request).keys, request.app.state.url
    sheets = await desk_of(request).read(gates.sheets_of, keys, place.facility_id, url)
    return _file("poster.zip", await asyncio.to_thread(in_one_file, sheets), "application/zip")


ROUTES: Final[tuple[Any, ...]] = (
    get_doors,
    post_gate,
    post_first_gates,
    post_zone,
    get_gate,
    post_change,
    get_sheet,
    get_all_sheets,
)


def checked_gate(form: dict[str, str], zones: list[Zone]) -> tuple[Kind, str, str]:
    """Return kind, name and zone of a new gate; a zone's gate is called like its zone where it has no name.

    Raises:
        FormError: every field that cannot be.
    """
    errors: dict[str, str] = {}
    if form["kind"] not in {kind.value for kind in Kind}:
        raise FormError({"kind": "why.choose"})
    kind = Kind(form["kind"])
    zone = form["zone"] if kind is Kind.ZONE else ""
    if kind is Kind.ZONE and zone not in {one.name for one in zones}:
        errors["zone"] = "why.choose"
    name = " ".join(normalize("NFC", form["name"] or zone).split())
    _check_name(name, "name", errors)
    if errors:
        raise FormError(errors)
    return kind, name, zone


def checked_zone(form: dict[str, str]) -> tuple[str, str]:
    """Return name and kind of a zone.

    Raises:
        FormError: every field that cannot be.
    """
    errors: dict[str, str] = {}
    name = " ".join(normalize("NFC", form["zone_name"]).split())
    _check_name(name, "zone_name", errors)
    if form["zone_kind"] not in ZONES:
        errors["zone_kind"] = "why.choose"
    if errors:
        raise FormError(errors)
    return name, form["zone_kind"]


def checked_theft(form: dict[str, str], place: Place, now: datetime) -> tuple[int, datetime]:
    """Return which version was stolen and since when, by the facility's clock.

    Raises:
        FormError: the form says neither, or a time that has not come yet.
    """
    if form["action"] != "stolen" or not form["version"].isascii() or not form["version"].isdigit():
        raise FormError({"": "why.choose"})
    try:
        since = datetime.fromisoformat(form["since"])
    except ValueError:
        raise FormError({"since": "doors.since_wrong"}) from None
    if since.tzinfo is not None:
        raise FormError({"since": "doors.since_wrong"})
    since = since.replace(tzinfo=place.zone)
    if since > now:
        raise FormError({"since": "doors.since_future"})
    return int(form["version"][:6]), since


def _check_name(name: str, field: str, errors: dict[str, str]) -> None:
    if not name:
        errors[field] = "form.empty"
    elif len(name) > NAME_MAX:
        errors[field] = "form.too_long"
    elif not can_be_printed(name):
        errors[field] = "why.letters"
    elif holds_nik(name):
        errors[field] = "why.nik"


def _refuse_more(conn: Connection, place: Place) -> None:
    if len(store.list_gates(conn, place.facility_id)) >= GATES_MAX:
        raise Conflict("the facility has too many gates")


def _add(request: WebRequest, conn: Connection, place: Place, kind: Kind, name: str, zone: str) -> None:
    gates.add(
        conn,
        posters_of(request).keys,
        facility_id=place.facility_id,
        kind=kind,
        name=name,
        zone=zone,
        by=account_of(request).email,
        now=datetime.now(UTC),
    )


async def _change(
    request: WebRequest, facility_id: str, work: Callable[[Connection, Place], None], form: dict[str, str]
) -> Response[Any] | Template:
    """Do the work as one transaction; the page comes back with what is wrong where it cannot be."""
    place = await own_place(request, facility_id)
    try:
        await desk_of(request).read(work, place)
    except FormError as error:
        return await _shown(request, place, 422, form, error.errors)
    return Redirect(f"/faskes/{facility_id}/gerbang", status_code=303)


def _doors(conn: Connection, place: Place) -> tuple[list[tuple[Gate, Version | None]], list[Zone]]:
    found = store.standing_of(conn, place.facility_no)
    rows = [
        (gate, found[gate.gate_no][1] if gate.gate_no in found else None)
        for gate in store.list_gates(conn, place.facility_id)
    ]
    return rows, store.list_zones(conn, place.facility_no)


async def _shown(
    request: WebRequest, place: Place, status: int, form: dict[str, str], errors: dict[str, str]
) -> Template:
    rows, zones = await desk_of(request).read(_doors, place)
    return place_page(
        request,
        "doors",
        place,
        status=status,
        rows=rows,
        zones=zones,
        kinds=list(ZONES),
        form=form,
        errors=errors,
    )


def _one(conn: Connection, facility_id: str, gate_no: int) -> tuple[Gate, Versions]:
    gate = gates.find(conn, facility_id, gate_no)
    return gate, store.versions_of(conn, gate)


async def _shown_gate(
    request: WebRequest, place: Place, gate_no: int, status: int, form: dict[str, str], errors: dict[str, str]
) -> Template:
    gate, versions = await desk_of(request).read(_one, place.facility_id, gate_no)
    now = datetime.now(UTC).astimezone(place.zone)
    return place_page(
        request,
        "gate",
        place,
        status=status,
        gate=gate,
        versions=versions,
        stands=standing(versions),
        form={"since": now.strftime("%Y-%m-%dT%H:%M")} | {name: text for name, text in form.items() if text},
        errors=errors,
    )


def _file(name: str, data: bytes, media_type: str) -> Response[bytes]:
    return Response(data, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
