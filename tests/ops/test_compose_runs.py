"""Each command of ours in the Compose file, run as it stands there on real servers, each with its own secrets only.

What a container would change is mapped: addresses, the home, where secrets are mounted, one broker instead of three.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ops.commands.secrets import make_secrets
from ops.commands.up import gate_url
from ops.embedded import Servers
from ops.slots import slots_here
from ops.store import drop_database
from ops.topics import empty_topics
from portal.identifiers import new_uuid7
from tests.ops.test_compose import COMPOSE, KAFKA_FILES, ONCE, OURS, ROOT

DATABASE = "jejak_compose"
HEALTHY_TIMEOUT_S = 60.0
COUNTED_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 30.0
FACILITIES = """facility_id,name,kind,owner,time_zone,district
F1,Puskesmas Satu,puskesmas,government,Asia/Jakarta,36.71
"""


class Containers:
    """The Compose file's services as processes; `settings` are the operator's, who holds every secret."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, list[subprocess.Popen[bytes]]] = {}
        self.settings = msgspec.structs.replace(
            servers.settings,
            home=folder / "home",
            secrets=str(folder / "secrets"),
            database=f"{servers.settings.database.rpartition('/')[0]}/{DATABASE}",
            demo=False,
        )
        for kind in ("kafka", "database"):
            shutil.copytree(servers.settings.secrets_dir / kind, folder / "secrets" / kind)
        make_secrets(self.settings)

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment of the file, with what a container would change."""
        mounted = self.folder / "mounted" / name
        for secret in OURS[name]["secrets"]:
            target = mounted / Path(secret["target"]).relative_to("/run/secrets")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / COMPOSE["secrets"][secret["source"]]["file"], target)
        if any(volume.startswith(f"{KAFKA_FILES}:") for volume in OURS[name]["volumes"]):
            shutil.copytree(self.folder / KAFKA_FILES, mounted / "kafka", dirs_exist_ok=True)
        mapped = {
            "JEJAK_HOME": str(self.settings.home),
            "JEJAK_SECRETS": str(mounted),
            "JEJAK_KAFKA": self.settings.kafka,
            "JEJAK_DATABASE": self.settings.database,
            "JEJAK_REPLICATION": "1",
        }
        if "JEJAK_HOST" in OURS[name]["environment"]:
            mapped |= {"JEJAK_HOST": "127.0.0.1", "JEJAK_PORT": "0"}
        around = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        given: dict[str, str] = OURS[name]["environment"]
        return around | given | mapped

    def run(self, name: str, *instead: str) -> str:
        """Run a service that ends by itself, with other words than the file's when some are given."""
        command = [*self.command(name)[:3], *(instead or OURS[name]["command"])]
        done = subprocess.run(command, env=self.environment(name), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str) -> None:
        """Start all replicas of a service."""
        replicas = OURS[name].get("deploy", {}).get("replicas", 1)
        env = self.environment(name)
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = [
                subprocess.Popen(self.command(name), env=env, stdout=log, stderr=log) for _ in range(replicas)
            ]

    def command(self, name: str) -> list[str]:
        """Return a service's command behind the image's entrypoint."""
        return [sys.executable, "-m", "ops.cli", *OURS[name]["command"]]

    def is_healthy(self, name: str) -> bool:
        """Run a service's own health check."""
        kind, python, *words = OURS[name]["healthcheck"]["test"]
        assert (kind, python) == ("CMD", "python")
        checked = subprocess.run([sys.executable, *words], env=self.environment(name), capture_output=True, check=False)
        return checked.returncode == 0

    def stop(self, name: str) -> list[int]:
        """Stop a service's replicas as Compose does; return how they ended."""
        for process in self.processes[name]:
            process.send_signal(signal.SIGTERM)
        return [process.wait(STOP_TIMEOUT_S) for process in self.processes.pop(name)]


def wait_until(holds: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def containers(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    empty_topics(servers.settings)
    started = Containers(servers, tmp_path_factory.mktemp("compose"))
    try:
        started.run("migrate")
        started.run("topics")
        started.run("topics", "topics", "--areas", "36.71")
        for name in set(OURS) - ONCE:
            started.start(name)
        yield started
    finally:
        for processes in started.processes.values():
            for process in processes:
                process.kill()
                process.wait()
        drop_database(servers.settings, DATABASE)


@pytest.mark.parametrize("name", sorted(set(OURS) - ONCE))
def test_a_service_becomes_healthy_by_its_own_check(containers: Containers, name: str) -> None:
    log = containers.folder / f"{name}.log"
    assert wait_until(lambda: containers.is_healthy(name), HEALTHY_TIMEOUT_S), log.read_text()[-2000:]
    assert all(process.poll() is None for process in containers.processes[name])


def test_every_replica_has_a_number_of_its_own(containers: Containers) -> None:
    assert wait_until(lambda: slots_here(containers.settings, "visits") == [0, 1], HEALTHY_TIMEOUT_S)


def test_together_they_count_a_scan(containers: Containers) -> None:
    assert wait_until(lambda: containers.is_healthy("gate"), HEALTHY_TIMEOUT_S)
    facilities = containers.folder / "facilities.csv"
    facilities.write_text(FACILITIES)
    containers.run("operator", "facilities", "import", str(facilities))
    key = containers.run("operator", "keys", "create", "--role=gate", "--facility=F1", "--name=Door 1").strip()
    now = datetime.now(UTC)
    scan: dict[str, Any] = {
        "scan_id": new_uuid7(now),
        "subject": {"type": "passport", "value": "A1234567"},
        "facility_id": "F1",
        "gate": "entrance",
        "at": now.isoformat(),
    }
    with httpx.Client(base_url=gate_url(containers.settings), headers={"Authorization": f"Bearer {key}"}) as door:
        assert door.post("/v1/scans", json=scan).json()["status"] == "accepted"
        occupancy = "/v1/facilities/F1/occupancy"
        assert wait_until(lambda: bool(door.get(occupancy).json()["count"] == 1), COUNTED_TIMEOUT_S)


def test_the_gate_shows_the_metrics_of_all(containers: Containers) -> None:
    wanted = {
        'service="visits-0"',
        'service="visits-1"',
        'service="traces-0"',
        'service="standing-0"',
        'service="plausibility-0"',
        'service="relay"',
    }

    def are_shown() -> bool:
        text = httpx.get(f"{gate_url(containers.settings)}/metrics").text
        return all(service in text for service in wanted)

    assert wait_until(are_shown, HEALTHY_TIMEOUT_S)


def test_each_stops_when_it_is_told(containers: Containers) -> None:
    stopped = {name: containers.stop(name) for name in list(containers.processes)}
    assert {name: code for name, codes in stopped.items() for code in codes if code} == {}
