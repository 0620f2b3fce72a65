"""The witness: a process of its own that sends through the HTTP gate and writes down each request and its answer.

Run as `python -m ops.chaos.witness PLAN.json`. Of the project it knows the load and the diary, nothing else: it
speaks HTTP as any phone would. What was not answered is sent again later in some fraction, never in another.
"""

import heapq
import http.client
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from ops.chaos import load
from ops.chaos.diary import FAIL, OK, UNKNOWN, Diary

TIMEOUT_S: Final = 15.0
HTTP_OK: Final = 200
HTTP_BROKEN: Final = 500
HTTP_BUSY: Final = 429
AGAIN_SHARE: Final = 0.65  # of what was not answered
CONTRADICTING_SHARE: Final = 0.002
INVALID_SHARE: Final = 0.004
POOL_PERSONS: Final = 400  # whose scans are mixed with one another


@dataclass
class Plan:
    """What to send; a JSON file of these fields."""

    url: str
    log: str
    seed: int
    until: int  # microseconds since 1970: the load's now
    key_file: str
    laboratory_key_file: str
    seconds: float
    scans_per_s: float = 500.0
    scans_max: int = 0  # accepted ones; 0: as many as the time allows
    batch_max: int = 100
    threads: int = 8
    probe_every_s: float = 0.5  # single scans, sent whether or not the last was answered; 0: none
    duplicates: float = 0.1  # share of requests that are sent again although they were answered
    late: bool = True  # seven days shuffled; else in the order of time
    wards: int = 4
    first_number: int = 1
    sends: str = "load"  # or "results", "late": only those of the wards, until each is answered


@dataclass(order=True)
class Later:
    """A request to send at a time."""

    at: float
    op: str = field(compare=False)
    bodies: list[load.Body] = field(compare=False)
    single: bool = field(compare=False, default=False)


