"""The gate under a constant rate: starting it, its keys and facilities, and runs of the load generator against it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import psutil

from bench.load import places
from bench.pace import Answer, Task
from bench.place import temporary_folder
from bench.store import add_facilities
from bench.tools import ROOT, Say
from ops.commands.up import prepare, wait_ready
from ops.demo.keys import Holder, make_demo_keys
from ops.embedded import Servers, embedded_servers
from ops.processes import kill_tree
from ops.services import gate_url, service_groups
from ops.supervisor import Supervisor
from schemas.errors import Unavailable
from schemas.settings import Settings

FACILITIES: Final = 300
KNOWN_A_REQUEST: Final = 1_000


class Front:
    """A running gate, and whoever else was asked for."""

    def __init__(self, servers: Servers, supervisor: Supervisor, folder: Path, epoch_ms: int) -> None:
        self.settings = servers.settings
        self.servers = servers
        self.supervisor = supervisor
        self.folder = folder
        self._epoch = epoch_ms, perf_counter()
        self.key_file = make_demo_keys(self.settings, {"bench": Holder("import", "bench", area="all")})["bench"]
        self._numbers = count(1)
        self.next_scan = 0

    def send(self, *, rate: float, requests: int, batch: int, persons: int, **more: Any) -> Answer:  # noqa: ANN401 — as Task has them
        """Send scans that were not sent before, and wait for the end; the services are looked after meanwhile.

        `more` goes to the generator's task.
        """
        process = self.start(rate=rate, requests=requests, batch=batch, persons=persons, **more)
        return self.finish(process)

    def start(self, *, rate: float, requests: int, batch: int, persons: int, **more: Any) -> "subprocess.Popen[bytes]":  # noqa: ANN401 — as Task has them
        """Start the generator."""
        address = urlsplit(gate_url(self.settings))
        assert address.hostname is not None
        assert address.port is not None
        # As many phones as the rate has, but none idle for so long that the gate closes its connection.
        more = {"connections": max(16, min(512, int(2 * rate)))} | more
        task = Task(
            host=address.hostname,
            port=address.port,
            key_file=str(self.key_file),
            rate=rate,
            requests=requests,
            batch=batch,
            first=self.next_scan,
            persons=persons,
            facilities=FACILITIES,
            epoch_ms=self._epoch[0],
            monotonic_s=self._epoch[1],
            **more,
        )
        self.next_scan += requests * batch
        path = self.folder / f"pace-{next(self._numbers)}.json"
        path.write_bytes(msgspec.json.encode(task))
        return subprocess.Popen(
            [sys.executable, "-m", "bench.pace", str(path)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )

    def finish(self, process: "subprocess.Popen[bytes]") -> Answer:
        """Wait for the generator's answer."""
        try:
            while process.poll() is None:
                self.supervisor.tick()
                sleep(0.05)
            assert process.stdout is not None
            lines = process.stdout.read().splitlines()
        finally:
            kill_tree(process.pid)
            process.wait()
        if not lines:
            raise Unavailable("the load generator ended without an answer")
        return msgspec.json.decode(lines[-1], type=Answer)

    def make_known(self, persons: int) -> Answer:
        """Let everybody come once, as fast as the gate takes it: the vault knows them afterwards."""
        requests = -(-persons // KNOWN_A_REQUEST)
        answer = self.send(rate=0, requests=requests, batch=KNOWN_A_REQUEST, persons=persons, connections=4)
        self.next_scan = -(-self.next_scan // persons) * persons  # go on with a whole round
        return answer

    def now(self) -> datetime:
        """Return the time, counted on from the command's start."""
        return datetime.fromtimestamp(self._epoch[0] / 1_000 + perf_counter() - self._epoch[1], UTC)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each of our processes has used, children included."""
        found = {}
        for group in self.supervisor.groups:
            for child in group:
                if child.process is not None:
                    found[child.name] = _family_cpu_s(child.process.pid)
        return found

    def memory_mib(self) -> dict[str, float]:
        """Return the resident memory of each of our processes, children included, shared pages counted for each."""
        return {
            child.name: _family_memory_mib(child.process.pid)
            for group in self.supervisor.groups
            for child in group
            if child.process is not None
        }


@contextmanager
def running_front(epoch_ms: int, say: Say, *, everything: bool) -> Iterator[Front]:
    """Run servers and gate, with `everything` workers and relay too; all is stopped and removed at the end."""
    with temporary_folder() as folder:
        own = Settings(home=folder / "home", demo=True, port=0, rate_per_minute=60_000_000)
        with embedded_servers(own, say) as servers:
            prepare(servers.settings, say)
            add_facilities(servers.settings, places(FACILITIES))
            groups = service_groups(servers.settings)
            supervisor = Supervisor([*(groups if everything else groups[:1]), list(servers.daemons.values())], say)
            try:
                supervisor.start()
                wait_ready(servers.settings, supervisor)
                yield Front(servers, supervisor, folder, epoch_ms)
            finally:
                supervisor.stop()


def _family_cpu_s(pid: int) -> float:
    used = 0.0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            used += times.user + times.system + times.children_user + times.children_system
    except psutil.Error:
        pass
    return used


def _family_memory_mib(pid: int) -> float:
    used = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        used = sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
    return round(used / 2**20, 1)
