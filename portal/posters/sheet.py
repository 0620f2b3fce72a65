"""What a poster says. How it is drawn is in `sheets.py`, whose library a gate loads only when somebody prints."""

import re
from datetime import date
from typing import Final

import msgspec

from schemas.events import Gate as Kind

WORDS: Final = {Kind.ENTRANCE: ("MASUK", "Entrance"), Kind.EXIT: ("KELUAR", "Exit"), Kind.ZONE: ("ZONA", "Zone")}
ZONES: Final = {
    "ward": ("Ruang rawat inap", "Ward"),
    "emergency": ("Instalasi gawat darurat", "Emergency"),
    "waiting": ("Ruang tunggu", "Waiting room"),
    "laboratory": ("Laboratorium", "Laboratory"),
    "isolation": ("Ruang isolasi", "Isolation"),
    "staff": ("Ruang petugas", "Staff only"),
    "ambulance": ("Ambulans", "Ambulance"),
}

# What all three fonts hold: letters of Latin script, with the marks of its languages, and common signs.
_printable = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u017f\u0218-\u021b\u1e80-\u1e85\u1ef2\u1ef3"
    r"\u2013\u2014\u2018-\u201a\u201c-\u201e\u2022\u2026]"
)


def can_be_printed(text: str) -> bool:
    """Say whether a poster has every character of a name."""
    return all(map(_printable.fullmatch, text))


def printed(text: str, otherwise: str) -> str:
    """Return a name without what no font of ours has, as a register of an operator may hold; else the other text."""
    return " ".join("".join(_printable.findall(text)).split()) or otherwise


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What one poster says."""

    facility: str
    facility_id: str
    kind: Kind
    code: str  # e1, x2, z3
    name: str
    zone_kind: str  # empty at a door
    version: int
    made_on: date
    link: str

    @property
    def file_name(self) -> str:
        """What its file is called."""
        word = WORDS[self.kind][0].lower()
        return f"{word}-{self.code}-v{self.version}"
