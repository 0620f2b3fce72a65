"""All that is stored of one person, and what it says now that new records are in it. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from tracing.difference import Difference, difference
from tracing.fast import NEW, State, near_visits, resumed, state_of
from tracing.records import SeenScan, latest_decisions
from tracing.rows import DecisionKey, Facility, ScanKey, StoredScan
from tracing.stays import Stays
from tracing.visits import Visit, paired

NO_CARRY: Final[Mapping[str, State]] = MappingProxyType({})


class History(msgspec.Struct):
    """One person's standing scans and decisions, the new ones among them, and the visits stored before those came."""

    scans: list[StoredScan] = []
    decisions: list[tuple[DecisionKey, str]] = []  # with the verdict
    visits: list[Visit] = []
    carry: State = NEW  # what the scans and visits left that were dropped
    person: str = ""

    def folded(
        self, new: set[ScanKey | DecisionKey], facilities: Mapping[int, Facility], stays: Stays
    ) -> tuple[Difference, State]:
        """Return what the new records, given by their identities, change in what is stored, and the person's row."""
        scans = {scan.scan_id: scan for scan in self.seen(facilities)}
        after, carry = paired(scans.values(), stays, resumed(self.carry, self.person, facilities)[0])
        near = near_visits(self.carry, [*after, *self.visits], self.person, facilities)
        known = _latest(one for one in self.decisions if one[0] not in new)
        judged = {key[1] for key, _ in self.decisions if key in new}
        scans_before, scans_after = {}, {}
        for stored in self.scans:
            scan_id = stored.scan_id
            is_new = (stored.person, scan_id) in new
            if is_new or scan_id in judged:
                scans_after[scan_id] = scans[scan_id]
                if not is_new:
                    scans_before[scan_id] = _seen(stored, known.get(scan_id), facilities)
        awaits = any(key[1] not in scans for key, _ in self.decisions)
        state = state_of(self.last(), carry, after, near=self.carry.near, awaits=awaits)
        return difference([*near, *self.visits], [*near, *after], scans_before, scans_after), state

    def seen(self, facilities: Mapping[int, Facility]) -> list[SeenScan]:
        """Return the scans as pairing sees them."""
        latest = _latest(self.decisions)
        return [_seen(scan, latest.get(scan.scan_id), facilities) for scan in self.scans]

    def last(self) -> tuple[int, str]:
        """Return (at, scan_id) of the last of all scans, the refused and the dropped ones too."""
        return max(((scan.at, scan.scan_id) for scan in self.scans), default=self.carry.latest)


def histories(
    scans: Iterable[StoredScan],
    decisions: Mapping[DecisionKey, tuple[int, str, str]],
    visits: Iterable[Visit],
    carries: Mapping[str, State] = NO_CARRY,
) -> list[History]:
    """Return the history of each person who has a scan, or had one that was dropped.

    Args:
        scans: all that stand of these persons.
        decisions: all about them; one whose scan has not come yet changes nothing.
        visits: all that are stored of them.
        carries: what their dropped scans and visits left.
    """
    found = _Persons((person, History(carry=carry, person=person)) for person, carry in carries.items())
    for scan in scans:
        found[scan.person].scans.append(scan)
    for visit in visits:
        found[str(visit.person)].visits.append(visit)
    for key, (_, verdict, _) in decisions.items():
        if key[0] in found:
            found[key[0]].decisions.append((key, verdict))
    return list(found.values())


class _Persons(dict[str, History]):
    """A person's history comes into being when something of his is found."""

    def __missing__(self, person: str) -> History:
        history = self[person] = History(person=person)
        return history


def _latest(decisions: Iterable[tuple[DecisionKey, str]]) -> dict[str, str]:
    return latest_decisions((key[1], key[2], verdict) for key, verdict in decisions)


def _seen(scan: StoredScan, decision: str | None, facilities: Mapping[int, Facility]) -> SeenScan:
    facility = facilities[scan.facility_no]
    return SeenScan(
        scan.scan_id,
        scan.person,
        scan.facility_no,
        facility.kind,
        facility.time_zone,
        scan.gate,
        scan.zone,
        scan.at,
        scan.admitted,
        scan.role,
        scan.channel,
        decision,
    )
