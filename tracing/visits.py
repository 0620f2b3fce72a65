"""Pairing: the scans of one person become visits, each with both ends. Change the pairing rules here and nowhere else.

A pure function of the set of scans: their order and repetition do not matter, no clock is read, nothing is looked up.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from tracing.instants import HOUR_US, MINUTE_US
from tracing.records import OUT_OF_TRACING, Key, SeenScan
from tracing.stays import DEFAULT_STAYS, Stays

_order: Final = attrgetter("at", "scan_id")
TWICE_US: Final = 10 * MINUTE_US  # people scan twice: so close together it is the same passage


class Visit(msgspec.Struct, frozen=True, gc=False):
    """One person's stay in one facility; instants are microseconds since 1970, each end recorded or estimated."""

    visit_id: str  # the scan that opened it; for an orphan, its exit
    person: Key
    facility: Key
    kind: str
    time_zone: str
    check_in: int
    check_out: int
    check_in_estimated: bool
    check_out_estimated: bool
    role: str  # of the scan that opened it
    zones: tuple[tuple[int, str], ...] = ()  # (from, zone): never decides an exposure


class Carry(msgspec.Struct, frozen=True, gc=False):
    """Where pairing stands after a person's scans: all that scans still to come, in order, can ask of the earlier."""

    opened: SeenScan | None = None  # the scan that opened the open visit
    latest: int = 0  # of the open visit: its last scan that opened it, moved it or was ignored in it
    zones: tuple[tuple[int, str], ...] = ()  # of the open visit
    exit_facility: Key | None = None  # of the person's latest scan, if that is an exit
    exit_at: int = 0
    previous_end: int | None = None  # of the visit closed last


NOTHING: Final = Carry()


def visits_of(scans: Iterable[SeenScan], stays: Stays = DEFAULT_STAYS, carry: Carry = NOTHING) -> list[Visit]:
    """Return the visits of one person in the order of time, one never overlapping the next.

    Refused scans and scans whose latest decision is void or flag are not seen. A visit still open ends, estimated,
    where its kind's usual stay ends, until a later scan says otherwise.

    Args:
        scans: the standing scans of one person, in any order, repeats allowed.
        stays: the dated configuration; the values at the opening scan's `at` hold for its visit.
        carry: what the scans before a horizon leave, where those are not given; visits that they closed do not come.
    """
    return paired(scans, stays, carry)[0]


def settled(carry: Carry, horizon: int, stays: Stays) -> Carry:
    """Return the carry without what no scan from `horizon` on can ask for.

    An open visit that none can reach, move or lengthen is closed where it was taken to end. An exit is forgotten when
    it was too long ago for a second one, and the end of the visit before when no orphan can reach back to it.
    """
    opened = carry.opened
    if opened is not None:
        assumed, longest = stays.at(opened.kind, opened.role, opened.at)
        end = max(opened.at + assumed, carry.latest)
        if horizon - opened.at <= longest or horizon - carry.latest <= TWICE_US or end > horizon:
            return _without_end(carry, opened.at)
        carry = Carry(None, 0, (), carry.exit_facility, carry.exit_at, end)
    if horizon - carry.exit_at > TWICE_US:
        carry = Carry(None, 0, (), None, 0, carry.previous_end)
    return _without_end(carry, horizon - stays.longest)


def _without_end(carry: Carry, begin: int) -> Carry:
    """Forget the end of the visit before, where nothing from `begin` on can share a clock hour with it."""
    if carry.previous_end is None or carry.previous_end + HOUR_US > begin:
        return carry
    return Carry(carry.opened, carry.latest, carry.zones, carry.exit_facility, carry.exit_at, None)


def settles_at(carry: Carry, stays: Stays) -> int | None:
    """Return the first horizon at which `settled` has something to leave out; None: there is nothing to carry."""
    opened = carry.opened
    if opened is not None:
        assumed, longest = stays.at(opened.kind, opened.role, opened.at)
        return max(opened.at + longest + 1, carry.latest + TWICE_US + 1, opened.at + assumed)
    firsts = []
    if carry.exit_facility is not None:
        firsts.append(carry.exit_at + TWICE_US + 1)
    if carry.previous_end is not None:
        firsts.append(carry.previous_end + HOUR_US + stays.longest)
    return min(firsts, default=None)


