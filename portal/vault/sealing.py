"""Values under a person's own key, that key under the master key: AES-256-GCM, bound to table, column and row.

What other tables hold of a person is sealed with the same own key: it goes with him, and no rotation has to touch it.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.key_files import KEY_BYTES
from portal.vault.store import Sealed

NONCE_BYTES: Final = 12
ROW_VERSION: Final = 1  # of vault.person: bound into what is sealed, so that no old row can be put back in its place


def seal(master: bytes, person: str, value: str) -> tuple[bytes, bytes]:
    """Return a value under a new key, and that key under the master key."""
    own = secrets.token_bytes(KEY_BYTES)
    wrapped = _encrypt(master, own, _place("wrapped_key", person))
    return _encrypt(own, value.encode(), _place("sealed", person)), wrapped


def open_sealed(masters: Mapping[int, bytes], row: Sealed) -> str:
    """Return a person's value.

    Raises:
        InvalidTag: it was sealed for another row, or with another key.
    """
    return _decrypt(own_key(masters, row), row.sealed, _place("sealed", row.person)).decode()


def wrap_again(masters: Mapping[int, bytes], row: Sealed, master: bytes) -> bytes:
    """Return a person's own key under another master key."""
    return _encrypt(master, own_key(masters, row), _place("wrapped_key", row.person))


def own_key(masters: Mapping[int, bytes], row: Sealed) -> bytes:
    """Return a person's own key.

    Raises:
        InvalidTag: it was wrapped for another row, or with a key that is not here.
    """
    master = masters.get(row.key_version)
    if master is None:
        raise InvalidTag
    return _decrypt(master, row.wrapped_key, _place("wrapped_key", row.person))


def seal_beside(own: bytes, table: str, person: str, clear: bytes) -> bytes:
    """Return what another table holds of a person, under his own key."""
    return _encrypt(own, clear, _place("sealed", person, table))


def open_beside(own: bytes, table: str, person: str, sealed: bytes) -> bytes:
    """Return what `seal_beside` sealed.

    Raises:
        InvalidTag: it was sealed for another row, or with another key.
    """
    return _decrypt(own, sealed, _place("sealed", person, table))


def _encrypt(key: bytes, clear: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, clear, place)


def _decrypt(key: bytes, sealed: bytes, place: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)


def _place(column: str, person: str, table: str = "vault.person") -> bytes:
    return f"{table}|{column}|{person}|{ROW_VERSION}".encode()
