"""A small run in one process: the load through the workers' own transactions, and a log as the witness writes it.

The log is in memory, the database is real. A bug may end a worker in the middle; another one then takes over.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec

from ops.chaos import load
from ops.chaos.compare import Verdict, judge
from ops.chaos.diary import FAIL, OK, UNKNOWN, Diary
from ops.chaos.points.store import visit_changes
from ops.chaos.store import read_stored
from ops.chaos.told import read_told
from ops.secrets import ensure_secret
from ops.store import OPERATOR, OWNER, fix_partitions, transaction
from schemas.codec import encode
from schemas.events import Scan, ScanDecision, TestResult
from schemas.partition import partition_of
from schemas.settings import Settings
from streams.batches import Batch, Log
from streams.joining.store import JoiningStore
from streams.sealing import read_seal
from streams.standing import StandingStore
from streams.traces import TraceStore
from streams.visits import VisitFold

SEED = 11
UNTIL = int(datetime(2026, 10, 14, 9, 20, tzinfo=UTC).timestamp()) * 1_000_000
CLUSTER = "a-cluster"
BATCH = 60
EDGES = range(0, 40 * load.EDGE_EVERY, load.EDGE_EVERY)
NUMBERS = [*EDGES, *(number + 1 for number in EDGES[:10]), *range(2, 40)]  # the twins of some, and ordinary persons
VERDICTS = (  # (step, verdict): at one step the stronger wins, else the later
    ((0, "void"),),
    ((0, "flag"),),
    ((1, "flag"), (1, "clear")),
    ((2, "flag"), (1, "void")),
    ((1, "flag"), (2, "clear")),
)
SCANS, RESULTS, VISITS = "scan.v1", "test-result.v1", "visit.v1"
LATE_DAYS = 36_500  # whatever year it is, a trace of these days is open


class Killed(BaseException):
    """The worker's process ended here, as by SIGKILL."""


