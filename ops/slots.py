"""Which worker has which number. A number is held by a file lock in the home: it is free again when its worker dies.

Kafka gives a number its partitions back after a restart, and throws out the elder of two workers with one number.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import Conflict
from schemas.settings import Settings

SLOTS_MAX = 1024  # as many as there can be partitions


@contextmanager
def held_slot(settings: Settings, service: str, slot: int | None) -> Iterator[int]:
    """Hold a worker's number, the lowest free one when `slot` is None; yields it.

    A number that was asked for is given even when another worker has it: Kafka decides between the two.

    Raises:
        Conflict: no number is free.
    """
    for number in [slot] if slot is not None else range(SLOTS_MAX):
        file = _take(settings, service, number)
        if file is not None or slot is not None:
            break
    else:
        raise Conflict(f"no number is free: {SLOTS_MAX} {service} workers run in {settings.home}")
    try:
        yield number
    finally:
        if file is not None:
            os.close(file)


def slots_here(settings: Settings, service: str) -> list[int]:
    """Return the numbers that workers on this machine (or in this container) hold now."""
    files = _folder(settings).glob(f"{service}-*")
    return sorted(int(file.name.rpartition("-")[2]) for file in files if _is_held_here(file))


def _take(settings: Settings, service: str, number: int) -> int | None:
    """Return the descriptor that holds the number, or None when another worker has it."""
    folder = _folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / f"{service}-{number}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    os.truncate(file, 0)
    os.write(file, socket.gethostname().encode())
    return file


def _is_held_here(path: Path) -> bool:
    if path.read_text() != socket.gethostname():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def _folder(settings: Settings) -> Path:
    return settings.home / "run" / "slots"
