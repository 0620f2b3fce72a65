"""visit.v1 replayed: each visit's changes are one chain from nothing to what is stored. Repeats are allowed.

A relay that failed sends again from an earlier change on, in order: so a change may begin at any state that the visit
had before, and the last one must end in the state that is stored. What the topic no longer keeps is not claimed.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

import msgspec

from ops.audit.findings import Findings
from ops.audit.log import Log
from ops.audit.outbox import Moving
from ops.audit.recompute import Say
from ops.audit.store import Row, Snapshot
from schemas.codec import encode
from schemas.errors import InvalidEvent
from schemas.events import Role, VisitState, ZoneFrom
from schemas.partition import partition_of
from schemas.topics import VISIT
from tracing.instants import us_of, utc_of
from tracing.keys import facility_of

CHECK: Final = "visit-topic"
NOTHING: Final = b"null"
KEPT: Final = timedelta(days=VISIT.retention_days)
_zones = msgspec.json.Decoder(list[tuple[int, str]])


class _Change(msgspec.Struct):
    visit_id: str
    person_id: str
    before: msgspec.Raw
    after: msgspec.Raw


class _Place(msgspec.Struct):
    facility_id: str = "an unknown facility"


_changes = msgspec.json.Decoder(_Change)


class Replay:
    """The visits of one partition, as its changes leave them; states are bytes as they were encoded."""

    def __init__(self, partition: int, partitions: int, findings: Findings, *, whole: bool) -> None:
        self.states: dict[str, bytes] = {}
        self._earlier: dict[str, list[bytes]] = {}  # all states but the last, of visits that changed
        self.partition = partition
        self._partitions = partitions
        self._findings = findings
        self.whole = whole

    def take(self, offset: int, value: bytes | None) -> None:
        """Replay one change."""
        where = f"{VISIT.name} {self.partition} offset {offset}"
        try:
            change = _changes.decode(value or b"")
        except (msgspec.DecodeError, InvalidEvent):
            self._findings.differs(CHECK, where, "is no change of a visit")
            return
        if partition_of(change.person_id, self._partitions) != self.partition:
            self._findings.differs(CHECK, f"visit {change.visit_id}", f"is told in another's partition, {where}")
            return
        visit_id, before, after = change.visit_id, bytes(change.before), bytes(change.after)
        state = self.states.get(visit_id)
        if state is None:
            if self.whole and before != NOTHING:
                self._findings.differs(CHECK, _name(visit_id, before), f"its first change is missing before {where}")
        elif not (_same(before, state) or any(_same(before, one) for one in self._known(visit_id))):
            self._findings.differs(CHECK, _name(visit_id, before), f"a change is missing before {where}")
        if state is not None or before != NOTHING:
            self._earlier.setdefault(visit_id, [NOTHING]).append(state if state is not None else before)
        self.states[visit_id] = after

    def _known(self, visit_id: str) -> Sequence[bytes]:
        return self._earlier.get(visit_id, (NOTHING,))


def check_visit_topic(snapshot: Snapshot, log: Log, on_the_way: Moving, findings: Findings, say: Say) -> None:
    """Replay visit.v1 partition by partition, and compare where it ends with the stored visits."""
    stored = groupby(snapshot.visits(), key=itemgetter(0))
    ready = next(stored, None)
    unkept = 0
    for partition in range(snapshot.partitions):
        say(f"{VISIT.name} {partition} of {snapshot.partitions}")
        replay = _replayed(partition, snapshot, log, findings)
        visits: Iterator[Row] = iter(())
        if ready is not None and ready[0] == partition:
            visits = ready[1]
        unkept += _compare(visits, replay, snapshot, on_the_way, findings)
        if ready is not None and ready[0] == partition:
            ready = next(stored, None)
    if unkept:
        findings.note(CHECK, f"{unkept:,} visits are older than what the topic keeps")


def _replayed(partition: int, snapshot: Snapshot, log: Log, findings: Findings) -> Replay:
    """Replay a partition; on the way, cross off what the outbox says was published there."""
    bounds = log.bounds.get((VISIT.name, partition))
    replay = Replay(partition, snapshot.partitions, findings, whole=bounds is None or bounds.is_whole)
    owed: dict[int, int] = {}
    if findings.wants("outbox"):
        for row in snapshot.outbox(VISIT.name, partition):
            findings.compared("outbox")
            owed |= {hash((at, key, value)): row.row_id for at, key, value in row.events}
    for offset, key, value in log.read(VISIT.name, partition) if bounds else ():
        replay.take(offset, value)
        owed.pop(hash((partition, key, value)), None)
    missing: dict[int, int] = {}
    for row_id in owed.values():
        missing[row_id] = missing.get(row_id, 0) + 1
    for row_id, events in sorted(missing.items()):
        what = f"is marked as published, but {events} of its events are not on {VISIT.name}"
        findings.differs("outbox", f"outbox row {row_id}", what)
    return replay


def _compare(visits: Iterator[Row], replay: Replay, snapshot: Snapshot, on_the_way: Moving, findings: Findings) -> int:
    """Compare stored visits with their last states; return how many the topic does not keep any more."""
    unfound: list[Row] = []
    for row in visits:
        visit_id = row[2]
        if visit_id in on_the_way.visits:
            continue
        findings.compared(CHECK)
        told = replay.states.pop(visit_id, None)
        if told is None:
            unfound.append(row)
            continue
        stored = _state(row, snapshot)
        if not _same(told, stored):
            findings.differs(CHECK, _name(visit_id, stored), _differing(told, stored))
    horizon = snapshot.horizons.get(replay.partition)
    for visit_id, told in replay.states.items():
        if told != NOTHING and visit_id not in on_the_way.visits and not _is_over(told, horizon):
            findings.differs(CHECK, _name(visit_id, told), "is told, but not stored")
    return _report_unfound(unfound, replay, snapshot, findings)


def _report_unfound(unfound: Sequence[Row], replay: Replay, snapshot: Snapshot, findings: Findings) -> int:
    """Report visits that were never told. Where changes have gone by age, only those of scans newer than that."""
    must = {row[2] for row in unfound}
    if unfound and not replay.whole:
        fresh = snapshot.ask(
            "select scan_id::text from scan join unnest(%s::uuid[], %s::uuid[]) as asked (person, scan_id)"
            " using (person, scan_id) where accepted_at > %s",
            [row[1] for row in unfound],
            [row[2] for row in unfound],
            snapshot.at - KEPT + timedelta(hours=1),
        )
        must = {row[0] for row in fresh}
    for row in unfound:
        if row[2] in must:
            findings.differs(CHECK, _name(row[2], _state(row, snapshot)), "is stored, but was never told")
    return len(unfound) - len(must)


def _state(row: Row, snapshot: Snapshot) -> bytes:
    """Return a stored visit as the fold tells it."""
    _, _, _, key, check_in, check_out, in_estimated, out_estimated, role, zones, _ = row
    return encode(
        VisitState(
            facility_id=snapshot.facilities[facility_of(key)].facility_id,
            check_in=utc_of(check_in),
            check_out=utc_of(check_out),
            check_in_estimated=in_estimated,
            check_out_estimated=out_estimated,
            role=Role(role),
            zones=tuple(ZoneFrom(at=utc_of(at), zone=zone) for at, zone in _zones.decode(zones)) if zones else (),
        )
    )


def _same(one: bytes, other: bytes) -> bool:
    """Say whether two states are one; another version may have written the same in other bytes."""
    return one == other or _decoded(one) == _decoded(other)


def _is_over(told: bytes, horizon: int | None) -> bool:
    """Say whether a visit ended before the horizon: it was dropped, of which nobody is told."""
    state = _decoded(told)
    return horizon is not None and state is not None and us_of(state.check_out) <= horizon


def _decoded(state: bytes) -> VisitState | None:
    return msgspec.json.decode(state, type=VisitState | None)


def _differing(told: bytes, stored: bytes) -> str:
    was, now = _decoded(told), _decoded(stored)
    assert now is not None
    if was is None:
        return "is stored, but its last change says that it is gone"
    return "; ".join(
        f"{name} was told as {_shown(getattr(was, name))}, stored is {_shown(getattr(now, name))}"
        for name in VisitState.__struct_fields__
        if getattr(was, name) != getattr(now, name)
    )


def _shown(value: object) -> str:
    return f"{len(value)} zones" if isinstance(value, tuple) else str(value)


def _name(visit_id: str, state: bytes) -> str:
    place = msgspec.json.decode(state, type=_Place | None) or _Place()
    return f"visit {visit_id} at {place.facility_id}"
