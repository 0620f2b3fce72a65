"""Takes units of the feed: works out what each changes, sends it, and only then notes that it was sent.

Whatever ends this in between, the same feed again sends the same scans under the same ids, which are repeats.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from portal.admissions import store
from portal.admissions.stays import Before, Change, Sent, Unit, change_of
from portal.bodies import ScanBody, SubjectBody
from portal.desk import Desk, Event
from portal.identity import Subject
from portal.keys import Principal
from portal.scans import Checked, check_scan, event_of
from portal.store import Connection, FacilityRow, append_audit, next_serials
from schemas.errors import BadInput
from schemas.events import Assurance, Channel, ScanDecision, Verdict

Outcome: TypeAlias = Literal["new", "changed", "known", "withdrawn", "ignored"]

TOGETHER: Final = 500
CORRECTED: Final = "corrected by the admission feed"

_turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


async def take(
    desk: Desk, principal: Principal, facility: FacilityRow, units: Sequence[Unit]
) -> list[Outcome | BadInput]:
    """Return what became of the units of one facility, in order, once Kafka has acknowledged what they changed.

    The desk knows the horizon already.

    Raises:
        Unavailable: something was not acknowledged or not noted: all may be sent again.
    """
    outcomes: list[Outcome | BadInput] = []
    async with _turns[facility.facility_id]:
        for start in range(0, len(units), TOGETHER):
            outcomes += await _take(desk, principal, facility, units[start : start + TOGETHER])
    return outcomes


async def _take(
    desk: Desk, principal: Principal, facility: FacilityRow, units: Sequence[Unit]
) -> list[Outcome | BadInput]:
    now = datetime.now(UTC)
    subjects = [unit.subject for unit in units if unit.subject is not None]
    persons = dict(zip(subjects, await desk.person_ids(subjects), strict=True))
    stored = await desk.read(store.read, facility.facility_no, [unit.key for unit in units])
    latest, outcomes = dict(stored), list[Outcome | BadInput]()
    voids: list[tuple[str, Sent]] = []
    scans: list[tuple[Unit, str, Sent]] = []
    for unit in units:
        before = latest.get(unit.key)
        if unit.subject is None and before is None:
            outcomes.append("ignored")
            continue
        try:
            change = change_of(unit, _person(unit, before, persons), before, desk.horizon.at)
        except BadInput as error:
            outcomes.append(error)
            continue
        outcomes.append(_outcome(unit, change, before))
        if change is not None:
            latest[unit.key] = change.after
            voids += [(before.person, one) for one in change.void if before is not None]
            scans += [(unit, change.after.person, one) for one in change.send]
    events: list[Event] = [_scan(principal, facility, *one, now) for one in scans]
    if voids:
        first = await desk.read(next_serials, len(voids))
        events += [_void(principal, person, one, first + n) for n, (person, one) in enumerate(voids)]
    await desk.send(events)
    changed = {
        unit: (stored[unit].revision if unit in stored else -1, after)
        for unit, after in latest.items()
        if stored.get(unit) != after
    }
    if changed:
        await desk.read(_note, facility, changed, principal.name)
    return outcomes


def _person(unit: Unit, before: Before | None, persons: Mapping[Subject, str]) -> str:
    """Return whom a unit is about: one that is no stay says nobody, and takes back what was sent of whoever it was."""
    if unit.subject is not None:
        return persons[unit.subject]
    assert before is not None
    return before.person


def _outcome(unit: Unit, change: Change | None, before: Before | None) -> Outcome:
    if change is None or not (change.void or change.send or before is None):
        return "known"
    if not unit.passages:
        return "withdrawn"
    return "new" if before is None else "changed"


def _scan(principal: Principal, facility: FacilityRow, unit: Unit, person: str, sent: Sent, now: datetime) -> Event:
    passage, who = sent.passage, unit.subject
    assert who is not None, "what is no stay sends nothing"
    body = ScanBody(
        scan_id=sent.scan_id,
        subject=SubjectBody(type="temporary", value="-"),  # who he is has an id by now
        facility_id=facility.facility_id,
        zone=passage.zone,
        gate=passage.gate,
        at=passage.at,
        role=passage.role,
        channel=Channel.IMPORT,
        assurance=Assurance.OFFICER_SAW_ID,
    )
    check_scan(body, principal, facility, now)
    return event_of(Checked(body, who, facility), person, principal, now)


def _void(principal: Principal, person: str, sent: Sent, serial: int) -> ScanDecision:
    return ScanDecision(
        scan_id=sent.scan_id,
        person_id=person,
        scan_at=sent.passage.at,
        decision=Verdict.VOID,
        serial=serial,
        by=principal.name,
        reason=CORRECTED,
    )


def _note(conn: Connection, facility: FacilityRow, changed: dict[bytes, tuple[int, Before]], by: str) -> None:
    store.put(conn, facility.facility_no, changed, by)
    append_audit(conn, by, "admissions taken", f"{facility.facility_id}: {len(changed)} records")
