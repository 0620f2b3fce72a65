"""SQL of a facility's own pages. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from psycopg2 import errors

from portal.registration.fields import Applied
from portal.store import Connection
from portal.web.clocks import clock
from schemas.errors import Conflict, NotFound


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a place besides what tracing needs."""

    licence: str
    address: str
    sub_district: str
    latitude: float
    longitude: float
    responsible: str
    email: str
    phone: str
    capacity: int
    opening_hours: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A facility with its details; None where nobody has given them yet."""

    facility_no: int
    facility_id: str
    name: str
    kind: str
    owner: str
    time_zone: str
    district: str
    details: Details | None

    @property
    def zone(self) -> ZoneInfo:
        """The facility's own clock."""
        return ZoneInfo(self.time_zone)

    def clock(self, at: datetime) -> str:
        """Return an instant as the facility's clock shows it."""
        return clock(at, self.time_zone)


class Member(msgspec.Struct, frozen=True):
    """Somebody who looks after a facility."""

    account_id: str
    email: str
    name: str
    role: str
    is_active: bool


class ManualEntry(msgspec.Struct, frozen=True):
    """A scan that an officer entered by hand, without whom it was about."""

    at: datetime
    gate: str
    zone: str
    role: str
    admitted: bool
    refused_reason: str
    assurance: str
    entered_by: str
    decision: str  # void, flag, clear; empty: none


_DETAILS: Final = Details.__struct_fields__
_PLACE: Final = (
    "select f.facility_no, f.facility_id, f.name, f.kind, f.owner, f.time_zone, f.district,"  # noqa: S608 — constants
    f" {', '.join('p.' + name for name in _DETAILS)} from facility f left join place p using (facility_no)"
)


def read_place(conn: Connection, facility_id: str) -> Place:
    """Return a facility.

    Raises:
        NotFound: there is none of that id.
    """
    found = list_places(conn, [facility_id])
    if not found:
        raise NotFound("no such facility")
    return found[0]


def list_places(conn: Connection, facility_ids: Sequence[str]) -> list[Place]:
    """Return facilities by name."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_PLACE} where f.facility_id = any(%s) order by f.name, f.facility_id", (list(facility_ids),))
        return [
            Place(
                **dict(zip(Place.__struct_fields__[:7], row[:7], strict=True)),
                details=None if row[7] is None else Details(**dict(zip(_DETAILS, row[7:], strict=True))),
            )
            for row in cursor.fetchall()
        ]


def put_details(conn: Connection, place: Place, given: Applied) -> None:
    """Store what a manager says of the place; kind and time zone stay.

    Raises:
        Conflict: another facility has this licence.
    """
    values = {name: getattr(given, name) for name in _DETAILS} | {
        "facility_no": place.facility_no,
        "licence_key": given.licence_key,
        "changed_at": datetime.now(UTC),
    }
    names, marks = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    changed = ", ".join(f"{name} = excluded.{name}" for name in values if name != "facility_no")
    with conn.cursor() as cursor:
        cursor.execute(
            "update facility set name = %s, owner = %s, district = %s where facility_no = %s",
            (given.name, given.owner, given.sub_district[:5], place.facility_no),
        )
        try:
            cursor.execute(
                f"insert into place ({names}, verified_by) values ({marks}, '')"  # noqa: S608 — our own column names
                f" on conflict (facility_no) do update set {changed}",
                values,
            )
        except errors.UniqueViolation as error:
            raise Conflict("another facility has this licence") from error


def list_members(conn: Connection, facility_no: int) -> list[Member]:
    """Return who looks after a facility: managers first, by name; whose account was closed is not among them."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select a.account_id::text, a.email, a.name, a.role, a.activated_at is not null"
            " from account_facility m join account a using (account_id)"
            " where m.facility_no = %s and a.closed_at is null order by a.role <> 'manager', a.name, a.email",
            (facility_no,),
        )
        return [Member(*row) for row in cursor.fetchall()]


def lock_members(conn: Connection, facility_no: int) -> None:
    """Let nobody else change who looks after a facility until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute("select from facility where facility_no = %s for no key update", (facility_no,))


def remove_member(conn: Connection, facility_no: int, account_id: str) -> int:
    """Take a facility from an account and end its sessions; return how many facilities are left to it."""
    with conn.cursor() as cursor:
        cursor.execute(
            "delete from account_facility where account_id = %s and facility_no = %s", (account_id, facility_no)
        )
        cursor.execute("delete from session where account_id = %s", (account_id,))
        cursor.execute("select count(*) from account_facility where account_id = %s", (account_id,))
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def closed_and_left(conn: Connection, account_id: str) -> bool:
    """Say whether an account was closed because its last facility was taken from it, and not by the operator."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select closed_at is not null and not exists (select from account_facility m where m.account_id ="
            " a.account_id) from account a where account_id = %s",
            (account_id,),
        )
        row = cursor.fetchone()
    return row is not None and bool(row[0])


def is_closed(conn: Connection, account_id: str) -> bool:
    """Say whether an account is closed."""
    with conn.cursor() as cursor:
        cursor.execute("select closed_at is not null from account where account_id = %s", (account_id,))
        row = cursor.fetchone()
    return row is None or bool(row[0])


def reopen_account(conn: Connection, account_id: str, name: str) -> None:
    """Open a closed account again, without a password: it has to be activated as a new one."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update account set closed_at = null, activated_at = null, password = null, name = %s"
            " where account_id = %s",
            (name, account_id),
        )


def manual_entries(
    conn: Connection, facility_no: int, since: datetime, until: datetime, limit: int
) -> list[ManualEntry]:
    """Return what officers entered by hand in [since, until), the latest first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select at, gate, zone, role, admitted, refused_reason, assurance, entered_by, decision from manual_entry"
            " where facility_no = %s and at >= %s and at < %s order by at desc, received_at desc limit %s",
            (facility_no, since, until, limit),
        )
        return [ManualEntry(*row) for row in cursor.fetchall()]
