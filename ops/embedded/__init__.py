"""Apache Kafka and PostgreSQL of our own, for whoever has none: started together, stopped together.

Both listen on loopback only and let nobody in without a password. All they keep lies in the home; nothing of them
outlives us, and what a killed run left is put right at the next start.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ops.embedded import kafka, postgres
from ops.embedded.daemon import Daemon, read_record
from ops.embedded.home import LOOPBACK, full_disk_explained, held_home, stop_orphans, take_ports
from schemas.settings import Settings

DATABASE = "jejak"
START_TIMEOUT_S = 60.0
Say = Callable[[str], None]


@dataclass
class Servers:
    """The running servers and the settings that lead to them."""

    settings: Settings
    daemons: dict[str, Daemon] = field(default_factory=dict)

    @property
    def kafka(self) -> str:
        """The broker's address, host:port."""
        return self.settings.kafka

    @property
    def database(self) -> str:
        """The database's address, without user or password."""
        return self.settings.database

    def mend(self) -> list[str]:
        """Start again what has died; return the names. It may take seconds until those answer."""
        dead = [daemon for daemon in self.daemons.values() if not daemon.is_alive()]
        for daemon in dead:
            daemon.start()
        return [daemon.name for daemon in dead]

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until all answer."""
        for daemon in self.daemons.values():
            daemon.wait_ready(timeout_s)

    def stop(self) -> None:
        """Stop all, at the same time; return when all are gone."""
        for daemon in self.daemons.values():
            daemon.ask_to_stop()
        for daemon in self.daemons.values():
            daemon.stop()


@contextmanager
def embedded_servers(settings: Settings, say: Say) -> Iterator[Servers]:
    """Run the servers the settings leave empty; yields them with the settings filled in.

    The calling thread must live as long as the servers: they end with it. Without anything to start, the settings
    are those given, and the home is held all the same.

    Raises:
        Conflict: another process runs in this home.
        Unavailable: the disk is full, the network is needed, or a server does not come up.
    """
    with held_home(settings.home) as home:
        for name in stop_orphans(home):
            say(f"stopped {name}, left running by a killed run")
        servers = Servers(msgspec.structs.replace(settings, home=home))
        try:
            with full_disk_explained(home):
                _start(servers, home, say)
            yield servers
        finally:
            servers.stop()


def running_settings(settings: Settings) -> Settings:
    """Return the settings with the addresses of the servers that run in the home now, where these are left empty."""
    run = settings.home / "run"
    broker, database = read_record(run / "kafka.json"), read_record(run / "postgres.json")
    if not settings.kafka and broker:
        settings = msgspec.structs.replace(settings, kafka=f"{LOOPBACK}:{broker.port}")
    if not settings.database and database:
        settings = msgspec.structs.replace(settings, database=f"postgresql://{LOOPBACK}:{database.port}/{DATABASE}")
    return settings


def _start(servers: Servers, home: Path, say: Say) -> None:
    settings = servers.settings
    ports = take_ports(home, ("kafka", "kafka_controller", "database"))
    with ThreadPoolExecutor(2) as pool:
        made: list[Future[Daemon]] = []
        if not settings.kafka:
            quorum = ports["kafka"], ports["kafka_controller"]
            made.append(pool.submit(kafka.prepare_kafka, settings, home, quorum, say))
            settings = msgspec.structs.replace(settings, kafka=f"{LOOPBACK}:{ports['kafka']}")
        if not settings.database:
            made.append(pool.submit(postgres.prepare_postgres, settings, home, ports["database"]))
            address = f"postgresql://{LOOPBACK}:{ports['database']}/{DATABASE}"
            settings = msgspec.structs.replace(settings, database=address)
        for future in as_completed(made):
            daemon = future.result()
            servers.daemons[daemon.name] = daemon
            daemon.start()  # here, not in the pool: a server ends with the thread that started it
    if made:
        say("starting " + " and ".join(servers.daemons))
    servers.wait_ready()
    servers.settings = settings
