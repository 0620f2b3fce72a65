"""The scans desk: one scan, or up to 1,000, checked, given a person id and acknowledged by Kafka before we say yes.

One bad scan of a batch fails alone. After 503 the caller sends all again with the same ids: repeats change nothing.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import post

from portal.bodies import BatchAnswer, ScanAnswer, ScanBatch, ScanBody, check_not_ahead, read_body
from portal.desk import Desk, GateRequest, desk_of
from portal.identity import Subject, normalise
from portal.keys import Principal, allow
from portal.openapi import NEEDS_KEY, refusals, with_body
from portal.problems import NotYours
from portal.splitting import Splitter
from portal.store import FacilityRow
from schemas.errors import BadInput, InvalidEvent
from schemas.events import Channel, Kind, Scan

PATH: Final = "/v1/scans"
ROLES: Final = ("gate", "import")
AGE_MAX: Final = timedelta(days=30)  # older ones come as files, with an import key

_uuid7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
split: Final = Splitter("scan", "scans")


class _Named(msgspec.Struct, frozen=True):
    scan_id: Any = None


class Checked(msgspec.Struct, frozen=True):
    """A scan that can be sent as soon as its person has an id."""

    body: ScanBody
    subject: Subject
    facility: FacilityRow


@post(
    PATH,
    guards=[allow(*ROLES)],
    status_code=200,
    operation_class=with_body(ScanBody, ScanBatch),
    responses=refusals(413),
    security=NEEDS_KEY,
)
async def post_scans(request: GateRequest) -> ScanAnswer | BatchAnswer:
    """Take one scan, or up to 1,000 as an array or as `{"scans": […]}`."""
    return await take_scans(desk_of(request), request.user, await request.body())


async def take_scans(desk: Desk, principal: Principal, data: bytes) -> ScanAnswer | BatchAnswer:
    """Return what became of the scans of a body, once Kafka has acknowledged those that are good.

    Raises:
        BadInput: the body holds no scans, or a single one that is bad.
        Unavailable: at least one was not acknowledged; nothing is known of any.
    """
    items, single = split(data)
    if single:
        return await _take_one(desk, principal, data)
    now = datetime.now(UTC)
    judged = await _judge_all(desk, principal, items, now)
    good = [scan for scan in judged if isinstance(scan, Checked)]
    await accept(desk, principal, good, now)
    desk.measures.count_scans(accepted=len(good), invalid=len(judged) - len(good))
    return BatchAnswer(results=[_answer(item, scan) for item, scan in zip(items, judged, strict=True)])


async def _take_one(desk: Desk, principal: Principal, data: bytes) -> ScanAnswer:
    now = datetime.now(UTC)
    try:
        body = read_body(ScanBody, data)
        await _know(desk, principal, (body.facility_id,))
        scan = check(desk, principal, body, now)
    except BadInput:
        desk.measures.count_scans(accepted=0, invalid=1)
        raise
    await accept(desk, principal, (scan,), now)
    desk.measures.count_scans(accepted=1, invalid=0)
    return ScanAnswer(scan_id=body.scan_id, status="accepted")


def check_scan(body: ScanBody, principal: Principal, facility: FacilityRow | None, now: datetime) -> FacilityRow:
    """Return the scan's facility if this key may send this scan now.

    Raises:
        BadInput: names the field; NotYours when it is another's facility.
    """
    if facility is None:
        raise InvalidEvent("is not known", field="facility_id")
    if not principal.may_speak_for(facility.facility_id, facility.district):
        raise NotYours("is not this key's", field="facility_id")
    check_not_ahead(body.at, now, "at")
    if principal.role != "import":
        if body.at < now - AGE_MAX:
            raise InvalidEvent("is more than 30 days ago", field="at")
        if body.channel is Channel.IMPORT:
            raise InvalidEvent("is for import keys only", field="channel")
    return facility


def check(desk: Desk, principal: Principal, body: ScanBody, now: datetime) -> Checked:
    """Return the scan as it can be sent; the desk's register knows its facility already, and an import the horizon.

    Raises:
        BadInput: names the field, never its value.
    """
    facility = check_scan(body, principal, desk.register.get(body.facility_id), now)
    desk.horizon.check(body.at)
    who = body.subject
    return Checked(body, normalise(who.type, who.value, who.district, demo=desk.settings.demo), facility)


async def accept(desk: Desk, principal: Principal, scans: Sequence[Checked], now: datetime) -> None:
    """Give the persons their ids and send the scans; returns when Kafka has acknowledged all.

    Raises:
        Unavailable: at least one was not acknowledged; nothing is known of any.
    """
    ids = await desk.person_ids([scan.subject for scan in scans])
    await desk.send([event_of(scan, person, principal, now) for scan, person in zip(scans, ids, strict=True)])


def event_of(scan: Checked, person_id: str, principal: Principal, now: datetime) -> Scan:
    """Return the event of a checked scan."""
    body = scan.body
    return Scan(
        scan_id=body.scan_id,
        person_id=person_id,
        facility_id=body.facility_id,
        kind=Kind(scan.facility.kind),
        time_zone=scan.facility.time_zone,
        zone=body.zone,
        group_id=body.group_id,
        gate=body.gate,
        at=body.at,
        admitted=body.admitted,
        refused_reason=body.refused_reason,
        role=body.role,
        channel=Channel.IMPORT if principal.role == "import" else body.channel,
        assurance=body.assurance,
        device_id=body.device_id,
        device_seq=body.device_seq,
        poster_version=body.poster_version,
        gate_no=body.gate_no,
        entered_by=principal.name,
        received_at=now,
    )


async def _judge_all(
    desk: Desk, principal: Principal, items: Sequence[bytes | msgspec.Raw], now: datetime
) -> list[Checked | BadInput]:
    bodies = [_read(item) for item in items]
    await _know(desk, principal, {body.facility_id for body in bodies if isinstance(body, ScanBody)})
    return [body if isinstance(body, BadInput) else _judge(desk, principal, body, now) for body in bodies]


async def _know(desk: Desk, principal: Principal, facilities: Iterable[str]) -> None:
    await desk.register.know(facilities)
    if principal.role == "import":
        await desk.horizon.know()


def _read(item: bytes | msgspec.Raw) -> ScanBody | BadInput:
    try:
        return read_body(ScanBody, bytes(item))
    except InvalidEvent as error:
        return error


def _judge(desk: Desk, principal: Principal, body: ScanBody, now: datetime) -> Checked | BadInput:
    try:
        return check(desk, principal, body, now)
    except BadInput as error:
        return error


def _answer(item: bytes | msgspec.Raw, scan: Checked | BadInput) -> ScanAnswer:
    if isinstance(scan, Checked):
        return ScanAnswer(scan_id=scan.body.scan_id, status="accepted")
    return ScanAnswer(scan_id=scan_id_of(item), status="invalid", field=scan.field, reason=scan.reason)


def scan_id_of(item: bytes | msgspec.Raw) -> str | None:
    """Return the id of a bad scan, if it has the form of one: anything else may be somebody's number."""
    try:
        found = msgspec.json.decode(item, type=_Named).scan_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, str) and _uuid7.fullmatch(found) else None
