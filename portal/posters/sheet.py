"""What a poster says. How it is drawn is in `sheets.py`, whose library a gate loads only when somebody prints."""

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
