"""One world: a log, a database in memory, a consumer group of workers; a schedule of numbers decides what happens next.

The workers run the product's own steps (`fold_parts`, `VisitFold`, `rounds`, `due_records`, `Ranges`); the consumer
group, the broker and the database are models. When the schedule ends, nothing goes wrong any more, and what was begun
is finished; then the database must be the pure fold of the log.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

from ops.simulation.tables import Database, Died, MemoryLedger, Tables, Transaction
from schemas.errors import GapInLog
from streams.batches import Batch
from streams.intake import rounds
from streams.joining.store import Part, fold_parts
from streams.ranges import Ranges
from streams.store import RunFirst, Source
from streams.visits import VisitFold

PARTITIONS: Final = 2
WORKERS: Final = 2
TOPIC: Final = "scan.v1"
INTAKE_MAX: Final = 3
STEPS_MAX: Final = 600

Log = dict[int, list[Any]]  # partition → records


class Wrong(AssertionError):
    """The world ended in a state it must not be in."""


class Protocol:
    """The product's protocol, for a planted bug to change."""

    locking = True
    ledger = MemoryLedger()

    def begin(self, database: Database, kafka: dict[int, int], partition: int) -> int:
        """Return where to begin reading: PostgreSQL's position, never Kafka's committed offset."""
        del kafka
        return int(database.tables["position"][partition][0])

    def fold(self, cur: Any, parts: Sequence[Part], work: Any) -> object:  # noqa: ANN401 — a transaction stands in for a cursor
        """Do the steps of a batch's transaction."""
        return fold_parts(cur, parts, work, self.ledger)  # type: ignore[arg-type] # a transaction stands in for a cursor

    acks_before_commit = False


