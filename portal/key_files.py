"""Keys outside the database: a file each, private, with 32 random bytes as text."""

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from schemas.errors import InvalidSettings

KEY_BYTES: Final = 32


def make_key_file(path: Path) -> None:
    """Make a file with a new key, private and whole; one that is there stays, of two processes the first one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()


def read_key_file(path: Path) -> bytes:
    """Return the key of a file.

    Raises:
        InvalidSettings: it cannot be read, or holds no key.
    """
    try:
        key = base64.urlsafe_b64decode(path.read_text().strip() + "=")
    except OSError as error:
        raise InvalidSettings(f"cannot be read: {path}", field="JEJAK_SECRETS") from error
    except ValueError as error:
        raise InvalidSettings(f"is no key: {path}", field="JEJAK_SECRETS") from error
    if len(key) != KEY_BYTES:
        raise InvalidSettings(f"is no key of {KEY_BYTES} bytes: {path}", field="JEJAK_SECRETS")
    return key
