"""What happens in one seed: the same to both installations, and in one of them a process dies at every place."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import Final

import msgspec

from ops.chaos.points.records import Records
from ops.chaos.points.side import Side
from ops.chaos.points.store import case_of, first_contact, let_time_pass
from producers.sender import Sender
from schemas.codec import encode
from schemas.events import ContactDecision, Scan, ScanDecision, TestResult, TraceRequest
from schemas.partition import partition_of
from schemas.topics import CONTACT_DECISION, SCAN, TEST_RESULT, TRACE_REQUEST
from streams import traces, visits
from streams.failpoints import FOLD, RELAY, STANDING, STATEMENT, TRACES

TOPICS: Final = {TestResult: TEST_RESULT, TraceRequest: TRACE_REQUEST, ContactDecision: CONTACT_DECISION}
BY_PROCESS: Final = "acked"  # the place that only a whole worker has
STATEMENTS: Final = 60  # about as many as a round or a fact has
AGAIN_MAX: Final = 20  # rounds until a place is come to
NOTHING: Final = b"{"
Event = TestResult | TraceRequest | ContactDecision
Make = Callable[[Side], Event | None]


class Seed:
    """The two installations, what they get, and the deaths that there were."""

    def __init__(self, number: int, calm: Side, dying: Side, today: datetime) -> None:
        self._random = Random(number)  # noqa: S311 — nothing secret
        self._calm, self._dying = calm, dying
        self._records = Records(number, today)
        self.deaths: list[str] = []
        self.survived = 0  # at a statement beyond the last

    def run(self, statements: int) -> None:
        """Die at every named place, and at so many numbered statements of fold, traces and relay each."""
        persons = iter(self._records.persons)
        for place in self._places([name for name in FOLD if name != BY_PROCESS], statements):
            self._round(place)
        for place in self._places(TRACES, 0):
            self._fact(place, _always(self._records.positive(next(persons))))
        self._other_facts(next(persons), next(persons), statements)
        for place in self._places(STANDING, statements // 2):
            self._stand_by(place)
        self._die_in_processes(next(persons))
        for place in self._places(RELAY, statements // 3):
            self._dies("relay", place, self._dying.relay)
            let_time_pass(self._dying.settings)
        self._dying.relay()

    def _places(self, names: Sequence[str], statements: int) -> list[str]:
        places = [*names, *(self._statement() for _ in range(statements))]
        self._random.shuffle(places)
        return places

    def _statement(self) -> str:
        return f"{STATEMENT}:{self._random.randint(1, STATEMENTS)}"

    def _dies(self, who: str, place: str, work: Callable[[], None]) -> bool:
        died = self._dying.dies(place, work)
        if died:
            self.deaths.append(f"{who}: {place}")
        else:
            self.survived += 1
        return died

    def _round(self, place: str) -> None:
        """Let scans come, and the fold die over them; where they do not lead to the place, let more come."""
        together = self._random.random() < 0.5  # noqa: PLR2004 — a coin
        for _ in range(AGAIN_MAX):
            self._scans_come()
            self._calm.fold(together=together)
            died = self._dies("fold", place, partial(self._dying.fold, together=together))
            self._dying.fold(together=together)
            if died or place.startswith(STATEMENT):
                return
        raise AssertionError(f"nothing leads to {place}")

    def _scans_come(self) -> None:
        events: list[Scan | ScanDecision] = self._records.scans()
        partitions = self._dying.settings.partitions
        some = [(partition_of(event.person_id, partitions), encode(event)) for event in events]
        some.append((self._random.randrange(partitions), NOTHING))
        self._arrive(SCAN.name, some, some)

    def _stand_by(self, place: str) -> None:
        """Let scans change visits, and the standing worker die over the traces that they touch."""
        for _ in range(AGAIN_MAX):
            self._scans_come()
            for side in (self._calm, self._dying):
                side.fold(together=True)
                side.hear_of_visits()
            self._calm.stand_by()
            died = self._dies("standing", place, self._dying.stand_by)
            self._dying.stand_by()
            if died or place.startswith(STATEMENT):
                return
        raise AssertionError(f"nothing leads to {place}")

    def _fact(self, place: str, make: Make) -> None:
        """Let a fact come, and the traces worker die over it."""
        self._fact_comes(make)
        self._calm.trace()
        self._dies("traces", place, self._dying.trace)
        self._dying.trace()

    def _fact_comes(self, make: Make) -> None:
        """Append a fact; of the two sides' each names its own case."""
        events = [event for side in (self._calm, self._dying) if (event := make(side)) is not None]
        if len(events) < 2:  # noqa: PLR2004 — the two sides
            return
        partition = partition_of(events[0].person_id, self._dying.settings.partitions)
        calm, dying = ([(partition, encode(event))] for event in events)
        self._arrive(TOPICS[type(events[0])].name, calm, dying)

    def _arrive(self, topic: str, calm: Sequence[tuple[int, bytes]], dying: Sequence[tuple[int, bytes]]) -> None:
        """Append to the calm side's log in memory, and to the other's, which Kafka has too."""
        for side, some in ((self._calm, calm), (self._dying, dying)):
            for partition, value in some:
                side.append(topic, partition, value)
        with Sender(self._dying.settings, "gate") as sender:
            sender.confirm([sender.send(topic, b"key", value, partition) for partition, value in dying])

    def _other_facts(self, first: str, waiting: str, statements: int) -> None:
        """Die over every other kind: a fact again, one that waits, its approval, a decision, corrections."""
        own, records = self._records.positive(first, "twice"), self._records
        approval, decision = records.approval(waiting, ""), records.decision(first, "x", "x")
        corrected = records.positive(first, "twice", status="corrected", supersedes=own.result_id)
        withdrawn = records.positive(first, "twice", status="entered_in_error", supersedes=corrected.result_id)

        def approved(side: Side) -> Event:
            return msgspec.structs.replace(approval, case_id=case_of(side.settings, waiting))

        def decided(side: Side) -> Event | None:
            found = first_contact(side.settings)
            if found is None:
                return None
            person, case_id, ref = found
            return msgspec.structs.replace(decision, person_id=person, case_id=case_id, contact_ref=ref)

        twice = records.positive(waiting, "twice")
        kinds = [_always(own), _always(twice), approved, decided, _always(corrected), _always(withdrawn)]
        for kind in kinds:
            for _ in range(max(1, statements // 2)):
                self._fact(self._random.choice([*TRACES, *(self._statement() for _ in TRACES)]), kind)

    def _die_in_processes(self, person: str) -> None:
        """Let whole workers die when Kafka was told of a batch that is committed."""
        settings = msgspec.structs.replace(self._dying.settings, failpoint=BY_PROCESS)
        self._scans_come()
        self._calm.fold(together=True)
        assert self._dies("fold", BY_PROCESS, partial(visits.run, settings, 0))
        self._dying.fold(together=True)
        self._fact_comes(_always(self._records.positive(person)))
        self._calm.trace()
        assert self._dies("traces", BY_PROCESS, partial(traces.run, settings, 0))
        self._dying.trace()


def _always(event: Event) -> Make:
    return lambda _: event


def named(deaths: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the places in the order of their names, all statements as one, and how often somebody died there."""
    names = [":".join(death.split(":")[:2]) for death in deaths]
    for name in sorted(set(names)):
        yield name, names.count(name)
