"""Ids the gate itself gives: UUIDv7, so that they sort by time and pass the events' own check."""

import secrets
from datetime import datetime


def new_uuid7(now: datetime) -> str:
    """Return a new lower-case UUIDv7: 48 bits of milliseconds since 1970, the rest random."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
