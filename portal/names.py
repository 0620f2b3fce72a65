"""When two names are one: as cards, registers and people at a counter write them. Pure.

Capitals, accents, points, blanks, apostrophes and the order of the words do not matter, nor do the titles and degrees
that some write and some leave out. A word more or less does: Siti is not Siti Aminah.
"""

import hmac
import re
import unicodedata
from typing import Final

# Titles and salutations as cards and hospitals write them (Permendagri 73/2022 lets a card show them, shortened), and
# degrees written without points; of one with a point inside, behind a comma, no list is needed.
_WRITTEN: Final = (
    "dr drg drs dra ir prof h hj haji hajjah kh ust ustaz ustadz tn tuan ny nyonya nn nona sdr sdri bapak ibu"
    " sh se st si ssi skm spd skom sked sag sap sikom sip sos mh mm mt msi mkes mpd mkom mag map mkep phd"
    " ners ns skep sst amd amdkeb amdkep apt spa spb sppd spog spp spjp sps spkj"
)
TITLES: Final = frozenset(_WRITTEN.split())

_words = re.compile(r"[^\W_]+")
_apostrophes = re.compile("['`\u00b4\u2018\u2019\u02bb\u02bc\u2032]")  # Nur'aini, as it is typed
_inner_point = re.compile(r"\.\w")


def are_alike(one: str, other: str) -> bool:
    """Say whether two names are one, in a time that does not tell how much of them is alike."""
    return hmac.compare_digest(spelled(one).encode(), spelled(other).encode())


def spelled(name: str) -> str:
    """Return a name as it is compared; empty where it has no letters."""
    plain = unicodedata.normalize("NFKD", _apostrophes.sub("", name))
    letters = "".join(letter for letter in _apostrophes.sub("", plain) if not unicodedata.combining(letter))
    first, *others = letters.casefold().split(",")
    words = [word for part in (first, *(one for one in others if not _is_degree(one))) for word in _words.findall(part)]
    return " ".join(sorted([word for word in words if word not in TITLES] or words))


def _is_degree(part: str) -> bool:
    return _inner_point.search(part) is not None or "".join(_words.findall(part)) in TITLES
