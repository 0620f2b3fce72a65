"""What only this installation can open or sign: keys outside the database, one for each purpose, from one file.

The file `secrets/portal/key-1` is made when the gate first needs it. A purpose's key is derived (HKDF), so that what
was sealed for one thing opens for no other.
"""

import base64
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import InvalidSettings
from schemas.settings import Settings

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
NAME: Final = "key-1"


class SecretBox:
    """Seals, opens and authenticates."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def key_for(self, purpose: str) -> bytes:
        """Return the 32 bytes of one purpose."""
        return HKDF(SHA256(), KEY_BYTES, None, purpose.encode()).derive(self._key)

    def seal(self, purpose: str, clear: bytes, bound_to: str) -> bytes:
        """Return `clear` so that it opens only for the same purpose and `bound_to`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.key_for(purpose)).encrypt(nonce, clear, bound_to.encode())

    def open(self, purpose: str, sealed: bytes, bound_to: str) -> bytes | None:
        """Return what was sealed; None if it was not sealed here, for this."""
        try:
            return AESGCM(self.key_for(purpose)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to.encode())
        except (InvalidTag, ValueError):
            return None

    def tag(self, purpose: str, text: str) -> bytes:
        """Return 32 bytes that nobody else can compute for `text`."""
        return hmac.digest(self.key_for(purpose), text.encode(), "sha256")


def open_secret_box(settings: Settings) -> SecretBox:
    """Return the box of this installation; its key is made if there is none.

    Raises:
        InvalidSettings: the key file cannot be read or made, or holds no key.
    """
    path = portal_secrets(settings) / NAME
    try:
        if not path.is_file():
            make_key_file(path)
    except OSError as error:
        raise InvalidSettings("the portal's key cannot be read or made", field="JEJAK_SECRETS") from error
    return SecretBox(read_key_file(path))


def portal_secrets(settings: Settings) -> Path:
    """Return the folder of the portal's keys."""
    return settings.secrets_dir / "portal"


def read_key_file(path: Path) -> bytes:
    """Return the 32 bytes of a key file.

    Raises:
        InvalidSettings: it cannot be read, or holds no key.
    """
    try:
        key = base64.urlsafe_b64decode(path.read_text().strip() + "=")
    except OSError as error:
        raise InvalidSettings("the portal's key cannot be read or made", field="JEJAK_SECRETS") from error
    except ValueError as error:
        raise InvalidSettings("the portal's key is none", field="JEJAK_SECRETS") from error
    if len(key) != KEY_BYTES:
        raise InvalidSettings("the portal's key is none", field="JEJAK_SECRETS")
    return key


def make_key_file(path: Path) -> None:
    """Make a file with a new key, private and whole; of two processes the first one's stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()
