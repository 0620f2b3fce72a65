"""What only this installation can open or sign: keys outside the database, one for each purpose, from one file.

The file `secrets/portal/key-1` is made when the gate first needs it. A purpose's key is derived (HKDF), so that what
was sealed for one thing opens for no other.
"""

import hmac
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.key_files import KEY_BYTES, make_key_file, read_key_file
from schemas.errors import InvalidSettings
from schemas.settings import Settings

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
