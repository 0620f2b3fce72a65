"""The keys that sign posters: outside the database, one file each, `secrets/portal/poster-k1`, `-k2`, ….

The newest signs, every one there verifies. A key that is known to others is taken away: what it signed counts no more.
"""

import re
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portal.key_files import make_key_file, read_key_file
from schemas.errors import InvalidSettings

LOOK_S: Final = 1.0  # how old at most what is known of the folder is

_name = re.compile(r"poster-k([1-9][0-9]{0,5})")


class PosterKeys:
    """The keys of one folder, by kid; a process sees a new one when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, tuple[Ed25519PrivateKey, Ed25519PublicKey]] = {}
        self._looked_s = -LOOK_S

    def newest(self) -> str:
        """Return the kid of the key that signs; the first key is made here.

        Raises:
            InvalidSettings: the folder or a key cannot be read or made.
        """
        self._load()
        if not self._keys:
            add_key(self._folder)
            self._load()
        return max(self._keys, key=lambda kid: int(kid[1:]))

    def signer(self, kid: str) -> Ed25519PrivateKey | None:
        """Return the key of that name, if it is there (still)."""
        key = self._find(kid)
        return None if key is None else key[0]

    def verifier(self, kid: str) -> Ed25519PublicKey | None:
        """Return the public half of the key of that name, if it is there (still)."""
        key = self._find(kid)
        return None if key is None else key[1]

    def _find(self, kid: str) -> tuple[Ed25519PrivateKey, Ed25519PublicKey] | None:
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._load()
        return self._keys.get(kid)

    def _load(self) -> None:
        found = _files(self._folder)
        for kid in self._keys.keys() - found.keys():
            del self._keys[kid]
        for kid in found.keys() - self._keys.keys():
            key = Ed25519PrivateKey.from_private_bytes(read_key_file(found[kid]))
            self._keys[kid] = key, key.public_key()
        self._looked_s = time.monotonic()


def add_key(folder: Path) -> str:
    """Make the next key; return its kid. Posters printed from now on are signed by it, older ones stay good.

    Raises:
        InvalidSettings: the file cannot be made.
    """
    number = max((int(kid[1:]) for kid in _files(folder)), default=0) + 1
    try:
        make_key_file(folder / f"poster-k{number}")
    except OSError as error:
        raise InvalidSettings("a key of posters cannot be made", field="JEJAK_SECRETS") from error
    return f"k{number}"


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    named = ((_name.fullmatch(path.name), path) for path in folder.iterdir())
    return {f"k{match[1]}": path for match, path in named if match is not None}