class Worker:
    """One worker process; its life is a generator that yields before every step, with the partitions it will lock."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.assigned: set[int] = set()
        self.stale = False  # the group has dealt anew and it has not noticed
        self.crash_at = -1  # statements from now on
        self.start()

    def start(self) -> None:
        """Begin a new process."""
        tables = Tables(self.world.database)
        self.work = VisitFold(PARTITIONS, tables, tables.write_outboxes)
        self.work.opened(None)  # type: ignore[arg-type] # a transaction stands in for a cursor
        self.reading: dict[int, int] = {}
        self.intake: list[Batch] = []
        self.ranges: Ranges[int] = Ranges()
        self.transaction: Transaction | None = None
        self.life = self._live()
        self.waits_for: frozenset[int] = frozenset()

    def die(self) -> None:
        """End the process; the server rolls back what was not committed."""
        if self.transaction is not None:
            self.transaction.abort()
        self.start()

    def seek(self) -> None:
        """Take what the group deals: forget what is in flight, and begin where the database stands."""
        self.assigned = set(self.world.dealt[self.number])
        self.ranges.forget_all()
        self.stale = False
        self.reading = {
            one: self.world.protocol.begin(self.world.database, self.world.kafka, one) for one in self.assigned
        }

    def fetch(self, partition: int, size: int) -> None:
        """Take the next records of a partition into the intake."""
        first = self.reading[partition]
        records = self.world.log[partition][first : first + size]
        self.intake.append(Batch(TOPIC, partition, records, len(self.world.log[partition])))
        self.ranges.deliver(partition, records[-1].offset)
        self.reading[partition] = first + len(records)

    def can_fetch(self) -> list[int]:
        """Return the partitions with records to fetch."""
        if len(self.intake) >= INTAKE_MAX:
            return []
        return [one for one, at in sorted(self.reading.items()) if at < len(self.world.log[one])]

    def _live(self) -> Iterator[None]:
        while True:
            while not self.intake:
                yield
            batches, self.intake = self.intake, []
            if self.world.protocol.acks_before_commit:
                self._ack(batches)
            for together in rounds(batches):
                yield from self._fold([Part(Source(TOPIC, one.partition), one.records) for one in together])
            yield  # committed, not acked
            self._ack(batches)

    def _fold(self, parts: Sequence[Part]) -> Iterator[None]:
        while True:
            self.waits_for = frozenset(part.source.partition for part in parts)
            yield
            self.waits_for = frozenset()
            cur = self.transaction = Transaction(
                self.world.database, self._statement, locking=self.world.protocol.locking
            )
            try:
                self.world.protocol.fold(cur, parts, self.work)
            except RunFirst as order:
                cur.abort()
                order.step(cur)  # type: ignore[arg-type] # a transaction stands in for a cursor
                continue
            yield  # all is written, nothing is committed
            cur.commit()
            self.transaction = None
            if not self.world.loses_answer():
                return

    def _ack(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self.ranges.ack(batch.partition, batch.records[-1].offset)
        for partition in self.ranges.partitions():
            offset = self.ranges.take(partition)
            if offset is not None and not self.stale:
                self.world.kafka[partition] = offset

    def _statement(self, name: str) -> None:
        self.crash_at -= 1
        if self.crash_at == 0:
            raise Died(name)


class World:
    """All of it; `run` does what the schedule says and then lets it come to rest."""

    def __init__(self, log: Log, schedule: Sequence[int], protocol: Protocol) -> None:
        self.log = log
        self.protocol = protocol
        self.database = Database(PARTITIONS)
        self.kafka: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)
        self.told: list[str] = []
        self._schedule = iter(schedule)
        self._calm = False
        self._loses = False
        self.dealt: list[set[int]] = [set(range(PARTITIONS)), set()]
        self.workers = [Worker(self, number) for number in range(WORKERS)]
        for worker in self.workers:
            worker.seek()

    def run(self) -> None:
        """Live through the schedule, then finish.

        Raises:
            Wrong: it does not come to rest.
        """
        for number in self._schedule:
            actions = self._actions()
            name, action = actions[number % len(actions)]
            self.told.append(name)
            action()
        self._calm = True
        for worker in self.workers:
            worker.crash_at = -1
            if worker.stale:
                worker.seek()
        for _ in range(STEPS_MAX):
            if self._is_done():
                return
            for worker in self.workers:
                for partition in worker.can_fetch()[:1]:
                    worker.fetch(partition, 4)
                self._step(worker)
        raise Wrong("it does not come to rest")

    def loses_answer(self) -> bool:
        """Say, once, whether the answer to a commit is lost."""
        lost, self._loses = self._loses, False
        return lost

    def _is_done(self) -> bool:
        positions = self.database.tables["position"]
        idle = all(not worker.intake and worker.transaction is None for worker in self.workers)
        return idle and all(positions[one][0] >= len(self.log[one]) for one in positions)

    def _actions(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what can happen next; what happens most comes most often."""
        made: list[tuple[str, Callable[[], None]]] = []
        for worker in self.workers:
            name = f"worker {worker.number}"
            if not self._is_locked(worker):
                made += [(f"{name} steps", lambda worker=worker: self._step(worker))] * 5  # type: ignore[misc] # bound
            for partition in worker.can_fetch():
                for size in (1, 3):
                    made.append(
                        (f"{name} fetches {size} of {partition}",
                         lambda worker=worker, partition=partition, size=size: worker.fetch(partition, size))  # type: ignore[misc] # bound
                    )  # fmt: skip
            made.append((f"{name} is killed", lambda worker=worker: self._kill(worker)))  # type: ignore[misc] # bound
            for statements in (2, 7):
                made.append(
                    (f"{name} will die at statement {statements}",
                     lambda worker=worker, statements=statements: setattr(worker, "crash_at", statements))  # type: ignore[misc] # bound
                )  # fmt: skip
            if worker.stale:
                made.append((f"{name} notices", worker.seek))
        made.append(("the next commit's answer is lost", lambda: setattr(self, "_loses", True)))
        made += [(f"the group deals {first}", lambda first=first: self._deal(first)) for first in ({0, 1}, {0}, set())]  # type: ignore[misc] # bound
        return made

    def _deal(self, first: set[int]) -> None:
        """Deal partitions anew; the worker that gains any notices at once, the other may not."""
        self.dealt = [set(first), set(range(PARTITIONS)) - first]
        for worker, dealt in zip(self.workers, self.dealt, strict=True):
            if dealt - worker.assigned:
                worker.seek()
            elif dealt != worker.assigned:
                worker.stale = True

    def _is_locked(self, worker: Worker) -> bool:
        return any(one in self.database.locks for one in worker.waits_for)

    def _step(self, worker: Worker) -> None:
        if self._is_locked(worker):
            return
        try:
            next(worker.life)
        except (Died, GapInLog):  # killed, or ended with 70: the supervisor starts it again
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        worker.die()
        worker.crash_at = -1
        worker.seek()


def make_log(bodies: Sequence[tuple[int, bytes]]) -> Log:
    """Return the log of (partition, value)."""
    log: Log = {partition: [] for partition in range(PARTITIONS)}
    offsets = {partition: count() for partition in log}
    for partition, value in bodies:
        log[partition].append(SimpleNamespace(offset=next(offsets[partition]), timestamp=0, key=b"", value=value))
    return log
