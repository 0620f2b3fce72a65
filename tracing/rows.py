"""Rows as the store hands them out: persons and scan ids are UUIDs as text with dashes, facilities their number."""

from typing import NamedTuple, TypeAlias

ScanKey: TypeAlias = tuple[str, str]  # person, scan_id
DecisionKey: TypeAlias = tuple[str, str, int, str]  # person, scan_id, serial, by


class Facility(NamedTuple):
    """What the fold must know of a facility; none of it ever changes."""

    facility_no: int
    facility_id: str
    kind: str
    time_zone: str


class StoredScan(NamedTuple):
    """A standing scan; `at` is microseconds since 1970."""

    person: str
    scan_id: str
    facility_no: int
    gate: str
    zone: str
    at: int
    admitted: bool
    role: str
    channel: str


def dashed(person_id: str) -> str:
    """Return a person id of an event, 32 hex digits, as the database writes it."""
    return f"{person_id[:8]}-{person_id[8:12]}-{person_id[12:16]}-{person_id[16:20]}-{person_id[20:]}"


def undashed(person: str) -> str:
    """Return a person as events name him."""
    return person.replace("-", "")
