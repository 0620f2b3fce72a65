"""All that is stored of one person, and what it says now that new records are in it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from tracing.difference import Difference, difference
from tracing.fast import BEFORE_ALL, State, state_of
from tracing.records import SeenScan, latest_decisions
from tracing.rows import DecisionKey, Facility, ScanKey, StoredScan
from tracing.stays import Stays
from tracing.visits import Visit, paired


class History(msgspec.Struct):
    """One person's standing scans and decisions, the new ones among them, and the visits stored before those came."""

    scans: list[StoredScan] = []
    decisions: list[tuple[DecisionKey, str]] = []  # with the verdict
    visits: list[Visit] = []

    def folded(
        self, new: set[ScanKey | DecisionKey], facilities: Mapping[int, Facility], stays: Stays
    ) -> tuple[Difference, State]:
        """Return what the new records, given by their identities, change in what is stored, and the person's row."""
        latest = _latest(self.decisions)
        scans = {scan.scan_id: _seen(scan, latest.get(scan.scan_id), facilities) for scan in self.scans}
        after, carry = paired(scans.values(), stays)
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
        last = max(((scan.at, scan.scan_id) for scan in self.scans), default=BEFORE_ALL)
        state = state_of(last, carry, after, awaits=awaits)
        return difference(self.visits, after, scans_before, scans_after), state


def histories(
    scans: Iterable[StoredScan], decisions: Mapping[DecisionKey, tuple[int, str, str]], visits: Iterable[Visit]
) -> list[History]:
    """Return the history of each person who has a scan.

    Args:
        scans: all that stand of these persons.
        decisions: all about them; one whose scan has not come yet changes nothing.
        visits: all that are stored of them.
    """
    found: defaultdict[object, History] = defaultdict(History)
    for scan in scans:
        found[scan.person].scans.append(scan)
    for visit in visits:
        found[visit.person].visits.append(visit)
    for key, (_, verdict, _) in decisions.items():
        if key[0] in found:
            found[key[0]].decisions.append((key, verdict))
    return list(found.values())


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
