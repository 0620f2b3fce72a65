"""Who holds a certificate: name, birth date and phone, and how they are sealed beside the person's number.

Sealed values all have the same length, so that not even a long name shows.
"""

import hmac
import re
import unicodedata
from datetime import date
from typing import Final

import msgspec

from portal.vault.sealing import open_beside, seal_beside

TABLE: Final = "vault.certificate"
LENGTH: Final = 1_024  # bytes; a name has at most 128 characters of at most four bytes

_words = re.compile(r"[^\W_]+")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a certificate, as its sender says it."""

    name: str
    birth_date: date
    phone: str = ""  # as +62…; empty: none is known

    def is_called(self, name: str) -> bool:
        """Say whether a name is this one; capitals, accents, points and blanks do not matter."""
        return hmac.compare_digest(spelled(self.name).encode(), spelled(name).encode())


NOBODY: Final = Holder(name="", birth_date=date(1900, 1, 1))


def spelled(name: str) -> str:
    """Return a name as it is compared."""
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(_words.findall(letters.casefold()))


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
