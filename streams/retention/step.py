"""One step: some persons of one partition lose what is before the horizon; what it leaves is written with it.

The transaction holds the partition's position, as a batch of the fold does: nothing of these persons is on its way.
Who is looked at twice loses nothing more, so a run that was killed anywhere goes on with whoever is still due.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from hashlib import blake2b
from operator import add as plus
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from streams.failpoints import reach
from streams.retention import store as gone
from tracing import store
from tracing.carries import Dropped, drop
from tracing.counts import Counts, FacilityHour, add
from tracing.fast import NEW
from tracing.histories import histories
from tracing.instants import DAY_US
from tracing.rows import DecisionKey
from tracing.stays import Stays
from tracing.store import Cursor

HASHES: Final = 1 << 128
_encode: Final = msgspec.msgpack.Encoder().encode

Decided: TypeAlias = Mapping[DecisionKey, tuple[int, str, str]]


class Total(NamedTuple):
    """What of one day goes."""

    scans: int
    decisions: int
    visits: int
    hash: int


class Step(NamedTuple):
    """What a step did."""

    persons: int = 0
    scans: int = 0
    decisions: int = 0
    visits: int = 0
    left: int = 0  # persons who keep everything: their stored visits are not what their scans say

    def __add__(self, other: tuple[Any, ...]) -> "Step":
        """Return what both did."""
        return Step(*map(plus, self, other))


class Retention:
    """Takes steps; a step of a partition in which nobody is due does nothing."""

    def __init__(
        self,
        tables: Any = store,  # noqa: ANN401 — tracing.store, or another thing with its functions
        rows: Any = gone,  # noqa: ANN401 — likewise: where the horizon is, and what is left of that which goes
    ) -> None:
        self._tables = tables
        self._rows = rows

    def take_step(self, cur: Cursor, partition: int, most: int) -> Step:
        """Drop what is before the horizon of `most` persons of a partition, in a transaction of its own."""
        horizon = self._rows.lock(cur, partition)
        reach("positions locked")
        persons = self._rows.due(cur, partition, most) if horizon is not None else []
        if not persons:
            return Step()
        facilities = {one.facility_no: one for one in self._tables.read_facilities(cur)}
        stays = Stays(self._tables.read_stay_rules(cur))
        scans = self._tables.read_scans(cur, persons)
        decided = self._tables.decision_bodies(cur, persons)
        visits = self._tables.read_visits(cur, persons, facilities)
        carries = dict.fromkeys(persons, NEW) | self._tables.read_carries(cur, persons)
        reach("history read")
        found = histories(scans, decided, visits, carries)
        dropped = [one for each in found if (one := drop(each, decided, horizon, facilities, stays)) is not None]
        self._delete(cur, dropped, horizon)
        self._leave(cur, partition, dropped, decided)
        self._rows.done(cur, partition, persons)
        reach("due done")
        return Step(
            persons=len(persons),
            scans=sum(len(one.scans) for one in dropped),
            decisions=sum(len(one.decisions) for one in dropped),
            visits=sum(len(one.visits) for one in dropped),
            left=len(persons) - len(dropped),
        )

    def _delete(self, cur: Cursor, dropped: Sequence[Dropped], horizon: int) -> None:
        self._rows.delete_scans(cur, [scan for one in dropped for scan in one.scans], horizon)
        self._rows.delete_decisions(cur, [key for one in dropped for key in one.decisions])
        reach("scans dropped")
        self._tables.delete_visits(cur, [visit for one in dropped for visit in one.visits])
        reach("visits dropped")

    def _leave(self, cur: Cursor, partition: int, dropped: Sequence[Dropped], decided: Decided) -> None:
        self._rows.write_carries(cur, {one.person: (one.carry, one.until) for one in dropped if one.carry is not None})
        self._rows.delete_carries(cur, [one.person for one in dropped if one.carry is None])
        self._rows.delete_pairings(cur, [one.person for one in dropped if one.is_last])
        reach("carries written")
        hours: dict[FacilityHour, Counts] = {}
        for one in dropped:
            add(hours, one.counts)
        self._rows.add_hours(cur, partition, hours)
        self._rows.add_days(cur, partition, totals(dropped, decided))
        reach("totals written")


def totals(dropped: Iterable[Dropped], decided: Decided) -> dict[int, Total]:
    """Return what goes of each day, by its number since 1970 (UTC): of a scan's own, of a visit's end."""
    found: dict[int, list[Total]] = {}
    for one in dropped:
        for scan in one.scans:
            found.setdefault(scan.at // DAY_US, []).append(Total(1, 0, 0, _hash(tuple(scan))))
        for key in one.decisions:
            body = decided[key]
            found.setdefault(body[0] // DAY_US, []).append(Total(0, 1, 0, _hash((*key, *body))))
        for visit in one.visits:
            row = _hash(msgspec.structs.astuple(visit))
            found.setdefault(visit.check_out // DAY_US, []).append(Total(0, 0, 1, row))
    return {day: reduce(_summed, some) for day, some in found.items()}


def _summed(one: Total, other: Total) -> Total:
    whole = Total(*map(plus, one, other))
    return whole._replace(hash=whole.hash % HASHES)


def _hash(row: tuple[Any, ...]) -> int:
    return int.from_bytes(blake2b(_encode(row), digest_size=16).digest())