class Small:
    """One run; `run` returns the verdict."""

    def __init__(self, settings: Settings, folder: Path, *, wards: int = 3) -> None:
        self.settings = settings
        self.log: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self.kafka: dict[tuple[str, int], int] = {}  # what a consumer told Kafka: nothing of ours may believe it
        self.kills = 0
        self._relayed = 0  # up to which row of the outbox
        self._path = folder / "witness.jsonl"
        self._diary = Diary(self._path, sync=False)
        self._random = Random(SEED)
        self._persons: dict[str, str] = {}
        self._places = {place.facility_id: place for place in load.PLACES}
        self._wards = [load.ward(SEED, number, UNTIL) for number in range(wards)]
        self._bodies = [body for number in NUMBERS for body in load.person_scans(SEED, number, UNTIL)]
        self._bodies = load.mixed(self._random, self._bodies)
        ensure_secret(settings, "seal", "dead-letters")
        fix_partitions(settings)
        self._add_facilities()
        with transaction(settings, OWNER) as conn, conn.cursor() as cur:
            cur.execute("update setting_dated set value = %s where name = 'late_days_max'", (LATE_DAYS,))

    def run(self) -> Verdict:
        """Send, fold, flag positives, trace, let late scans come, trace again, judge."""
        self._send()
        self._work_off(SCANS)
        for ward in self._wards:
            number = self._diary.ask("result", [ward.result])
            self._append_result(ward.result)
            self._diary.answer(number, OK, r="1")
        self._work_off(RESULTS)
        self._hear()
        self._diary.begin(late=True)
        late = [body for ward in self._wards for body in ward.late]
        for body in self._random.sample(late, len(late)):
            self._request([body], luck=1.0)
        self._work_off(SCANS)
        self._hear()
        self._diary.close()
        return judge(read_told([self._path]), read_stored(self.settings))

    def _send(self) -> None:
        places = [[p.facility_id, p.kind, p.time_zone, p.district] for p in load.PLACES]
        self._diary.begin(seed=SEED, until=UNTIL, places=places)
        for ward in self._wards:
            self._request(ward.scans, luck=1.0)
        for start in range(0, len(self._bodies), 40):
            self._request(self._bodies[start : start + 40], luck=self._random.random())
            self._poison()
        self._decide()

    def _request(self, bodies: list[load.Body], luck: float) -> None:
        again = [load.rewritten(body) for body in bodies if self._random.random() < 0.2]
        bad = [load.contradicting(body) for body in bodies if self._random.random() < 0.04]
        number = self._diary.ask("scans", bodies)
        if luck < 0.05:  # refused, and never on the log
            self._diary.answer(number, FAIL, r="0" * len(bodies))
            return
        if luck < 0.15:  # not answered: on the log or not
            if luck < 0.10:
                self._append_scans(bodies)
            self._diary.answer(number, UNKNOWN, r="0" * len(bodies))
            return
        self._append_scans(bodies)
        self._diary.answer(number, OK, r="1" * len(bodies))
        for op, some in (("scans", again), ("again", bad)):
            if some:
                number = self._diary.ask(op, some)
                self._append_scans(some)
                self._diary.answer(number, OK, r="1" * len(some))

    def _poison(self) -> None:
        partition = self._random.randrange(self.settings.partitions)
        number = self._diary.ask("poison", SCANS)
        offset = self._append(SCANS, partition, b"{}")
        self._diary.answer(number, OK, at=[partition, offset])

    def _decide(self) -> None:
        for serial, body in enumerate(self._random.sample(self._bodies, len(self._bodies) // 12)):
            for step, verdict in self._random.choice(VERDICTS):
                event = ScanDecision(
                    scan_id=body["scan_id"],
                    person_id=self._person(body),
                    scan_at=datetime.fromisoformat(body["at"]),
                    decision=verdict,  # type: ignore[arg-type] # msgspec takes the text
                    serial=10 * serial + step,
                    by=f"rule-{step}-{verdict}",
                )
                dashed = str(UUID(event.person_id))
                at = (event.scan_at - load.EPOCH) // timedelta(microseconds=1)
                number = self._diary.ask("decision", [dashed, event.scan_id, event.serial, event.by, verdict, at, ""])
                self._append(SCANS, partition_of(event.person_id, self.settings.partitions), encode(event))
                self._diary.answer(number, OK, r="1")

    def _append_scans(self, bodies: list[load.Body]) -> None:
        for body in bodies:
            place = self._places[body["facility_id"]]
            stamped = {"event": "scan", "kind": place.kind, "time_zone": place.time_zone, "entered_by": "witness"}
            stamped |= {"person_id": self._person(body), "received_at": load.instant_text(UNTIL)}
            event = msgspec.convert({key: value for key, value in (body | stamped).items() if key != "subject"}, Scan)
            self._append(SCANS, partition_of(event.person_id, self.settings.partitions), encode(event))

    def _append_result(self, body: load.Body) -> None:
        stamped = {"event": "test_result", "person_id": self._person(body), "by": "witness"}
        stamped |= {"laboratory": "LAB-36.71", "received_at": load.instant_text(UNTIL)}
        event = msgspec.convert({key: value for key, value in (body | stamped).items() if key != "subject"}, TestResult)
        self._append(RESULTS, partition_of(event.person_id, self.settings.partitions), encode(event))

    def _append(self, topic: str, partition: int, value: bytes | None) -> int:
        records = self.log[topic, partition]
        record = SimpleNamespace(offset=len(records), timestamp=UNTIL // 1000, key=b"key", value=value)
        records.append(record)
        return len(records) - 1

    def _person(self, body: load.Body) -> str:
        return self._persons.setdefault(body["subject"]["value"], f"{self._random.getrandbits(128):032x}")

    def _work_off(self, topic: str) -> None:
        """Let workers fold all partitions in turn; one that was killed is followed by another."""
        while True:
            try:
                worker = self._worker(topic)
                try:
                    for number, batches in enumerate(self._rounds(topic, worker)):
                        if topic == SCANS and number % 2:
                            worker.apply_all(batches)
                            continue
                        for batch in batches:
                            worker.apply(batch)
                        if topic == VISITS:
                            worker.tick()
                finally:
                    worker.close()
            except Killed:
                self.kills += 1
                assert self.kills < 100, "no worker gets through"
                continue
            return

    def _hear(self) -> None:
        """Let the standing worker hear of all that the fold left for the relay."""
        for row, events in visit_changes(self.settings, self._relayed):
            self._relayed = row
            for partition, _, value in events:
                self._append(VISITS, partition, value)
        self._work_off(VISITS)

    def _worker(self, topic: str) -> Any:
        if topic == RESULTS:
            return TraceStore(self.settings, read_seal(self.settings))
        if topic == VISITS:
            return StandingStore(self.settings, read_seal(self.settings))
        return JoiningStore(
            self.settings, "jejak_visits", VisitFold(self.settings.partitions), read_seal(self.settings)
        )

    def _rounds(self, topic: str, worker: Any) -> Iterator[list[Batch]]:
        """Yield, again and again, the next batch of every partition that has one."""
        ends = {place: len(records) for place, records in self.log.items() if place[0] == topic}
        at = dict(worker.positions(Log(CLUSTER, dict.fromkeys(ends, 0), ends)))
        for _ in count():
            waiting = [place for place, end in ends.items() if at[place] < end]
            if not waiting:
                return
            batches = [Batch(*place, self.log[place][at[place] : at[place] + BATCH]) for place in waiting]
            for batch in batches:
                at[batch.topic, batch.partition] += len(batch)
            yield batches

    def _add_facilities(self) -> None:
        with transaction(self.settings, OPERATOR) as conn, conn.cursor() as cur:
            for place in load.PLACES:
                cur.execute(
                    "insert into facility (facility_id, name, kind, time_zone, district) values (%s, %s, %s, %s, %s)",
                    (place.facility_id, place.facility_id, place.kind, place.time_zone, place.district),
                )