def paired(scans: Iterable[SeenScan], stays: Stays, carry: Carry = NOTHING) -> tuple[list[Visit], Carry]:
    """Return the visits that scans make, and where pairing stands after them.

    Args:
        scans: as in `visits_of`; with a carry, those after all that made it, in the order of (at, scan_id).
        stays: the dated configuration.
        carry: where the scans before left off; a visit open then comes first in the result, closed or still open.
    """
    in_order = [scan for scan in scans if scan.admitted and scan.decision not in OUT_OF_TRACING]
    if len(in_order) > 1:
        in_order = sorted(in_order, key=_order)
    pairing = _Pairing(stays, carry)
    before = ""
    for scan in in_order:
        if scan.scan_id == before:
            continue
        before = scan.scan_id
        if scan.gate == "entrance":
            pairing.enter(scan, ((scan.at, scan.zone),) if scan.zone else ())
        elif scan.gate == "exit":
            pairing.leave(scan)
        else:
            pairing.move(scan)
    return pairing.finish()


class _Pairing:
    """The state while one person's scans are read in order: at most one visit is open."""

    __slots__ = (
        "_assumed",
        "_exit_at",
        "_exit_facility",
        "_latest",
        "_longest",
        "_opened",
        "_previous_end",
        "_stays",
        "_visits",
        "_zones",
    )

    def __init__(self, stays: Stays, carry: Carry) -> None:
        self._stays = stays
        self._visits: list[Visit] = []
        self._opened = opened = carry.opened
        self._latest = carry.latest
        self._assumed, self._longest = stays.at(opened.kind, opened.role, opened.at) if opened else (0, 0)
        self._zones = carry.zones
        self._exit_facility = carry.exit_facility  # set while the person's latest scan is an exit
        self._exit_at = carry.exit_at
        self._previous_end = carry.previous_end

    def enter(self, scan: SeenScan, zones: tuple[tuple[int, str], ...]) -> None:
        self._exit_facility = None
        opened = self._opened
        if opened is not None:
            if opened.facility == scan.facility and scan.at - self._latest <= TWICE_US:
                self._latest = scan.at
                return
            self._close_estimated(opened, scan.at)
        self._opened = scan
        self._latest = scan.at
        self._assumed, self._longest = self._stays.at(scan.kind, scan.role, scan.at)
        self._zones = zones

    def leave(self, scan: SeenScan) -> None:
        is_twice = self._exit_facility == scan.facility and scan.at - self._exit_at <= TWICE_US
        self._exit_facility, self._exit_at = scan.facility, scan.at
        if is_twice:
            return
        opened = self._opened
        if opened is not None:
            if self._may_hold(opened, scan):
                self._close(opened, scan.at, estimated=False)
                return
            self._close_estimated(opened, scan.at)
        self._add_orphan(scan)

    def move(self, scan: SeenScan) -> None:
        opened = self._opened
        if opened is not None and self._may_hold(opened, scan):
            self._latest = scan.at
            self._zones = (*self._zones, (scan.at, scan.zone))
        else:
            self.enter(scan, ((scan.at, scan.zone),))

    def finish(self) -> tuple[list[Visit], Carry]:
        opened = self._opened
        carry = Carry(opened, self._latest, self._zones, self._exit_facility, self._exit_at, self._closed_last())
        if opened is not None:
            self._close(opened, self._estimated_end(opened), estimated=True)
        return self._visits, carry

    def _may_hold(self, opened: SeenScan, scan: SeenScan) -> bool:
        return opened.facility == scan.facility and scan.at - opened.at <= self._longest

    def _estimated_end(self, opened: SeenScan) -> int:
        return max(opened.at + self._assumed, self._latest)

    def _close_estimated(self, opened: SeenScan, seen_elsewhere: int) -> None:
        self._close(opened, min(self._estimated_end(opened), seen_elsewhere), estimated=True)

    def _close(self, opened: SeenScan, check_out: int, *, estimated: bool) -> None:
        self._opened = None
        self._visits.append(_visit(opened, opened.at, check_out, (False, estimated), self._zones))

    def _closed_last(self) -> int | None:
        return self._visits[-1].check_out if self._visits else self._previous_end

    def _add_orphan(self, scan: SeenScan) -> None:
        check_in = scan.at - self._stays.assumed_stay(scan.kind, scan.role, scan.at)
        previous_end = self._closed_last()
        if previous_end is not None:
            check_in = max(check_in, previous_end)
        self._visits.append(_visit(scan, check_in, scan.at, (True, False), ()))


def _visit(
    opened: SeenScan, check_in: int, check_out: int, estimated: tuple[bool, bool], zones: tuple[tuple[int, str], ...]
) -> Visit:
    return Visit(
        opened.scan_id,
        opened.person,
        opened.facility,
        opened.kind,
        opened.time_zone,
        check_in,
        check_out,
        *estimated,
        opened.role,
        zones,
    )
