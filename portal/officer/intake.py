"""Entries on their way in: each is judged, then sent as any scan, or kept until a second person agrees.

After a 503 the page sends all again with the same ids: repeats change nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from portal.accounts.store import Account
from portal.desk import Desk
from portal.keys import Principal
from portal.officer import store
from portal.officer.bodies import ENTRIES, EntriesAnswer, EntriesBody, EntryAnswer, EntryBody
from portal.officer.entries import needs_second, scan_body_of
from portal.scans import Checked, accept, check, event_of, scan_id_of
from portal.store import Connection, FacilityRow, append_audit
from schemas.codec import explain
from schemas.errors import BadInput, InvalidEvent, NotFound
from schemas.events import Scan, Text

_envelope: Final = msgspec.json.Decoder(EntriesBody)


class Judged(msgspec.Struct, frozen=True):
    """An entry that can go on its way; `why_late` is empty unless it needs a second person."""

    entry: EntryBody
    scan: Checked
    why_late: Text


def read_entries(data: bytes) -> list[msgspec.Raw]:
    """Return the entries of a body as they came.

    Raises:
        InvalidEvent: there are none, or more than 20, or it is no such body.
    """
    try:
        return _envelope.decode(data).entries
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent("is not JSON", field="body") from None


async def take_entries(
    desk: Desk, account: Account, principal: Principal, items: Sequence[msgspec.Raw], now: datetime
) -> EntriesAnswer:
    """Return what became of each entry, once Kafka or the table of late ones has those that are good.

    Args:
        desk: the gate's means.
        account: the officer.
        principal: the same as who sends scans of one facility.
        items: the entries as they came.
        now: when.

    Raises:
        NotFound: there is no such facility.
        Unavailable: nothing is known of any.
    """
    facility = await facility_of(desk, principal.facility)
    zones = await desk.read(store.zones_of, facility.facility_no)
    judged = [_judge(desk, principal, item, zones, now) for item in items]
    good = [one for one in judged if isinstance(one, Judged)]
    await _keep_late(desk, account, principal, facility.facility_no, [one for one in good if one.why_late], now)
    await accept(desk, principal, [one.scan for one in good if not one.why_late], now)
    desk.measures.count_scans(accepted=len(good), invalid=len(judged) - len(good))
    return EntriesAnswer([_answer(item, one) for item, one in zip(items, judged, strict=True)])


async def facility_of(desk: Desk, facility_id: str) -> FacilityRow:
    """Return a facility as the gate needs it.

    Raises:
        NotFound: there is none of that id.
    """
    await desk.register.know((facility_id,))
    facility = desk.register.get(facility_id)
    if facility is None:
        raise NotFound("no such facility")
    return facility


def _judge(
    desk: Desk, principal: Principal, item: msgspec.Raw, zones: Mapping[str, str], now: datetime
) -> Judged | BadInput:
    try:
        entry = ENTRIES.decode(bytes(item))
        body = scan_body_of(entry, principal.facility, zones)
        scan = check(desk, principal, body, now)
        return Judged(entry, scan, entry.why_late.strip() if needs_second(entry, now) else "")
    except BadInput as error:
        return error


async def _keep_late(
    desk: Desk, account: Account, principal: Principal, facility_no: int, late: Sequence[Judged], now: datetime
) -> None:
    if not late:
        return
    ids = await desk.person_ids([one.scan.subject for one in late])
    events = [(event_of(one.scan, person, principal, now), one.why_late) for one, person in zip(late, ids, strict=True)]

    def keep(conn: Connection) -> None:
        for scan in store.add_late(conn, facility_no, events, account.account_id, now):
            append_audit(conn, account.email, "late entry asked for", scan.person_id, principal.facility)

    await desk.read(keep)


def resent(scan: Scan, now: datetime) -> Scan:
    """Return a late entry as it is sent: what was entered, received now."""
    return msgspec.structs.replace(scan, received_at=now)


def _answer(item: msgspec.Raw, one: Judged | BadInput) -> EntryAnswer:
    if isinstance(one, Judged):
        return EntryAnswer(scan_id=one.entry.scan_id, status="waiting" if one.why_late else "accepted")
    return EntryAnswer(scan_id=scan_id_of(item), status="invalid", field=one.field, reason=one.reason)