class Witness:
    """Sends by plan, with several threads."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.diary = Diary(Path(plan.log), plan.first_number)
        self.accepted = 0
        self._rng = Random(f"{plan.seed}|witness")  # noqa: S311 — a simulation
        self._lock = threading.Lock()
        self._later: list[Later] = []
        self._source = {"load": self._load, "results": self._positives, "late": self._late}[plan.sends]()
        self._stop = threading.Event()
        self._sent_from = time.monotonic()
        self._due_scans = 0

    def run(self) -> None:
        """Send until the time is over or there is enough; then send what is still to be sent again."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        threads = [threading.Thread(target=self._work, name=f"sender-{n}") for n in range(self.plan.threads)]
        if self.plan.probe_every_s:
            threads.append(threading.Thread(target=self._probe, name="probe"))
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # signals are taken between
        self.diary.close()

    def _work(self) -> None:
        caller = _Caller(self.plan)
        while (request := self._next()) is not None:
            if request.bodies:
                self._send(caller, request)

    def _probe(self) -> None:
        """Send a scan of its own every so often: who waits for an answer cannot see that the gate is back."""
        number = 0
        probes: list[threading.Thread] = []
        while not self._is_over(time.monotonic()):
            request = Later(0, "scans", [load.probe(self.plan.seed, number, self.plan.until)], single=True)
            probes.append(threading.Thread(target=lambda r: self._send(_Caller(self.plan), r), args=(request,)))
            probes[-1].start()
            number += 1
            self._stop.wait(self.plan.probe_every_s)
        for probe in probes:
            probe.join()

    def _next(self) -> Later | None:
        """Return what to send now; an empty one to ask again; None at the end."""
        with self._lock:
            now = time.monotonic()
            over = self._is_over(now)
            if self._later and (over or self._later[0].at <= now):
                return heapq.heappop(self._later)
            if over:
                return None
            if self._due_scans > (now - self._sent_from) * self.plan.scans_per_s:
                pause = 0.02
            else:
                request = next(self._source, None)
                if request is not None:
                    self._due_scans += len(request.bodies)
                    return request
                if not self._later:
                    return None
                pause = 0.05
        self._stop.wait(pause)
        return Later(0, "", [])

    def _is_over(self, now: float) -> bool:
        enough = 0 < self.plan.scans_max <= self.accepted
        return enough or self._stop.is_set() or now - self._sent_from > self.plan.seconds

    def _send(self, caller: "_Caller", request: Later) -> None:
        what = request.bodies[0] if request.single else request.bodies
        number = self.diary.ask(request.op, request.bodies)
        got, results, why = caller.call("/v1/test-results" if request.op == "result" else "/v1/scans", what, request)
        self.diary.answer(number, got, r=results, **({"why": why} if why else {}))
        with self._lock:
            self.accepted += results.count("1")
            self._plan_again(request, got, results)
        if got == UNKNOWN:
            self._stop.wait(0.1)  # as a phone that lost the network would

    def _plan_again(self, request: Later, got: str, results: str) -> None:
        now, rng = time.monotonic(), self._rng
        if got == UNKNOWN and (self.plan.sends != "load" or rng.random() < AGAIN_SHARE):
            again = Later(now + rng.uniform(0.5, 8), request.op, request.bodies, request.single)
            heapq.heappush(self._later, again)
        elif got == OK and request.op == "scans":
            if rng.random() < self.plan.duplicates:
                bodies = [load.rewritten(b) if rng.random() < 0.3 else b for b in request.bodies]  # noqa: PLR2004
                rng.shuffle(bodies)
                heapq.heappush(self._later, Later(now + rng.uniform(0.1, 6), "scans", bodies))
            taken = [body for body, result in zip(request.bodies, results, strict=True) if result == "1"]
            some = [body for body in taken if rng.random() < CONTRADICTING_SHARE]
            if some and self.plan.duplicates:
                bad = [load.contradicting(b) for b in some]
                heapq.heappush(self._later, Later(now + rng.uniform(0.1, 6), "again", bad))

    def _load(self) -> Iterator[Later]:
        rng = Random(f"{self.plan.seed}|requests")  # noqa: S311 — a simulation
        beat = 0.0
        beats = 0
        for bodies in self._batches(rng):
            now = time.monotonic()
            if now > beat:
                beat, beats = now + 1.0, beats + 1
                yield Later(0, "result", [load.heartbeat(self.plan.seed, beats, self.plan.until)], single=True)
            single = len(bodies) == 1
            yield Later(0, "scans", bodies, single)

    def _batches(self, rng: Random) -> Iterator[list[load.Body]]:
        for pool in self._pools(rng):
            start = 0
            while start < len(pool):
                size = 1 if rng.random() < 0.15 else rng.randint(2, self.plan.batch_max)  # noqa: PLR2004
                bodies = pool[start : start + size]
                start += size
                if rng.random() < INVALID_SHARE * size:
                    bodies.insert(rng.randrange(len(bodies) + 1), load.invalid_scan(rng, self.plan.until))
                if len(bodies) > 1 and rng.random() < self.plan.duplicates:
                    bodies.append(bodies[0])  # the same twice in one request
                yield bodies

    def _pools(self, rng: Random) -> Iterator[list[load.Body]]:
        number = 0
        wards = [load.ward(self.plan.seed, n, self.plan.until).scans for n in range(self.plan.wards)]
        while True:
            pool = [body for scans in wards for body in scans]
            wards = []
            for _ in range(POOL_PERSONS):
                pool += load.person_scans(self.plan.seed, number, self.plan.until)
                number += 1
            if self.plan.late:
                yield load.mixed(rng, pool)
            else:
                yield sorted(pool, key=load.instant_of)

    def _positives(self) -> Iterator[Later]:
        for number in range(self.plan.wards):
            result = load.ward(self.plan.seed, number, self.plan.until).result
            for _ in range(1 + number % 2):  # some are told twice
                yield Later(0, "result", [result], single=True)

    def _late(self) -> Iterator[Later]:
        wards = [load.ward(self.plan.seed, number, self.plan.until).late for number in range(self.plan.wards)]
        scans = [body for late in wards for body in late]
        rng = Random(f"{self.plan.seed}|late")  # noqa: S311 — a simulation
        for body in rng.sample(scans, len(scans)):
            yield Later(0, "scans", [body], single=True)


class _Caller:
    """One connection to the gate, made anew whenever it broke."""

    def __init__(self, plan: Plan) -> None:
        self._address = urlsplit(plan.url)
        self._keys = {
            "scans": Path(plan.key_file).read_text().strip(),
            "result": Path(plan.laboratory_key_file).read_text().strip(),
        }
        self._connection: http.client.HTTPConnection | None = None

    def call(self, path: str, what: Any, request: Later) -> tuple[str, str, str]:  # noqa: ANN401 — JSON
        """Return ok, fail or unknown; for each body 1 if accepted, else 0; and why it is unknown."""
        key = self._keys.get(request.op, self._keys["scans"])
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        nothing = "0" * len(request.bodies)
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    self._address.hostname or "", self._address.port, timeout=TIMEOUT_S
                )
            self._connection.request("POST", path, json.dumps(what), headers)
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            return UNKNOWN, nothing, type(error).__name__
        if response.status >= HTTP_BROKEN:
            return UNKNOWN, nothing, str(response.status)
        if response.status != HTTP_OK:
            return (UNKNOWN if response.status == HTTP_BUSY else FAIL), nothing, str(response.status)
        answer = json.loads(data)
        results = answer.get("results")
        if results is None:
            return OK, "1" * len(request.bodies), ""
        return OK, "".join("1" if one["status"] == "accepted" else "0" for one in results), ""

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def main() -> None:
    """Send by the plan named on the command line."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    Witness(plan).run()


if __name__ == "__main__":
    main()
