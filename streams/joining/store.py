"""One transaction for the batches of several partitions: at a low rate each would cost what a thousand records cost.

The promise of `streams.store` holds for each partition: its position moves by compare-and-set in the transaction that
holds its rows, or nothing of it is there. Partitions are locked in one order, so that two workers never wait in a ring.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import psycopg2

from schemas.errors import GapInLog
from schemas.settings import Settings
from streams.batches import Batch, Log, Partition, Record
from streams.failpoints import reach
from streams.metrics import FOLD_BATCH_SECONDS
from streams.sealing import Seal
from streams.store import (
    BatchStore,
    Dead,
    Result,
    Source,
    Work,
    another_cluster,
    check_sum,
    due_records,
    in_transaction,
    is_ours,
    refusal_named,
    write_dead,
)
from streams.watchdog import RUN_MAX_S
from tracing.fast import NO_HORIZON
from tracing.store import Connection, Cursor


class Part(NamedTuple):
    """Records of one partition that are folded together with others."""

    source: Source
    records: Sequence[Record]
    horizon: int = NO_HORIZON  # of the partition, known once its position is locked


class Stand(NamedTuple):
    """Where a partition stands."""

    next_offset: int
    horizon: int = NO_HORIZON


class Together(Work, Protocol):
    """A work that takes the records of several partitions at once."""

    def fold_all(self, cur: Cursor, parts: Sequence[Part]) -> list[Result]:
        """Do as `fold` does for each part; one result each."""


class Ledger(Protocol):
    """Where the positions and dead letters are."""

    def lock(self, cur: Cursor, sources: Sequence[Source]) -> Mapping[Source, Stand]:
        """Return where each partition stands, locked until the transaction ends."""

    def bury(self, cur: Cursor, source: Source, dead: Sequence[Dead]) -> None:
        """Keep the records that cannot be used."""

    def advance(self, cur: Cursor, moves: Sequence[tuple[Source, int, Result]]) -> None:
        """Move each position from where it was past its records, or raise `GapInLog`."""


class JoiningStore(BatchStore):
    """A store that folds the batches of several partitions in one transaction, in which all their positions move."""

    _work: Together

    def __init__(self, settings: Settings, role: str, work: Together, seal: Seal) -> None:
        super().__init__(settings, role, work, seal)
        self._beside: list[JoiningStore] = []

    def beside(self, work: Together) -> "JoiningStore":
        """Return a store for another thread of this worker: a connection of its own, the same log and progress.

        The two must never have a partition in hand at once; each is to the other what another worker is.
        """
        other = JoiningStore(self._settings, self._role, work, self._seal)
        other.progress = self.progress
        self._beside.append(other)
        return other

    def positions(self, log: Log) -> Mapping[Partition, int]:
        """Return the position of each partition of `log`, as `BatchStore` does."""
        found = super().positions(log)
        for other in self._beside:
            other._cluster_id = self._cluster_id  # noqa: SLF001 — one of us
        return found

    def apply_all(self, batches: Sequence[Batch]) -> None:
        """Fold the batches, at most one per partition, and commit."""
        if len(batches) <= 1:
            for batch in batches:
                self.apply(batch)
            return
        parts = [Part(Source(batch.topic, batch.partition), batch.records) for batch in batches]
        with FOLD_BATCH_SECONDS.labels(batches[0].topic).time(), self.progress.working(), refusal_named():
            self._apply_all(parts)
        self.progress.made()
        for batch in batches:
            self.show_lag(batch)

    def run_apart(self, step: Callable[[Connection], object]) -> str:
        """Run `step`, which makes transactions of its own; return the SQLSTATE with which it was refused, or nothing.

        Trouble of the database is waited out, and an error of ours ends the worker, as in a fold.
        """
        try:
            with self.progress.excused(for_s=RUN_MAX_S):
                self._with_database(step)
        except psycopg2.Error as error:
            if is_ours(error):
                raise
            return error.pgcode or "none"
        return ""

    def _apply_all(self, parts: Sequence[Part]) -> None:
        try:
            self._with_database(lambda conn: self._attempt_all(conn, parts))
        except psycopg2.Error as error:
            if is_ours(error):
                raise
            for part in parts:  # one of them holds the record that is refused: each finds out alone
                self._apply(part.source, part.records)

    def _attempt_all(self, conn: Connection, parts: Sequence[Part]) -> None:
        for source, result in in_transaction(conn, lambda cur: fold_parts(cur, parts, self._work, self)):
            self._count(source, result)

    def _fold(self, cur: Cursor, source: Source, records: Sequence[Record]) -> Result:
        """Do for one partition what is done for several."""
        done = fold_parts(cur, [Part(source, records)], self._work, self)
        return done[0][1] if done else Result(0, 0, ())

    def lock(self, cur: Cursor, sources: Sequence[Source]) -> Mapping[Source, Stand]:
        """Return where each partition stands, locked until the transaction ends."""
        stands = lock_positions(cur, sources, self._cluster_id)
        self.progress.done.update((source, stand.next_offset) for source, stand in stands.items())
        return stands

    def bury(self, cur: Cursor, source: Source, dead: Sequence[Dead]) -> None:
        """Keep the records that cannot be used."""
        write_dead(cur, self._seal, source, dead)

    def advance(self, cur: Cursor, moves: Sequence[tuple[Source, int, Result]]) -> None:
        """Move each position from where it was past its records."""
        advance_all(cur, moves)


def fold_parts(cur: Cursor, parts: Sequence[Part], work: Together, ledger: Ledger) -> list[tuple[Source, Result]]:
    """Fold what is due of each partition inside one transaction; return what became of it.

    The order of the steps is the protocol: lock, drop what is folded, fold, move the positions by compare-and-set.
    `jejak simulate` runs this very function against a database in memory.
    """
    stands = ledger.lock(cur, [part.source for part in parts])
    reach("positions locked")
    due = [
        Part(source, due_records(records, stands[source].next_offset), stands[source].horizon)
        for source, records, _ in parts
    ]
    due = [part for part in due if part.records]
    if not due:
        return []
    results = work.fold_all(cur, due)
    for part, result in zip(due, results, strict=True):
        check_sum(part.records, result)
        ledger.bury(cur, part.source, result.dead)
    reach("dead letters written")
    ledger.advance(cur, [(part.source, part.records[0].offset, one) for part, one in zip(due, results, strict=True)])
    reach("positions moved")
    return [(part.source, one) for part, one in zip(due, results, strict=True)]


def lock_positions(cur: Cursor, sources: Sequence[Source], cluster_id: str) -> dict[Source, Stand]:
    """Return where each partition stands, locked as `lock_position` does; in one order in every process."""
    cur.execute(
        "select topic, partition, cluster_id, next_offset, (extract(epoch from horizon) * 1000000)::bigint"
        " from position"
        " join unnest(%s, %s) as asked (topic, partition) using (topic, partition)"
        " order by topic, partition for update of position",
        ([source.topic for source in sources], [source.partition for source in sources]),
    )
    clusters, found = {}, {}
    for topic, partition, cluster, at, horizon in cur.fetchall():
        clusters[topic, partition] = cluster
        found[Source(topic, partition)] = Stand(int(at), NO_HORIZON if horizon is None else horizon)
    for source in sources:
        if clusters.get(source) != cluster_id:
            raise another_cluster(source)
    return found


def advance_all(cur: Cursor, moves: Sequence[tuple[Source, int, Result]]) -> None:
    """Move several positions, as `advance` does."""
    rows = [
        (*source, was, one.applied + one.duplicate + len(one.dead), one.applied, one.duplicate, len(one.dead))
        for source, was, one in moves
    ]
    cur.execute(
        "update position p set next_offset = p.next_offset + d.records, applied = p.applied + d.applied,"
        " duplicate = p.duplicate + d.duplicate, dead = p.dead + d.dead, updated_at = clock_timestamp()"
        " from unnest(%s, %s, %s::bigint[], %s, %s, %s, %s)"
        " as d (topic, partition, was, records, applied, duplicate, dead)"
        " where p.topic = d.topic and p.partition = d.partition and p.next_offset = d.was",
        [list(column) for column in zip(*rows, strict=True)],
    )
    if cur.rowcount != len(moves):
        raise GapInLog("a position was moved by another process")
