"""The installation a run disturbs: servers, services, facilities and keys, and every handle that a fault needs.

Services reach broker and database through wires that can be cut; on request all state lies on a small file system of
its own that can be full.
"""

import os
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ops.chaos import load
from ops.chaos.proxy import LOOPBACK, Proxy
from ops.commands.up import prepare, wait_ready
from ops.demo.keys import Holder, make_demo_keys
from ops.embedded import Servers, embedded_servers
from ops.embedded.daemon import Daemon
from ops.embedded.home import free_port
from ops.registering import register_file
from ops.services import service_groups
from ops.store import areas_of_facilities
from ops.supervisor import Service, Supervisor
from ops.topics import make_topics
from schemas.settings import Settings

LABORATORY: Final = next(place for place in load.PLACES if place.kind == "laboratory")
HOLDERS: Final = {
    "witness": Holder("gate", "witness", area="all"),
    "laboratory": Holder("laboratory", "witness-laboratory", facility=LABORATORY.facility_id),
}
WORKERS_MOST: Final = 4
DISK_BYTES: Final = 12 * 1024**3
START_TIMEOUT_S: Final = 60.0


@dataclass
class Ground:
    """A running installation and its handles."""

    settings: Settings  # leads to the servers directly
    servers: Servers
    supervisor: Supervisor
    keys: dict[str, Path]
    extra: list[Service]  # workers that run only while a rebalance lasts
    wires: dict[str, Proxy] = field(default_factory=dict)
    disk: Path | None = None  # where a file system of our own is mounted

    @property
    def gate_url(self) -> str:
        """The gate's address: the same after every restart."""
        return f"http://{LOOPBACK}:{self.settings.port}"

    def child(self, name: str) -> Service | Daemon:
        """Return a process to disturb: `visits` is the first worker, else by its own name."""
        wanted = {"visits": "visits-0"}.get(name, name)
        children: list[Service | Daemon] = [
            child for group in self.supervisor.groups for child in group if isinstance(child, Service | Daemon)
        ]
        return next(child for child in children if child.name == wanted)


@contextmanager
def running_ground(settings: Settings, kinds: Collection[str], say: Callable[[str], None]) -> Iterator[Ground]:
    """Run an installation in the settings' home, which should be new; everything is stopped at the end."""
    own = msgspec.structs.replace(
        settings, kafka="", database="", demo=True, host=LOOPBACK, port=free_port(), workers=1
    )
    with ExitStack() as stack:
        disk = stack.enter_context(_small_disk(own.home, say)) if "disk" in kinds else None
        servers = stack.enter_context(embedded_servers(own, say))
        wires = stack.enter_context(_wires(servers)) if "net" in kinds else {}
        prepare(servers.settings, say)
        through = _through(servers.settings, wires)
        groups = service_groups(msgspec.structs.replace(through, workers=WORKERS_MOST))
        extra = [
            service for group in groups for service in group if service.name in {"visits-1", "visits-2", "visits-3"}
        ]
        groups = [[service for service in group if service not in extra] for group in groups]
        supervisor = Supervisor([*groups, list(servers.daemons.values())], say)
        stack.callback(supervisor.stop)
        stack.callback(_stop_extra, extra)
        supervisor.start()
        wait_ready(through, supervisor)
        keys = _furnish(servers.settings)
        yield Ground(servers.settings, servers, supervisor, keys, extra, wires, disk)


def can_mount() -> bool:
    """Say whether a file system of our own can be mounted here: only root can."""
    return os.geteuid() == 0 and hasattr(os, "statvfs")


def resize(disk: Path, size: int) -> bool:
    """Make the small file system so large; what is on it stays. False: it does not fit."""
    command = ["mount", "-o", f"remount,size={size}", str(disk)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def used_bytes(disk: Path) -> int:
    """Return how much of the small file system is used."""
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextmanager
def _small_disk(home: Path, say: Callable[[str], None]) -> Iterator[Path | None]:
    home = home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = f"size={DISK_BYTES},mode=0700"
    mounted = can_mount() and not any(home.iterdir())
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", options, "jejak-chaos", str(home)]
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    if not mounted:
        say("no full disk in this run: it needs root, the right to mount, and an empty home")
        yield None
        return
    try:
        yield home
    finally:
        if subprocess.run(["umount", str(home)], check=False, capture_output=True).returncode:
            subprocess.run(["umount", "--lazy", str(home)], check=False, capture_output=True)


@contextmanager
def _wires(servers: Servers) -> Iterator[dict[str, Proxy]]:
    """Put a wire before each server; the broker tells its clients the wire's address."""
    kafka = int(servers.kafka.rpartition(":")[2])
    database = urlsplit(servers.database).port or 0
    ports = free_port(), free_port()
    with Proxy(ports[0], (LOOPBACK, kafka)) as to_kafka, Proxy(ports[1], (LOOPBACK, database)) as to_database:
        broker = servers.daemons["Kafka"]
        properties = servers.settings.home / "kafka" / "server.properties"
        told = f"advertised.listeners=CLIENT://{LOOPBACK}:"
        text = properties.read_text()
        assert f"{told}{kafka}" in text, "the broker's configuration is written otherwise"
        properties.write_text(text.replace(f"{told}{kafka}", f"{told}{ports[0]}"))
        broker.stop()
        broker.start()
        broker.wait_ready(START_TIMEOUT_S)
        yield {"Kafka": to_kafka, "PostgreSQL": to_database}


def _through(settings: Settings, wires: dict[str, Proxy]) -> Settings:
    if not wires:
        return settings
    name = settings.database.rpartition("/")[2]
    return msgspec.structs.replace(
        settings,
        kafka=f"{LOOPBACK}:{wires['Kafka'].port}",
        database=f"postgresql://{LOOPBACK}:{wires['PostgreSQL'].port}/{name}",
    )


def _furnish(settings: Settings) -> dict[str, Path]:
    path = settings.home / "chaos-facilities.csv"
    rows = [
        f"{place.facility_id},{place.facility_id},{place.kind},government,{place.time_zone},{place.district}"
        for place in load.PLACES
    ]
    path.write_text("\n".join(["facility_id,name,kind,owner,time_zone,district", *rows, ""]))
    register_file(settings, path)
    make_topics(settings, areas_of_facilities(settings))
    return make_demo_keys(settings, HOLDERS)


def _stop_extra(extra: list[Service]) -> None:
    for service in extra:
        service.ask_to_stop()
    for service in extra:
        service.stop()
