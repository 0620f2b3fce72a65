"""What people say of stored scans: void, flag, clear. A key does at this desk, an account on a page; both decide here.

The later decision wins, also across gates: the database gives its serial, above every one before, when it is taken; in
which order decisions reach the log does not matter. Nobody names a person id: a scan is found by its person (or, while
it is flagged, by its id alone) at a facility for which the caller may speak. Any key of the facility takes a scan out;
only its manager and the ministry bring one back: what scans at a door must not clear what it was flagged for.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from litestar import post

from portal.bodies import (
    ScanDecisionAnswer,
    ScanDecisionBatch,
    ScanDecisionBatchAnswer,
    ScanDecisionBody,
    read_body,
)
from portal.desk import Desk, GateRequest, desk_of
from portal.identity import Subject, normalise
from portal.keys import Principal, allow
from portal.openapi import NEEDS_KEY, refusals, with_body
from portal.plausibility import store
from portal.problems import NotYours
from portal.splitting import Splitter
from portal.store import Connection, FacilityRow, append_audit, next_serials
from schemas.errors import BadInput, InvalidEvent
from schemas.events import ScanDecision, Verdict

split: Final = Splitter("decision", "decisions")


class NoSuchScan(BadInput):
    """The facility has no such stored scan: it may come yet."""

    status = 404


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A stored scan, and what somebody says of it."""

    facility_id: str
    person_id: str
    scan_id: str
    at: datetime
    decision: Verdict
    reason: str


class _Asked(msgspec.Struct, frozen=True):
    """A decision whose caller may take it, if the scan is there."""

    body: ScanDecisionBody
    subject: Subject | None
    facility: FacilityRow


@post(
    "/v1/scans/decisions",
    guards=[allow("gate", "import")],
    status_code=200,
    operation_class=with_body(ScanDecisionBody, ScanDecisionBatch),
    responses=refusals(404, 413),
    security=NEEDS_KEY,
)
async def post_decisions(request: GateRequest) -> ScanDecisionAnswer | ScanDecisionBatchAnswer:
    """Void, flag or clear a stored scan, or up to 1,000 as an array or as `{"decisions": […]}`; the last one counts."""
    desk, principal = desk_of(request), request.user
    items, is_single = split(await request.body())
    judged = [_read(item) for item in items]
    await desk.register.know({body.facility_id for body in judged if isinstance(body, ScanDecisionBody)})
    asked = [body if isinstance(body, BadInput) else _check(desk, principal, body) for body in judged]
    found = await desk.read(_find_all, desk, asked)
    if is_single and isinstance(found[0], BadInput):
        raise found[0]
    good = [one for one in found if isinstance(one, Decided)]
    serials = iter(await decide(desk, good, principal.name))
    answers = [_answer(body, one, serials) for body, one in zip(judged, found, strict=True)]
    return answers[0] if is_single else ScanDecisionBatchAnswer(results=answers)


async def decide(desk: Desk, decided: Sequence[Decided], by: str) -> Sequence[int]:
    """Say what `by` says of stored scans; return the serials, once Kafka has acknowledged all.

    Raises:
        Unavailable: one was not acknowledged, or the database does not answer; to say it again is no harm.
    """
    if not decided:
        return ()
    first = await desk.read(_note, decided, by)
    serials = range(first, first + len(decided))
    await desk.send(
        [
            ScanDecision(
                scan_id=one.scan_id,
                person_id=one.person_id,
                scan_at=one.at,
                decision=one.decision,
                serial=serial,
                by=by,
                reason=one.reason,
            )
            for one, serial in zip(decided, serials, strict=True)
        ]
    )
    return serials


def _note(conn: Connection, decided: Sequence[Decided], by: str) -> int:
    """Return the first serial, and write into the audit what is decided where."""
    for (decision, facility_id, reason), scans in Counter(
        (one.decision, one.facility_id, one.reason) for one in decided
    ).items():
        append_audit(conn, by, f"scan {decision}", f"{facility_id} {scans}", reason)
    return next_serials(conn, len(decided))


def _read(item: bytes | msgspec.Raw) -> ScanDecisionBody | BadInput:
    try:
        return read_body(ScanDecisionBody, bytes(item))
    except InvalidEvent as error:
        return error


def _check(desk: Desk, principal: Principal, body: ScanDecisionBody) -> _Asked | BadInput:
    facility, who = desk.register.get(body.facility_id), body.subject
    if facility is None:
        return InvalidEvent("is not known", field="facility_id")
    if not principal.may_speak_for(facility.facility_id, facility.district):
        return NotYours("is not this key's", field="facility_id")
    if body.decision is Verdict.CLEAR and not principal.speaks_for_all:
        return NotYours("only a manager or the ministry clears: on the page, or with a key of all", field="decision")
    try:
        subject = None if who is None else normalise(who.type, who.value, who.district, demo=desk.settings.demo)
    except BadInput as error:
        return error
    return _Asked(body, subject, facility)


def _find_all(conn: Connection, desk: Desk, asked: Sequence[_Asked | BadInput]) -> list[Decided | BadInput]:
    nameless: dict[int, list[str]] = {}
    for one in asked:
        if isinstance(one, _Asked) and one.subject is None:
            nameless.setdefault(one.facility.facility_no, []).append(one.body.scan_id)
    flagged = {
        (facility_no, scan.scan_id): (scan.person_id, scan.at)
        for facility_no, ids in nameless.items()
        for scan in store.list_flagged(conn, facility_no, ids)
    }
    return [one if isinstance(one, BadInput) else _find(conn, desk, one, flagged) for one in asked]


def _find(
    conn: Connection, desk: Desk, asked: _Asked, flagged: dict[tuple[int, str], tuple[str, datetime]]
) -> Decided | BadInput:
    body, facility = asked.body, asked.facility
    person_id, at = flagged.get((facility.facility_no, body.scan_id), ("", None))
    if asked.subject is not None:
        person_id = desk.vault.known_id(conn, asked.subject) or ""
        stored = store.stored_scan(conn, person_id, body.scan_id) if person_id else None
        at = stored[1] if stored is not None and stored[0] == facility.facility_no else None
    if at is None:
        hint = "" if asked.subject is not None else ", or not flagged: then it needs its subject"
        return NoSuchScan(f"is no stored scan of this facility{hint}", field="scan_id")
    return Decided(
        facility_id=facility.facility_id,
        person_id=person_id,
        scan_id=body.scan_id,
        at=at,
        decision=body.decision,
        reason=body.reason,
    )


def _answer(body: ScanDecisionBody | BadInput, found: Decided | BadInput, serials: Iterator[int]) -> ScanDecisionAnswer:
    scan_id = body.scan_id if isinstance(body, ScanDecisionBody) else None
    if isinstance(found, BadInput):
        return ScanDecisionAnswer(scan_id=scan_id, status="invalid", field=found.field, reason=found.reason)
    return ScanDecisionAnswer(scan_id=scan_id, status="accepted", serial=next(serials))
