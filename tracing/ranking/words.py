"""What counted, in words, for the sentence that says why somebody is on the list. English and Indonesian."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Language = Literal["en", "id"]

MOST_OF_BOTH: Final = 0.7
LITTLE_OF_BOTH: Final = 0.2
FEW_OTHERS: Final = 10
MANY_OTHERS: Final = 30


class Counted(NamedTuple):
    """A pair's shape, as far as words tell it."""

    share: float
    days: int
    came_together: int
    left_together: int
    crowd: float
    same_zone: float
    other_zone: float


_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "both": "arrived and left within minutes of each other",
        "came": "arrived within minutes of each other",
        "left": "left within minutes of each other",
        "on_days": "{what} on {some} of {days} days",
        "days": "on {days} days",
        "most": "together for most of both stays",
        "little": "together for a small part of both stays",
        "zone": "same zone",
        "zones": "different zones",
        "few": "few others present",
        "many": "about {others} others present",
    },
    "id": {
        "both": "datang dan pergi berselang beberapa menit",
        "came": "datang berselang beberapa menit",
        "left": "pergi berselang beberapa menit",
        "on_days": "{what} pada {some} dari {days} hari",
        "days": "pada {days} hari",
        "most": "bersama selama sebagian besar waktu keduanya",
        "little": "bersama selama sebagian kecil waktu keduanya",
        "zone": "zona sama",
        "zones": "zona berbeda",
        "few": "sedikit orang lain",
        "many": "sekitar {others} orang lain",
    },
}


def words_of(counted: Counted, language: Language = "en") -> list[str]:
    """Return what counted for or against, the strongest first; nothing where nothing stood out."""
    share, days, came, left, crowd, same_zone, other_zone = counted
    part = "most" if share >= MOST_OF_BOTH else "little" if share <= LITTLE_OF_BOTH else ""
    zones = ("zone",) * (same_zone > 1 / 2) + ("zones",) * (other_zone > 1 / 2)
    return [*_words_of(zones, days, came, left, part, round(crowd) - 2, language)]


@lru_cache(maxsize=1 << 12)
def _words_of(
    zones: tuple[str, ...], days: int, came: int, left: int, part: str, others: int, language: Language
) -> tuple[str, ...]:
    """Return the words; pairs differ in much, but not in many words."""
    words = _WORDS[language]
    told = [words[zone] for zone in zones] + _together(days, came, left, words)
    if days > 1:
        told.append(words["days"].format(days=days))
    if part:
        told.append(words[part])
    return (*told, *_others(others, words))


def _together(days: int, came: int, left: int, words: Mapping[str, str]) -> list[str]:
    some, what = min(came, left), "both"
    if not some:
        some, what = max((came, "came"), (left, "left"))
    if not some:
        return []
    if days == 1:
        return [words[what]]
    return [words["on_days"].format(what=words[what], some=some, days=days)]


def _others(others: int, words: Mapping[str, str]) -> list[str]:
    if others < FEW_OTHERS:
        return [words["few"]]
    return [words["many"].format(others=_rounded(others))] if others >= MANY_OTHERS else []


def _rounded(number: int) -> int:
    """Return it with two digits that count."""
    unit = int("1".ljust(len(str(number)) - 1, "0"))
    return (number + unit // 2) // unit * unit
