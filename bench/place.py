"""Where it is measured: servers of our own in a folder that is removed at the end, also after Ctrl-C."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from bench.contract import Task
from bench.load import Shape, fill_topic, make_scans, places
from bench.store import add_facilities
from bench.tools import Say
from ops.embedded import embedded_servers
from ops.migrate import migrate
from ops.secrets import ensure_secret
from ops.services import environment
from ops.store import drop_database, make_database
from ops.topics import admin_client, empty_topics, make_topics
from producers.topics import topic_options
from schemas.settings import Settings
from schemas.topics import SCAN

TEMPLATE: Final = "bench_template"


class Place:
    """The running servers; hands out fresh databases, topics and tasks."""

    def __init__(self, settings: Settings, folder: Path, around: Mapping[str, str], say: Say) -> None:
        self.settings = settings
        self.say = say
        self._folder = folder
        self._around = around
        self._numbers = count(1)

    @contextmanager
    def database(self, facilities: int) -> Iterator[Settings]:
        """Make a migrated database with these facilities; it is dropped at the end."""
        name = f"bench_{next(self._numbers)}"
        make_database(self.settings, name, template=TEMPLATE)
        try:
            address = self.settings.database.rpartition("/")[0]
            settings = msgspec.structs.replace(self.settings, database=f"{address}/{name}")
            add_facilities(settings, places(facilities))
            yield settings
        finally:
            drop_database(self.settings, name)

    def fill(self, topic: str, shape: Shape) -> None:
        """Make the topic hold exactly these scans."""
        if topic == SCAN.name:
            empty_topics(self.settings)
        else:
            copy = msgspec.structs.replace(SCAN, name=topic)
            with admin_client(self.settings) as admin:
                if topic in admin.list_topics():
                    admin.delete_topics([topic])
                admin.create_topics({topic: topic_options(self.settings, copy)})
                admin.wait_for_topics([topic])
        number = fill_topic(self.settings, topic, make_scans(shape))
        self.say(f"{number:,} scans of {shape.facilities:,} facilities and {shape.people():,} persons in {topic}")

    def task(self, topic: str, events: int, database: str = "") -> Task:
        """Return a new task, in a new folder, for a new consumer group."""
        number = next(self._numbers)
        folder = self._folder / f"run-{number}"
        folder.mkdir()
        return Task(
            kafka=self.settings.kafka,
            database=database or self.settings.database,
            home=str(self.settings.home),
            secrets=str(self.settings.secrets_dir),
            topic=topic,
            group=f"bench-{number}",
            folder=str(folder),
            out=str(folder / "result"),
            events=events,
            partitions=self.settings.partitions,
        )

    def environment(self, settings: Settings) -> dict[str, str]:
        """Return the environment of a process of the product."""
        return environment(settings, self._around)

    def command(self, *words: str) -> list[str]:
        """Return a `jejak` command."""
        return [sys.executable, "-m", "ops.cli", *words]


@contextmanager
def running_place(around: Mapping[str, str], say: Say) -> Iterator[Place]:
    """Start the servers; all is stopped and removed at the end."""
    with temporary_folder() as folder:
        own = Settings(home=folder / "home", demo=True)
        with embedded_servers(own, say) as servers:
            migrate(servers.settings)
            make_topics(servers.settings)
            ensure_secret(servers.settings, "seal", "dead-letters")
            make_database(servers.settings, TEMPLATE, template="jejak")
            yield Place(servers.settings, folder, around, say)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that other accounts may pass (as root, PostgreSQL runs as another); removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="jejak-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
