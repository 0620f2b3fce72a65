"""What counted, in words, for the sentence that says why somebody is on the list. English and Indonesian."""

from collections.abc import Mapping
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
    words = _WORDS[language]
    told = [words["zone"]] * (counted.same_zone > 1 / 2) + [words["zones"]] * (counted.other_zone > 1 / 2)
    told += _together(counted, words)
    if counted.days > 1:
        told.append(words["days"].format(days=counted.days))
    if counted.share >= MOST_OF_BOTH:
        told.append(words["most"])
    elif counted.share <= LITTLE_OF_BOTH:
        told.append(words["little"])
    return told + _others(counted, words)


def _together(counted: Counted, words: Mapping[str, str]) -> list[str]:
    some = min(counted.came_together, counted.left_together)
    what = "both"
    if not some:
        some, what = max((counted.came_together, "came"), (counted.left_together, "left"))
    if not some:
        return []
    if counted.days == 1:
        return [words[what]]
    return [words["on_days"].format(what=words[what], some=some, days=counted.days)]


def _others(counted: Counted, words: Mapping[str, str]) -> list[str]:
    others = round(counted.crowd) - 2
    if others < FEW_OTHERS:
        return [words["few"]]
    return [words["many"].format(others=_rounded(others))] if others >= MANY_OTHERS else []


def _rounded(number: int) -> int:
    """Return it with two digits that count."""
    unit = int("1".ljust(len(str(number)) - 1, "0"))
    return (number + unit // 2) // unit * unit
