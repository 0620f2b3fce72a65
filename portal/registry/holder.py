"""Who is on record by name: name, birth date and phone, and how they are sealed beside the person's number.

Sealed values all have the same length, so that not even a long name shows.
"""

import hmac
from datetime import date
from typing import Final

import msgspec

from portal.names import are_alike
from portal.vault.sealing import open_beside, seal_beside

TABLE: Final = "vault.certificate"
LENGTH: Final = 1_024  # bytes; a name has at most 128 characters of at most four bytes


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a certificate, as its sender says it; or whose name alone somebody said who saw his document."""

    name: str
    birth_date: date | None = None  # None: no certificate was ever sent
    phone: str = ""  # as +62…; empty: none is known

    @property
    def has_certificate(self) -> bool:
        """Whether his doses are known, be it none: else nothing but his name is."""
        return self.birth_date is not None

    def is_called(self, name: str) -> bool:
        """Say whether a name is this one, as people write names."""
        return are_alike(self.name, name)


NOBODY: Final = Holder(name="", birth_date=date(1900, 1, 1))


def seal(own_key: bytes, person: str, holder: Holder) -> tuple[bytes, bytes]:
    """Return a holder sealed with the person's own key, and a mark that is the same for the same holder."""
    clear = msgspec.json.encode(holder)
    assert len(clear) <= LENGTH
    mark = hmac.digest(own_key, b"certificate mark|" + clear, "sha256")
    return seal_beside(own_key, TABLE, person, clear.ljust(LENGTH)), mark


def unseal(own_key: bytes, person: str, sealed: bytes) -> Holder:
    """Return a holder.

    Raises:
        InvalidTag: it was sealed for somebody else, or with another key.
    """
    return msgspec.json.decode(open_beside(own_key, TABLE, person, sealed), type=Holder)
