"""The real servers, once per session, and a clean installation on them for whoever asks.

`servers`         a broker and a database of our own, migrated, with topics, users and three offices (session)
`fresh_database`  call it: settings with a new, migrated, empty database; the topics are those of all (module)
`installation`    settings with a new database and empty topics, as after a first start (module)
`new_home`        call it: a folder for servers of one's own, removed at the end (function)
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from ops.embedded import Servers, embedded_servers
from ops.migrate import migrate
from ops.store import drop_database, make_database
from ops.topics import empty_topics, make_topics
from schemas.settings import Settings

OFFICES = ("36", "36.71", "31.71")
TEMPLATE = "jejak_template"
RAM = Path("/dev/shm")  # noqa: S108 — only where it is large; the folder in it is private
RAM_BYTES_MIN = 2 * 1024**3
_numbers = count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    folder = _make_folder()
    try:
        with embedded_servers(Settings(home=folder / ".jejak", demo=True), lambda _: None) as running:
            migrate(running.settings)
            make_database(running.settings, TEMPLATE, template="jejak")
            make_topics(running.settings, OFFICES)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def fresh_database(servers: Servers) -> Iterator[Callable[[], Settings]]:
    names: list[str] = []

    def make() -> Settings:
        names.append(f"jejak_{next(_numbers)}")
        make_database(servers.settings, names[-1], template=TEMPLATE)
        address = servers.settings.database.rpartition("/")[0]
        return msgspec.structs.replace(servers.settings, database=f"{address}/{names[-1]}")

    yield make
    for name in names:
        drop_database(servers.settings, name)


@pytest.fixture(scope="module")
def installation(servers: Servers, fresh_database: Callable[[], Settings]) -> Settings:
    empty_topics(servers.settings)
    settings = fresh_database()
    make_topics(settings, OFFICES)
    return settings


@pytest.fixture
def new_home() -> Iterator[Callable[[], Path]]:
    folders: list[Path] = []

    def make() -> Path:
        folders.append(_make_folder())
        return folders[-1] / ".jejak"

    yield make
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path:
    large = RAM.is_dir() and shutil.disk_usage(RAM).free >= RAM_BYTES_MIN
    folder = Path(tempfile.mkdtemp(prefix="jejak-test-", dir=RAM if large else None))
    if os.geteuid() == 0:
        folder.chmod(0o755)  # PostgreSQL runs as another account then, and must pass
    return folder
