"""SQL of visitors' devices, their chains and codes. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from portal.store import Connection, append_audit, put_areas
from portal.visitor.chain import Head

UNUSED: Final = timedelta(days=60)  # a device that was never bound
JUDGED: Final = timedelta(days=35)  # scans that were judged: none that is older than 30 days is taken
REMOVED_MAX: Final = 100


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it is stored, without what was claimed."""

    device_id: str
    person: str  # 32 hex digits
    public_key: bytes
    district: str
    bound_by: str  # empty: to nobody
    head: Head
    place: str  # the facility of its last scan; empty after an exit


class NewDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that has just claimed somebody's identity."""

    device_id: str
    person: str
    public_key: bytes
    district: str
    claim: bytes  # sealed


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a person's device, for himself."""

    device_id: str
    made_at: datetime
    seen_at: datetime
    bound_by: str
    bound_at: datetime | None
    claim: bytes  # sealed


_DEVICE: Final = (
    "select device_id::text, replace(person::text, '-', ''), public_key, district, bound_by, seq, hash, at, place"
    " from visitor_device"
)


def add_device(conn: Connection, new: NewDevice, now: datetime) -> Device:
    """Store a device; return it, or the one that has the same key already. Devices long out of use go."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into visitor_device (device_id, person, public_key, district, claim, made_at, seen_at)"
            " values (%(device_id)s, %(person)s, %(public_key)s, %(district)s, %(claim)s, %(now)s, %(now)s)"
            " on conflict (public_key) do nothing",
            msgspec.structs.asdict(new) | {"now": now},
        )
        cursor.execute(
            "delete from visitor_device where device_id in (select device_id from visitor_device"
            " where bound_at is null and seen_at < %s order by seen_at limit %s)",
            (now - UNUSED, REMOVED_MAX),
        )
        cursor.execute(f"{_DEVICE} where public_key = %s", (new.public_key,))
        return _device(cursor.fetchone())


def add_area(conn: Connection, person: str, district: str, *, wanted: bool) -> None:
    """Store where a person lives who was not known until now; the same statement where it is not wanted."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into person_area (person, district) select %s::uuid, %s where %s on conflict do nothing",
            (person, district, wanted),
        )


def find_device(conn: Connection, device_id: str) -> Device | None:
    """Return a device."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_DEVICE} where device_id = %s", (device_id,))
        row = cursor.fetchone()
    return None if row is None else _device(row)


def lock_device(conn: Connection, device_id: str) -> Device | None:
    """Return a device; nobody else changes it until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_DEVICE} where device_id = %s for no key update", (device_id,))
        row = cursor.fetchone()
    return None if row is None else _device(row)


def remove_device(conn: Connection, device_id: str) -> None:
    """Remove a device and what it claimed."""
    with conn.cursor() as cursor:
        cursor.execute("delete from visitor_device where device_id = %s", (device_id,))


def erase_person(conn: Connection, device_id: str, why: str) -> datetime | None:
    """Ask for the erasure of whom a bound device belongs to; return its date, None of a device that is not bound."""
    with conn.cursor() as cursor:
        cursor.execute("select vault.erase_visitor(%s, %s)", (device_id, why))
        row = cursor.fetchone()
    due: datetime | None = row[0] if row else None
    return due


def devices_of(conn: Connection, person: str) -> list[Held]:
    """Return the devices on which somebody claimed to be a person, or proved it."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select device_id::text, made_at, seen_at, bound_by, bound_at, claim from visitor_device"
            " where person = %s order by made_at",
            (person,),
        )
        return [
            Held(device_id=device_id, made_at=made_at, seen_at=seen_at, bound_by=by, bound_at=at, claim=bytes(claim))
            for device_id, made_at, seen_at, by, at, claim in cursor.fetchall()
        ]


# The chain


def put_head(conn: Connection, device: Device, head: Head, place: str, now: datetime) -> None:
    """Store how far a device's chain has come; what was judged long ago is forgotten."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update visitor_device set seq = %s, hash = %s, at = %s, place = %s, seen_at = %s where device_id = %s",
            (head.seq, head.hash, head.at, place, now, device.device_id),
        )
        cursor.execute(
            "delete from visitor_scan where device_id = %s and made_at < %s", (device.device_id, now - JUDGED)
        )


