"""Dead letters keep the bytes we could not use, under AES-256-GCM: the key is a file, never in the database.

Each is bound to its place in the log, so that a sealed letter cannot be passed off as another.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import Conflict, InvalidSettings
from schemas.settings import Settings

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class Seal:
    """Seals and unseals dead letters."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, value: bytes | None, topic: str, partition: int, offset: int) -> bytes:
        """Return `value` sealed; a record without a value is kept as an empty one."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value or b"", _place(topic, partition, offset))

    def unseal(self, sealed: bytes, topic: str, partition: int, offset: int) -> bytes:
        """Return the bytes of a dead letter.

        Raises:
            Conflict: the key is another one, or the letter was changed or moved.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _place(topic, partition, offset))
        except InvalidTag:
            raise Conflict("this dead letter was sealed with another key, or changed") from None


def read_seal(settings: Settings) -> Seal:
    """Return the seal of this installation.

    Raises:
        InvalidSettings: its key file is missing or is no key.
    """
    path = settings.secret_file("seal", "dead-letters")
    try:
        key = bytes.fromhex(path.read_text())
    except OSError as error:
        raise InvalidSettings("has no readable key file for dead letters", field="JEJAK_SECRETS") from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSettings("holds a key for dead letters that is not 64 hex digits", field="JEJAK_SECRETS")
    return Seal(key)


def _place(topic: str, partition: int, offset: int) -> bytes:
    return f"{topic}|{partition}|{offset}".encode()
