"""Passwords, random per install, each in a file of its own that only its owner can read.

They never go into arguments, environments or logs: whoever needs one reads the file.
"""

import os
import secrets
from pathlib import Path

from schemas.errors import InvalidSettings
from schemas.settings import Settings

LENGTH_BYTES = 32


def ensure_secret(settings: Settings, kind: str, user: str) -> str:
    """Return the password of a `kafka` user or `database` role, made now if there is none yet.

    Two processes that make it at once agree: the file is linked into place whole, and the first one wins.
    """
    path = settings.secret_file(kind, user)
    if not path.exists():
        _write_once(path, secrets.token_hex(LENGTH_BYTES))  # letters and digits: no quoting can mistake them
    return read_secret(settings, kind, user)


def read_secret(settings: Settings, kind: str, user: str) -> str:
    """Return the password of a `kafka` user or `database` role.

    Raises:
        InvalidSettings: the file is missing, unreadable or empty.
    """
    path = settings.secret_file(kind, user)
    try:
        text = path.read_text().strip()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise InvalidSettings(f"{reason}: {path}", field="JEJAK_SECRETS") from error
    if not text:
        raise InvalidSettings(f"is empty: {path}", field="JEJAK_SECRETS")
    return text


def has_secret(settings: Settings, kind: str, user: str) -> bool:
    """Say whether this process may act as that user or role."""
    return settings.secret_file(kind, user).is_file()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write_new(new, text)
    new.replace(path)


def _write_once(path: Path, text: str) -> None:
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write_new(new, text)
    try:
        path.hardlink_to(new)
    except FileExistsError:
        pass
    finally:
        new.unlink()


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        except OSError:  # a full disk: leave no empty file behind for each try
            path.unlink(missing_ok=True)
            raise
