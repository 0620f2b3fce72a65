"""Retention in a world: horizons that move to the very instant of some record, and persons who lose what is before."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from ops.simulation.tables import Database, Kept, Transaction
from schemas.codec import Codec
from schemas.errors import InvalidEvent
from schemas.events import Scan, ScanDecision
from streams.retention.step import Retention
from tracing.fast import NO_HORIZON
from tracing.instants import us_of

INSTANTS_APART: Final = 3  # of the instants of the log, so many apart, the horizon may move to one
MOMENTS_APART: Final = 5
_codec: Codec[Scan | ScanDecision] = Codec(Scan, ScanDecision)


class Horizons:
    """Moves horizons and takes the product's own steps; each is one transaction between those of the workers."""

    def __init__(self, database: Database, log: Mapping[int, Sequence[Any]]) -> None:
        self._database = database
        self._log = log
        self._instants = {partition: _instants(records) for partition, records in log.items()}
        self.moves: dict[int, list[tuple[int, int]]] = {partition: [] for partition in log}  # (position, horizon)
        tables = Kept(database)
        self._retention = Retention(tables, tables)

    def actions(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what can happen now."""
        made: list[tuple[str, Callable[[], None]]] = []
        for partition in sorted(self._instants.keys() - self._database.locks.keys()):
            made += [
                (f"the horizon of {partition} moves to instant {later}", partial(self._move, partition, later))
                for later in self._later(partition)[::INSTANTS_APART]
            ]
            if self.moves[partition]:
                look: Callable[[], None] = partial(self._look, partition)
                made += [(f"retention looks at one of {partition}", look)] * 3
        return made

    def go_on(self, moment: int) -> None:
        """Do what a schedule that is over leaves to do, little by little while the workers finish."""
        for partition in sorted(self._instants.keys() - self._database.locks.keys()):
            later = self._later(partition)
            if moment % MOMENTS_APART == partition and len(later) > INSTANTS_APART:
                self._move(partition, later[moment % INSTANTS_APART])
            if self.moves[partition]:
                self._drop(partition)

    def finish(self) -> None:
        """Look at all who are due."""
        for partition in self._instants:
            while self.moves[partition] and self._drop(partition):
                pass

    def of(self, partition: int, offset: int) -> int:
        """Return the horizon that a record met when it was folded."""
        return max((horizon for at, horizon in self.moves[partition] if at <= offset), default=NO_HORIZON)

    def _later(self, partition: int) -> list[int]:
        now = self._database.tables["horizon"].get(partition, NO_HORIZON)
        return [number for number, at in enumerate(self._instants[partition]) if at > now]

    def _move(self, partition: int, number: int) -> None:
        cur = Transaction(self._database, lambda _: None)
        cur.lock([partition])
        horizon = self._instants[partition][number]
        cur.put("horizon", partition, horizon)
        self.moves[partition].append((cur.seen["position"][partition][0], horizon))
        cur.commit()

    def _look(self, partition: int) -> None:
        self._drop(partition)

    def _drop(self, partition: int) -> int:
        cur = Transaction(self._database, lambda _: None)
        step = self._retention.take_step(cur, partition, 1)  # type: ignore[arg-type] # a transaction stands in for a cursor
        cur.commit()
        assert not step.left, "what is stored of somebody is not what his scans say"
        return step.persons


def _instants(records: Sequence[Any]) -> list[int]:
    found = set()
    for record in records:
        try:
            event = _codec.decode(record.value)
        except InvalidEvent:
            continue
        found.add(us_of(event.at if isinstance(event, Scan) else event.scan_at))
    return sorted(found)
