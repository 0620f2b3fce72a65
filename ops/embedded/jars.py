"""The broker's jars: fetched once with jgo into the user's cache, each checked against `jars.lock` at every start.

A second clone on the same machine is warm. To move to another Kafka, resolve it with jgo and write the lock anew.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.errors import Unavailable

LOCK = Path(__file__).with_name("jars.lock")
DOWNLOADS_AT_ONCE = 6
HINT = "set JEJAK_KAFKA to a broker of yours"


def fetch_jars(say: Callable[[str], None]) -> list[Path]:
    """Return the broker's jars, downloading what the cache lacks.

    Raises:
        Unavailable: a jar is not in the cache and cannot be downloaded.
    """
    folder = cache_dir()
    wanted = locked_jars()
    lacking = [coordinate for coordinate, digest in wanted.items() if not _is_good(_place(folder, coordinate), digest)]
    if lacking:
        say(f"fetching Apache Kafka ({len(lacking)} jars, about 43 MB, this once) …")
        _download(folder, {coordinate: wanted[coordinate] for coordinate in lacking}, say)
    return [_place(folder, coordinate) for coordinate in wanted]


def fetch_jar(coordinate: str, digest: str, say: Callable[[str], None], hint: str) -> Path:
    """Return a jar beside the broker's, downloaded if the cache lacks it.

    Args:
        coordinate: `group:artifact:version`.
        digest: its SHA-256.
        say: told of a download.
        hint: what to do where there is no network.

    Raises:
        Unavailable: it is not in the cache and cannot be downloaded.
    """
    folder = cache_dir().with_name("jars")
    place = _place(folder, coordinate)
    if not _is_good(place, digest):
        say(f"fetching {place.name} (this once) …")
        _staged(folder, lambda stage: _fetch_one(stage, folder, coordinate, digest, hint))
    return place


def locked_jars() -> dict[str, str]:
    """Return SHA-256 by coordinate (`group:artifact:version`)."""
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ") for line in lines)


def kafka_version() -> str:
    """Return the version of the broker that the lock names."""
    return next(name.rsplit(":", 1)[1] for name in locked_jars() if name.startswith("org.apache.kafka:kafka_"))


def cache_dir() -> Path:
    """Return the folder of the jars: under `XDG_CACHE_HOME`, else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jejak" / f"kafka-{kafka_version()}"


def missing_jars() -> list[str]:
    """Return the coordinates the cache lacks or holds damaged."""
    folder = cache_dir()
    return [name for name, digest in locked_jars().items() if not _is_good(_place(folder, name), digest)]


def _place(folder: Path, coordinate: str) -> Path:
    _, artifact, version = coordinate.split(":")
    return folder / f"{artifact}-{version}.jar"


def _is_good(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _download(folder: Path, wanted: dict[str, str], say: Callable[[str], None]) -> None:
    def fetch_all(stage: Path) -> None:
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            some = pool.map(lambda item: _fetch_one(stage, folder, item[0], item[1], HINT), wanted.items())
            for done, _ in enumerate(some, start=1):
                if done % 15 == 0:
                    say(f"fetching Apache Kafka: {done} of {len(wanted)} jars")

    _staged(folder, fetch_all)


def _staged(folder: Path, fetch: Callable[[Path], None]) -> None:
    """Fetch by way of a folder of our own: jgo writes straight to the final name, and may be killed."""
    stage = folder / f".stage-{os.getpid()}"
    stage.mkdir(parents=True, exist_ok=True)
    try:
        fetch(stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fetch_one(stage: Path, folder: Path, coordinate: str, digest: str, hint: str) -> None:
    from jgo.maven import MavenContext

    group, artifact, version = coordinate.split(":")
    try:
        context = MavenContext(repo_cache=stage, local_repos=[])
        path = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except Exception as error:  # whatever jgo and its HTTP client raise means: not fetched
        raise Unavailable(
            f"cannot download the jar {artifact} {version} ({type(error).__name__}): "
            f"the first time needs the network, or {hint}"
        ) from error
    if not _is_good(path, digest):
        raise Unavailable(f"the downloaded jar {artifact} {version} is not the one of the lock: try again")
    path.replace(_place(folder, coordinate))
