"""A real gate on the real servers: its process, an HTTP client per key, and what it wrote to stderr.

`gate`      a running gate with three facilities (module)
`as_role`   call it: a client with a new key of a role (module)
`browser`   a real one, without a window (module)
`own`       servers of one's own, which may be stopped, and their gate (function)
"""

import json
import secrets
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
from playwright.sync_api import Browser

from ops.embedded import Servers, embedded_servers
from ops.migrate import migrate
from ops.store import OPERATOR, transaction
from ops.topics import make_topics
from portal import keys
from portal.facility_file import put_all
from portal.identifiers import new_uuid7
from portal.store import FacilityRow
from schemas.settings import Settings
from tests.commands import environment
from tests.portal.browser import running_browser

FACILITIES = (
    FacilityRow(0, "RS-A", "RS A", "hospital", "government", "Asia/Jakarta", "36.71"),
    FacilityRow(0, "PKM-B", "Puskesmas B", "puskesmas", "government", "Asia/Jakarta", "36.71"),
    FacilityRow(0, "LAB-C", "Lab C", "laboratory", "private", "Asia/Makassar", "73.71"),
)
NIK = "3671015508900001"
START_TIMEOUT_S = 30


class Gate:
    """A gate process."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self.settings = msgspec.structs.replace(settings, home=home, port=0, secrets=str(settings.secrets_dir))
        self.stderr = home / "gate.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> "Gate":
        record = self.settings.home / "run" / "gate.json"
        record.unlink(missing_ok=True)
        with self.stderr.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ops.cli", "gate"], env=environment(self.settings), stderr=log, stdout=log
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not record.exists():
            assert self.process.poll() is None, self.stderr.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.url = json.loads(record.read_text())["url"]
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def client(self, key: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


def new_key(settings: Settings, role: str, **scope: Any) -> str:
    """Return a new key; its principal is new too unless named."""
    with transaction(settings, OPERATOR) as conn:
        principal = scope.pop("principal", f"{role} {secrets.token_hex(3)}")
        return keys.make_key(conn, role=role, principal=principal, **scope)[0]


def scan(**changed: Any) -> dict[str, Any]:
    """Return a good scan body, changed."""
    now = datetime.now(UTC)
    return {
        "scan_id": new_uuid7(now),
        "subject": {"type": "nik", "value": NIK},
        "facility_id": "RS-A",
        "gate": "entrance",
        "at": now.isoformat(),
    } | changed


def result(**changed: Any) -> dict[str, Any]:
    """Return a good test result body, changed."""
    now = datetime.now(UTC)
    return {
        "result_id": new_uuid7(now),
        "subject": {"type": "nik", "value": NIK},
        "lab_ref": f"L-{secrets.token_hex(4)}",
        "test": "pcr",
        "result": "positive",
        "status": "final",
        "specimen_at": now.isoformat(),
        "reported_at": now.isoformat(),
    } | changed


@pytest.fixture(scope="module")
def gate(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with transaction(installation, OPERATOR) as conn:
        put_all(conn, list(enumerate(FACILITIES)))
    running = Gate(installation, tmp_path_factory.mktemp("gate")).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def as_role(gate: Gate) -> Iterator[Callable[..., httpx.Client]]:
    clients: list[httpx.Client] = []

    def make(role: str, **scope: Any) -> httpx.Client:
        clients.append(gate.client(new_key(gate.settings, role, **scope)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def own(new_home: Callable[[], Path]) -> Iterator[tuple[Servers, Gate]]:
    folder = new_home().parent
    with embedded_servers(Settings(home=folder / ".jejak"), lambda _: None) as servers:
        migrate(servers.settings)
        make_topics(servers.settings)
        with transaction(servers.settings, OPERATOR) as conn:
            put_all(conn, list(enumerate(FACILITIES)))
        (folder / "gate").mkdir()
        gate = Gate(servers.settings, folder / "gate").start()
        yield servers, gate
        gate.stop()
