"""The fast path of the fold: scans that come in order need one small row of their person, not his history.

Pure. `State` is that row: where pairing stands, and as much of the visits as counting may still ask for. It says the
same as the history it was made from, for every scan after `latest`; for anything else there is the general path
(`tracing.histories`), which makes the row anew. A law in the tests holds both paths equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from tracing.difference import Difference, difference
from tracing.instants import HOUR_US
from tracing.records import SeenScan
from tracing.rows import Facility
from tracing.stays import Stays
from tracing.visits import Carry, Visit, paired

BEFORE_ALL: Final = (-(1 << 62), "")
NO_HORIZON: Final = BEFORE_ALL[0]  # nothing was dropped yet


class Opened(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The open visit: the scan that opened it, and how the visit is stored."""

    scan_id: str
    facility_no: int
    at: int
    role: str
    latest: int
    zones: tuple[tuple[int, str], ...]
    check_out: int  # estimated, as stored


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A person's row of table `pairing`; and of table `carry`, which says where pairing stood at the horizon."""

    latest: tuple[int, str] = BEFORE_ALL  # (at, scan_id) of the last of all his scans, the refused ones too
    awaits: bool = False  # a decision is there whose scan is not: a scan to come may be void
    opened: Opened | None = None
    exit: tuple[int, int] | None = None  # (facility_no, at) of the latest scan pairing saw, if that is an exit
    previous_end: int | None = None
    near: tuple[tuple[int, int, int], ...] = ()  # closed visits that may share a clock hour with one to come


NEW: Final = State()  # of a person who was never seen
_place: Final = attrgetter("at", "scan_id")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


def encode_state(state: State) -> bytes:
    """Return the row's text."""
    return _encoder.encode(state)


def decode_state(text: str) -> State:
    """Return the row of a text."""
    return _decoder.decode(text)


def is_in_order(state: State, scans: Iterable[SeenScan]) -> bool:
    """Say whether the scans can be folded from the row alone."""
    return not state.awaits and min(map(_place, scans)) > state.latest


def follow(
    state: State, scans: Sequence[SeenScan], facilities: Mapping[int, Facility], stays: Stays
) -> tuple[Difference, State]:
    """Return what new scans of one person change, and his row after them.

    Args:
        state: his row.
        scans: the new ones; at least one, all `is_in_order`, in any order.
        facilities: by number.
        stays: the dated configuration.
    """
    person = str(scans[0].person)
    begin, before = resumed(state, person, facilities)
    visits, carry = paired(scans, stays, begin)
    near = near_visits(state, visits, person, facilities)
    change = difference([*near, *before], [*near, *visits], {}, {scan.scan_id: scan for scan in scans})
    return change, state_of(max(map(_place, scans)), carry, visits, near=state.near)


def resumed(state: State, person: str, facilities: Mapping[int, Facility]) -> tuple[Carry, list[Visit]]:
    """Return where pairing stands by a row, and the open visit as it is stored, if there is one."""
    facility, at = state.exit or (None, 0)
    if state.opened is None:
        return Carry(None, 0, (), facility, at, state.previous_end), []
    opened = _opening_scan(state.opened, person, facilities)
    carry = Carry(opened, state.opened.latest, state.opened.zones, facility, at, state.previous_end)
    return carry, [_stored_visit(state.opened, opened)]


def near_visits(state: State, visits: Sequence[Visit], person: str, facilities: Mapping[int, Facility]) -> list[Visit]:
    """Return the closed visits of a row that may share a clock hour with these."""
    if not state.near or not visits:
        return []
    since = min(visit.check_in for visit in visits) - HOUR_US
    return [_near_visit(number, one, person, facilities) for number, one in enumerate(state.near) if one[2] >= since]


def state_of(
    latest: tuple[int, str],
    carry: Carry,
    visits: Sequence[Visit],
    *,
    near: Sequence[tuple[int, int, int]] = (),
    awaits: bool = False,
) -> State:
    """Return a person's row.

    Args:
        latest: (at, scan_id) of his last scan.
        carry: where pairing stands.
        visits: his visits in the order of time; of the closed ones, those long before the last may be left out.
        near: closed visits before all of these, as his row held them.
        awaits: whether a decision waits for its scan.
    """
    opened, closed = None, visits
    if carry.opened is not None:
        scan, closed = carry.opened, visits[:-1]
        assert isinstance(scan.facility, int)
        opened = Opened(
            scan.scan_id, scan.facility, scan.at, scan.role, carry.latest, carry.zones, visits[-1].check_out
        )
    left = None if carry.exit_facility is None else (int(str(carry.exit_facility)), carry.exit_at)
    return State(latest, awaits, opened, left, carry.previous_end, _near(near, closed, carry.previous_end))


def _near(
    before: Sequence[tuple[int, int, int]], closed: Sequence[Visit], end: int | None
) -> tuple[tuple[int, int, int], ...]:
    """Return the visits that touch the last hour before `end`, cut to it: no visit to come begins before `end`."""
    if end is None:
        return ()
    since = end - HOUR_US
    near: list[tuple[int, int, int]] = []
    for visit in reversed(closed):
        if visit.check_out < since:
            break
        assert isinstance(visit.facility, int)
        near.append((visit.facility, max(visit.check_in, since), visit.check_out))
    near.reverse()
    if before and before[-1][2] >= since:
        near[:0] = [
            (number, max(check_in, since), check_out) for number, check_in, check_out in before if check_out >= since
        ]
    return tuple(near)


def _opening_scan(opened: Opened, person: str, facilities: Mapping[int, Facility]) -> SeenScan:
    facility = facilities[opened.facility_no]
    return SeenScan(
        opened.scan_id,
        person,
        opened.facility_no,
        facility.kind,
        facility.time_zone,
        "",
        "",
        opened.at,
        True,
        opened.role,
    )


def _stored_visit(opened: Opened, scan: SeenScan) -> Visit:
    return Visit(
        scan.scan_id,
        scan.person,
        scan.facility,
        scan.kind,
        scan.time_zone,
        scan.at,
        opened.check_out,
        False,
        True,
        scan.role,
        opened.zones,
    )


def _near_visit(number: int, one: tuple[int, int, int], person: str, facilities: Mapping[int, Facility]) -> Visit:
    """Return a closed visit as counting needs it: where and when; its name is its own, for it never changes."""
    facility_no, check_in, check_out = one
    facility = facilities[facility_no]
    return Visit(
        f"near {number}",
        person,
        facility_no,
        facility.kind,
        facility.time_zone,
        check_in,
        check_out,
        False,
        False,
        "",
    )
