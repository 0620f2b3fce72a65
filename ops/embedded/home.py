"""The installation's folder: who holds it, which ports it uses, what a killed run left in it."""

import errno
import fcntl
import os
import random
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ops.embedded.daemon import stop_orphan
from ops.secrets import write_private
from schemas.errors import Conflict, Unavailable

FOLDERS = ("logs", "run", "secrets", "kafka")
FREE_BYTES_MIN = 400 * 1024 * 1024
# Below the range from which the kernel takes client ports: a client that keeps asking a stopped server for its port
# can otherwise be given that very port, and keeps the server from coming back.
PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"


@contextmanager
def held_home(home: Path) -> Iterator[Path]:
    """Hold the installation for this process alone; yields its absolute path, with its folders made.

    Raises:
        Conflict: another process holds it.
        Unavailable: it cannot be made, or its disk is full.
    """
    home = home.absolute()
    with full_disk_explained(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        for name in FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES_MIN:
        raise Unavailable(f"the disk is full: at {home} {FREE_BYTES_MIN >> 20} MB are needed, {free >> 20} MB are free")
    lock = os.open(home / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"already running in {home}: stop it first, or set JEJAK_HOME to another folder") from error
        yield home
    finally:
        os.close(lock)


@contextmanager
def full_disk_explained(home: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write under `home` into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable(f"the disk is full at {home}") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise Unavailable(f"cannot write to {error.filename or home} ({error.strerror})") from error
        raise


def stop_orphans(home: Path) -> list[str]:
    """Stop servers that a killed run of this home left running; return their names."""
    records = [stop_orphan(path) for path in sorted((home / "run").glob("*.json")) if path.name != "ports.json"]
    return [record.name for record in records if record]


def take_ports(home: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Return a port for each name: the one it had last time if that is still free, else another, remembered."""
    path = home / "run" / "ports.json"
    try:
        before = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.DecodeError):
        before = {}
    ports: dict[str, int] = {}
    for name in names:
        old = before.get(name, 0)
        ports[name] = old if old and is_free(old) else free_port(taken=set(ports.values()))
    write_private(path, msgspec.json.encode(before | ports).decode())
    return ports


def free_port(taken: Collection[int] = ()) -> int:
    """Return a loopback port nobody listens on."""
    for port in random.sample(PORTS, 200):
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"no free port between {PORTS.start} and {PORTS.stop}")


def is_free(port: int) -> bool:
    """Say whether we could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do; a closed connection lingers
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
