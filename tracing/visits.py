"""Pairing: the scans of one person become visits, each with both ends. Change the pairing rules here and nowhere else.

A pure function of the set of scans: their order and repetition do not matter, no clock is read, nothing is looked up.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from tracing.instants import MINUTE_US
from tracing.records import OUT_OF_TRACING, Key, SeenScan
from tracing.stays import DEFAULT_STAYS, Stays

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


def visits_of(scans: Iterable[SeenScan], stays: Stays = DEFAULT_STAYS) -> list[Visit]:
    """Return the visits of one person in the order of time, one never overlapping the next.

    Refused scans and scans whose latest decision is void or flag are not seen. A visit still open ends, estimated,
    where its kind's usual stay ends, until a later scan says otherwise.

    Args:
        scans: the standing scans of one person, in any order, repeats allowed.
        stays: the dated configuration; the values at the opening scan's `at` hold for its visit.
    """
    pairing = _Pairing(stays)
    in_order = sorted(
        (scan for scan in scans if scan.admitted and scan.decision not in OUT_OF_TRACING),
        key=lambda scan: (scan.at, scan.scan_id),
    )
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

    __slots__ = ("_assumed", "_latest", "_latest_exit", "_longest", "_opened", "_stays", "_visits", "_zones")

    def __init__(self, stays: Stays) -> None:
        self._stays = stays
        self._visits: list[Visit] = []
        self._opened: SeenScan | None = None  # the scan that opened the open visit
        self._latest = 0  # of the open visit: its last scan that opened it, moved it or was ignored in it
        self._assumed = 0
        self._longest = 0
        self._zones: tuple[tuple[int, str], ...] = ()
        self._latest_exit: SeenScan | None = None  # set while the person's latest scan is an exit

    def enter(self, scan: SeenScan, zones: tuple[tuple[int, str], ...]) -> None:
        self._latest_exit = None
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
        exit_before, self._latest_exit = self._latest_exit, scan
        if exit_before is not None and exit_before.facility == scan.facility and scan.at - exit_before.at <= TWICE_US:
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

    def finish(self) -> list[Visit]:
        if self._opened is not None:
            self._close(self._opened, self._estimated_end(self._opened), estimated=True)
        return self._visits

    def _may_hold(self, opened: SeenScan, scan: SeenScan) -> bool:
        return opened.facility == scan.facility and scan.at - opened.at <= self._longest

    def _estimated_end(self, opened: SeenScan) -> int:
        return max(opened.at + self._assumed, self._latest)

    def _close_estimated(self, opened: SeenScan, seen_elsewhere: int) -> None:
        self._close(opened, min(self._estimated_end(opened), seen_elsewhere), estimated=True)

    def _close(self, opened: SeenScan, check_out: int, *, estimated: bool) -> None:
        self._opened = None
        self._visits.append(_visit(opened, opened.at, check_out, (False, estimated), self._zones))

    def _add_orphan(self, scan: SeenScan) -> None:
        check_in = scan.at - self._stays.assumed_stay(scan.kind, scan.role, scan.at)
        if self._visits:
            check_in = max(check_in, self._visits[-1].check_out)
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
