"""One world: a log, a database in memory, a consumer group of workers; a schedule of numbers decides what happens next.

The workers run the product's own steps (`Intake`, `rounds`, `fold_parts`, `VisitFold`, `due_records`, `Ranges`), each
with two transactions at once as the visits worker has them, and retention its own (`Retention`) between them; the
consumer group, the broker and the database are models. When the schedule ends, nothing goes wrong any more, and what
was begun is finished; then the database must be the pure fold of the log, and of what is kept of it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

from ops.simulation.horizons import Horizons
from ops.simulation.tables import Database, Died, MemoryLedger, Tables, Transaction
from schemas.errors import GapInLog
from streams.batches import Batch
from streams.intake import Intake, rounds
from streams.joining.store import Part, fold_parts
from streams.ranges import Ranges
from streams.store import RunFirst, Source
from streams.visits import THREADS, VisitFold

PARTITIONS: Final = 2
WORKERS: Final = 2
TOPIC: Final = "scan.v1"
RECORDS_MAX: Final = 4  # of a transaction
STEPS_MAX: Final = 600

Log = dict[int, list[Any]]  # partition → records


class Wrong(AssertionError):
    """The world ended in a state it must not be in."""


class Protocol:
    """The product's protocol, for a planted bug to change."""

    locking = True
    ledger = MemoryLedger()
    intake: type[Intake] = Intake
    ranges: Callable[[], Ranges[int]] = Ranges

    def begin(self, database: Database, kafka: dict[int, int], partition: int) -> int:
        """Return where to begin reading: PostgreSQL's position, never Kafka's committed offset."""
        del kafka
        return int(database.tables["position"][partition][0])

    def fold(self, cur: Any, parts: Sequence[Part], work: Any) -> object:  # noqa: ANN401 — a transaction stands in for a cursor
        """Do the steps of a batch's transaction."""
        return fold_parts(cur, parts, work, self.ledger)  # type: ignore[arg-type] # a transaction stands in for a cursor

    acks_before_commit = False


class Hand:
    """A database thread of a worker; its life is a generator that yields before every step."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        tables = Tables(worker.world.database)
        self.work = VisitFold(PARTITIONS, tables, tables.write_outboxes)
        self.work.opened(None)  # type: ignore[arg-type] # a transaction stands in for a cursor
        self.taken: list[Any] = []
        self.transaction: Transaction | None = None
        self.waits_for: frozenset[int] = frozenset()  # partitions it will lock
        self.life = self._live()

    def _live(self) -> Iterator[None]:
        protocol = self.worker.world.protocol
        while True:
            while not (taken := self.worker.intake.take_now()):
                yield
            self.taken = taken
            self.worker.check_hands()
            batches = [event.value for event in taken]
            if protocol.acks_before_commit:
                self.worker.ack(batches)
            for together in rounds(batches):
                yield from self._fold([Part(Source(TOPIC, one.partition), one.records) for one in together])
            yield  # committed, not acked
            self.worker.ack(batches)
            self.taken = []
            self.worker.intake.done(taken)

    def _fold(self, parts: Sequence[Part]) -> Iterator[None]:
        world = self.worker.world
        while True:
            self.waits_for = frozenset(part.source.partition for part in parts)
            yield
            self.waits_for = frozenset()
            cur = self.transaction = Transaction(world.database, self.worker.statement, locking=world.protocol.locking)
            try:
                world.protocol.fold(cur, parts, self.work)
            except RunFirst as order:
                cur.abort()
                order.step(cur)  # type: ignore[arg-type] # a transaction stands in for a cursor
                continue
            yield  # all is written, nothing is committed
            cur.commit()
            self.transaction = None
            if not world.loses_answer():
                return


class Worker:
    """One worker process: what it fetched, and two hands that fold it."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.assigned: set[int] = set()
        self.stale = False  # the group has dealt anew and it has not noticed
        self.crash_at = -1  # statements from now on
        self.start()

    def start(self) -> None:
        """Begin a new process."""
        self.reading: dict[int, int] = {}
        self.intake = self.world.protocol.intake(RECORDS_MAX)
        self.ranges = self.world.protocol.ranges()
        self.hands = [Hand(self) for _ in range(THREADS)]

    def die(self) -> None:
        """End the process; the server rolls back what was not committed."""
        for hand in self.hands:
            if hand.transaction is not None:
                hand.transaction.abort()
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
        batch = Batch(TOPIC, partition, records, len(self.world.log[partition]))
        self.intake.add(SimpleNamespace(value=batch))
        self.ranges.deliver(partition, records[-1].offset)
        self.reading[partition] = first + len(records)

    def can_fetch(self) -> list[int]:
        """Return the partitions with records to fetch."""
        if self.intake.is_full:
            return []
        return [one for one, at in sorted(self.reading.items()) if at < len(self.world.log[one])]

    def ack(self, batches: Sequence[Batch]) -> None:
        """Mark the batches as done, and tell Kafka how far that is."""
        for batch in batches:
            self.ranges.ack(batch.partition, batch.records[-1].offset)
        for partition in self.ranges.partitions():
            offset = self.ranges.take(partition)
            if offset is not None and not self.stale:
                self.world.kafka[partition] = offset
                self.world.check_told(partition)

    def check_hands(self) -> None:
        """Compare what the hands hold.

        Raises:
            Wrong: one partition is in both.
        """
        held = [{event.value.partition for event in hand.taken} for hand in self.hands]
        if len(set().union(*held)) != sum(map(len, held)):
            raise Wrong("one partition is in two hands")

    def is_idle(self) -> bool:
        """Say whether there is nothing to do."""
        return not len(self.intake) and not any(hand.taken for hand in self.hands)

    def statement(self, name: str) -> None:
        """Count a statement; the process may end here."""
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
        self.horizons = Horizons(self.database, log)
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
        for moment in range(STEPS_MAX):
            if self._is_done():
                self.horizons.finish()
                return
            self.horizons.go_on(moment)
            for worker in self.workers:
                for partition in worker.can_fetch()[:1]:
                    worker.fetch(partition, 4)
                for number in range(THREADS):
                    self._step(worker, number)
        raise Wrong("it does not come to rest")

    def loses_answer(self) -> bool:
        """Say, once, whether the answer to a commit is lost."""
        lost, self._loses = self._loses, False
        return lost

    def check_told(self, partition: int) -> None:
        """Compare what Kafka was told with what is folded.

        Raises:
            Wrong: it was told too much: whoever believed it would lose records.
        """
        if self.kafka[partition] > self.database.tables["position"][partition][0]:
            raise Wrong("Kafka's committed offset is beyond the position")

    def _is_done(self) -> bool:
        positions = self.database.tables["position"]
        idle = all(worker.is_idle() for worker in self.workers)
        return idle and all(positions[one][0] >= len(self.log[one]) for one in positions)

    def _actions(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what can happen next; what happens most comes most often."""
        made: list[tuple[str, Callable[[], None]]] = []
        for worker in self.workers:
            name = f"worker {worker.number}"
            for number, hand in enumerate(worker.hands):
                if not self._is_locked(hand):
                    step = lambda worker=worker, number=number: self._step(worker, number)  # noqa: E731
                    made += [(f"{name} steps with hand {number}", step)] * 4
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
        made += self.horizons.actions()
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

    def _is_locked(self, hand: Hand) -> bool:
        return any(one in self.database.locks for one in hand.waits_for)

    def _step(self, worker: Worker, number: int) -> None:
        hand = worker.hands[number]
        if self._is_locked(hand):
            return
        try:
            next(hand.life)
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
