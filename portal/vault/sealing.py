"""Values under a person's own key, that key under the master key: AES-256-GCM, bound to table, column and row."""

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
    own_key = secrets.token_bytes(KEY_BYTES)
    return _encrypt(own_key, value.encode(), "sealed", person), _encrypt(master, own_key, "wrapped_key", person)


def open_sealed(masters: Mapping[int, bytes], row: Sealed) -> str:
    """Return a person's value.

    Raises:
        InvalidTag: it was sealed for another row, or with another key.
    """
    return _decrypt(_own_key(masters, row), row.sealed, "sealed", row.person).decode()


def wrap_again(masters: Mapping[int, bytes], row: Sealed, master: bytes) -> bytes:
    """Return a person's own key under another master key."""
    return _encrypt(master, _own_key(masters, row), "wrapped_key", row.person)


def _own_key(masters: Mapping[int, bytes], row: Sealed) -> bytes:
    master = masters.get(row.key_version)
    if master is None:
        raise InvalidTag
    return _decrypt(master, row.wrapped_key, "wrapped_key", row.person)


def _encrypt(key: bytes, clear: bytes, column: str, person: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, clear, _bound_to(column, person))


def _decrypt(key: bytes, sealed: bytes, column: str, person: str) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(column, person))


def _bound_to(column: str, person: str) -> bytes:
    return f"vault.person|{column}|{person}|{ROW_VERSION}".encode()