def judged(conn: Connection, device_id: str, scan_ids: Sequence[str]) -> dict[str, bytes | None]:
    """Return those of the scans that were judged before, with what is still to be sent of each."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select scan_id::text, records from visitor_scan where device_id = %s and scan_id = any(%s::uuid[])",
            (device_id, list(scan_ids)),
        )
        return {scan_id: None if records is None else bytes(records) for scan_id, records in cursor.fetchall()}


def add_judged(conn: Connection, device_id: str, scan_id: str, records: bytes, now: datetime) -> None:
    """Store a scan that was judged, with what is to be sent of it."""
    with conn.cursor() as cursor:
        cursor.execute("insert into visitor_scan values (%s, %s, %s, %s)", (device_id, scan_id, records, now))


def mark_sent(conn: Connection, device_id: str, scan_ids: Sequence[str]) -> None:
    """Note that what was to be sent of these scans is acknowledged."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update visitor_scan set records = null where device_id = %s and scan_id = any(%s::uuid[])",
            (device_id, list(scan_ids)),
        )


def was_positive(conn: Connection, person: str) -> bool:
    """Say whether a positive of a person is known, of an episode that may still last."""
    with conn.cursor() as cursor:
        cursor.execute("select person_was_positive(%s)", (person,))
        return bool(_one(cursor.fetchone())[0])


def capacity(conn: Connection, facility_no: int) -> int | None:
    """Return how many a facility is made for, if anybody has said so."""
    with conn.cursor() as cursor:
        cursor.execute("select capacity from place where facility_no = %s", (facility_no,))
        row = cursor.fetchone()
    return None if row is None else int(row[0])


# Binding


def count_code(conn: Connection, person: str, day: date) -> int:
    """Count a code that is asked for a person; return how many were on that day."""
    with conn.cursor() as cursor:
        cursor.execute("delete from visitor_codes_of_day where person = %s and day < %s", (person, day))
        cursor.execute(
            "insert into visitor_codes_of_day values (%s, %s, 1)"
            " on conflict (person, day) do update set number = visitor_codes_of_day.number + 1 returning number",
            (person, day),
        )
        return int(_one(cursor.fetchone())[0])


def put_code(conn: Connection, device_id: str, hashed: bytes, ends_at: datetime, *, sent: bool) -> None:
    """Store the code of a device in place of the one before; the same statement where none is sent."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into visitor_code (device_id, hash, ends_at) select %s::uuid, %s::bytea, %s::timestamptz where %s"
            " on conflict (device_id) do update set hash = excluded.hash, tries = 0, ends_at = excluded.ends_at",
            (device_id, hashed, ends_at, sent),
        )


def try_code(conn: Connection, device_id: str, most: int, now: datetime) -> bytes | None:
    """Count a try; return the hash of the code, None if there is none or no try is left."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update visitor_code set tries = tries + 1 where device_id = %s and tries < %s and ends_at > %s"
            " returning hash",
            (device_id, most, now),
        )
        row = cursor.fetchone()
    return None if row is None else bytes(row[0])


def put_officer_code(conn: Connection, device_id: str, hashed: bytes, until: datetime) -> None:
    """Store what a device shows to an officer."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update visitor_device set officer_code = %s, officer_until = %s where device_id = %s",
            (hashed, until, device_id),
        )


def find_officer_code(conn: Connection, hashed: bytes, now: datetime) -> Device | None:
    """Return the device that shows a code to an officer."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_DEVICE} where officer_code = %s and officer_until > %s", (hashed, now))
        row = cursor.fetchone()
    return None if row is None else _device(row)


def bind(conn: Connection, device: Device, by: str, who: str, now: datetime) -> None:
    """Make a device its person's only bound one, and the domicile he told his; with a line in the audit."""
    with conn.cursor() as cursor:
        # in one order, so that two who bind devices of the same person wait for one another
        cursor.execute(
            "select from visitor_device where person = %s order by device_id for no key update", (device.person,)
        )
        cursor.execute(
            "update visitor_device set bound_by = '', bound_at = null where person = %s and bound_at is not null",
            (device.person,),
        )
        cursor.execute(
            "update visitor_device set bound_by = %s, bound_at = %s, officer_code = null, officer_until = null"
            " where device_id = %s",
            (by, now, device.device_id),
        )
        cursor.execute("delete from visitor_code where device_id = %s", (device.device_id,))
    put_areas(conn, [(device.person, device.district)])
    append_audit(conn, who, "device bound", device.person, by)


def _device(row: Sequence[Any] | None) -> Device:
    device_id, person, public_key, district, bound_by, seq, hashed, at, place = _one(row)
    return Device(
        device_id=device_id,
        person=person,
        public_key=bytes(public_key),
        district=district,
        bound_by=bound_by,
        head=Head(seq, bytes(hashed), at),
        place=place,
    )


def _one(row: Sequence[Any] | None) -> Sequence[Any]:
    assert row is not None
    return row
