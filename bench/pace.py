"""Sends scans to the gate at a constant rate, as a process of its own: `python -m bench.pace TASK.json`.

An open loop: a request is due at its time whether or not the gate has answered the one before, and its latency counts
from then. (wrk, which Debian has, keeps no rate: a slow gate would be asked less often, and look better than it is.)
"""

import asyncio
import sys
from array import array
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, cast

import msgspec
import uvloop

from bench.latency_table import milliseconds
from producers.gate_scans import GateScan, Subject
from schemas.events import Gate

TICK_S: Final = 0.001
DRAIN_S: Final = 10.0
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "
OK: Final = 200


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    host: str
    port: int
    key_file: str
    rate: float  # requests a second; 0: as fast as the answers come
    requests: int
    batch: int  # scans in a request; 1 sends a single scan
    first: int  # number of the first scan: no scan is sent twice
    persons: int
    facilities: int
    epoch_ms: int  # the wall clock when the monotonic one stood at `monotonic_s`
    monotonic_s: float
    connections: int = 512
    warm_up_s: float = 0.0  # not in the percentiles
    times: str = ""  # a file for the moment each scan was answered with 200 (doubles, 0: it was not)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    offered: float  # requests a second
    achieved: float
    sent: int
    answers: dict[str, int]  # by status; `none`: not answered in time
    latency_ms: dict[str, float]
    cpu_s: float
    late_ms: float  # the most by which a request was sent after it was due because no connection was free


def scan_of(number: int, task: Task, now: float) -> GateScan:
    """Return the scan of a number: everybody comes in turn, in by the entrance and out by the exit."""
    visit, person = divmod(number, task.persons)
    at_ms = task.epoch_ms + int((now - task.monotonic_s) * 1_000)
    time = f"{at_ms:012x}"
    return GateScan(
        scan_id=f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}",
        subject=Subject(type="test", value=f"bench-{person}"),
        facility_id=f"F{person % task.facilities:06}",
        gate=Gate.EXIT if visit % 2 else Gate.ENTRANCE,
        at=datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
    )


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request on its way at a time."""

    def __init__(self, pacer: "Pacer") -> None:
        self._pacer = pacer
        self._buffer = b""
        self.transport: asyncio.Transport | None = None
        self.request = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Hand the status over when the answer is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(HEAD_END)
        if not found:
            return
        _, _, after = head.lower().partition(LENGTH)
        if len(body) < int(after.split(b"\r\n")[0] or 0):
            return
        self._buffer = b""
        self._pacer.answered(self, int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        """A request on its way stays without an answer."""
        self.transport = None


class Pacer:
    """The loop that keeps the rate."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._head = (
            f"POST /v1/scans HTTP/1.1\r\nHost: {task.host}:{task.port}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {Path(task.key_file).read_text().strip()}\r\nContent-Length: "
        ).encode()
        self._encoder = msgspec.json.Encoder()
        self._free: deque[Connection] = deque()
        self._waiting: deque[int] = deque()
        self._done = 0
        self._over = asyncio.Event()
        self._begin = 0.0
        self._late = 0.0
        self._statuses: dict[str, int] = {}
        self._latencies: list[float] = []
        self.times = array("d", bytes(8 * task.requests * task.batch)) if task.times else None

    async def run(self) -> Answer:
        """Send everything."""
        task, loop, over = self._task, asyncio.get_running_loop(), self._over
        for _ in range(task.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), task.host, task.port)
            self._free.append(connection)
        self._begin = perf_counter()
        await self._send_all()
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), DRAIN_S)
        took = perf_counter() - self._begin
        if self._done < task.requests:
            self._statuses["none"] = task.requests - self._done
        return Answer(
            offered=task.rate,
            achieved=round(self._done / took, 1),
            sent=task.requests,
            answers=self._statuses,
            latency_ms=milliseconds(self._latencies),
            cpu_s=0.0,
            late_ms=round(self._late * 1_000, 1),
        )

    async def _send_all(self) -> None:
        task, sent = self._task, 0
        while sent < task.requests:
            now = perf_counter() - self._begin
            due = min(task.requests, int(now * task.rate) + 1) if task.rate else sent + len(self._free)
            due = min(task.requests, due)
            for number in range(sent, due):
                self._waiting.append(number)
            sent = max(sent, due)
            while self._waiting and self._free:
                self._send(self._free.popleft(), self._waiting.popleft())
            await asyncio.sleep(TICK_S)

    def _send(self, connection: Connection, request: int) -> None:
        task, now = self._task, perf_counter()
        first = task.first + request * task.batch
        scans = [scan_of(first + i, task, now) for i in range(task.batch)]
        body = self._encoder.encode(scans if task.batch > 1 else scans[0])
        self._late = max(self._late, now - self._due(request))
        if connection.transport is None:
            return  # the gate closed it: what is sent on it stays without an answer
        connection.request = request
        connection.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def answered(self, connection: Connection, status: int) -> None:
        """Count an answer; the connection takes the next request that waits."""
        now, request = perf_counter(), connection.request
        self._done += 1
        if self._done == self._task.requests:
            self._over.set()
        self._statuses[str(status)] = self._statuses.get(str(status), 0) + 1
        due = self._due(request)
        if due - self._begin >= self._task.warm_up_s:
            self._latencies.append(now - due)
        if self.times is not None and status == OK:
            batch = self._task.batch
            for scan in range(request * batch, (request + 1) * batch):
                self.times[scan] = now
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _due(self, request: int) -> float:
        return self._begin + request / self._task.rate if self._task.rate else perf_counter()


def main() -> None:
    """Send what the task says; the answer is the last line of stdout."""
    task = msgspec.json.decode(Path(sys.argv[-1]).read_bytes(), type=Task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pacer = Pacer(task)
        answer = runner.run(pacer.run())
    if pacer.times is not None:
        Path(task.times).write_bytes(pacer.times.tobytes())
    answer = msgspec.structs.replace(answer, cpu_s=round(process_time(), 2))
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")


if __name__ == "__main__":
    main()
