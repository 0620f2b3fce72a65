"""SQL of gates, zones and posters' versions. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg2 import errors

from portal.posters.versions import Version, Versions
from portal.store import Connection
from schemas.errors import Conflict, NotFound
from schemas.events import Gate as Kind


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of a facility, as its posters say it."""

    facility_no: int
    facility_id: str
    facility: str  # its name
    time_zone: str
    gate_no: int
    kind: Kind
    name: str
    zone: str  # its name, of a zone's gate
    zone_kind: str
    is_closed: bool


class Zone(msgspec.Struct, frozen=True):
    """A zone of a facility; `has_gate` is true while posters name it, also those of old."""

    name: str
    kind: str
    has_gate: bool


_GATE: Final = (
    "select g.facility_no, f.facility_id, f.name, f.time_zone, g.gate_no, g.kind, g.name, coalesce(g.zone, ''),"
    " coalesce(z.kind, ''), g.closed_at is not null from gate g join facility f using (facility_no)"
    " left join zone z on z.facility_no = g.facility_no and z.zone = g.zone"
)
_VERSION: Final = "select version, made_at, revoked_at, reason from poster"


def find_gate(conn: Connection, facility_id: str, gate_no: int) -> Gate | None:
    """Return a gate."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_GATE} where f.facility_id = %s and g.gate_no = %s", (facility_id, gate_no))
        row = cursor.fetchone()
    return None if row is None else _gate(row)


def list_gates(conn: Connection, facility_id: str) -> list[Gate]:
    """Return the gates of a facility: open ones first, entrances before exits before zones."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_GATE} where f.facility_id = %s"
            " order by g.closed_at is not null, array_position(array['entrance', 'exit', 'zone'], g.kind), g.gate_no",
            (facility_id,),
        )
        return [_gate(row) for row in cursor.fetchall()]


def add_gate(conn: Connection, facility_id: str, kind: Kind, name: str, zone: str, at: datetime) -> int:
    """Store a new gate; return its number, which no gate of the facility had.

    Raises:
        NotFound: there is no such facility.
        Conflict: the facility has no such zone.
    """
    with conn.cursor() as cursor:
        cursor.execute("select facility_no from facility where facility_id = %s for no key update", (facility_id,))
        found = cursor.fetchone()
        if found is None:
            raise NotFound("no such facility")
        try:
            cursor.execute(
                "insert into gate (facility_no, gate_no, kind, name, zone, made_at) values (%(facility)s,"
                " (select coalesce(max(gate_no), 0) + 1 from gate where facility_no = %(facility)s),"
                " %(kind)s, %(name)s, %(zone)s, %(at)s) returning gate_no",
                {"facility": found[0], "kind": kind.value, "name": name, "zone": zone or None, "at": at},
            )
        except errors.ForeignKeyViolation as error:
            raise Conflict("there is no such zone") from error
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def close_gate(conn: Connection, gate: Gate, at: datetime) -> None:
    """Close a gate."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update gate set closed_at = coalesce(closed_at, greatest(%s, made_at))"
            " where facility_no = %s and gate_no = %s",
            (at, gate.facility_no, gate.gate_no),
        )


def lock_gate(conn: Connection, gate: Gate) -> None:
    """Let nobody else change this gate's versions until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select from gate where facility_no = %s and gate_no = %s for no key update",
            (gate.facility_no, gate.gate_no),
        )


def versions_of(conn: Connection, gate: Gate) -> Versions:
    """Return the versions of a gate's poster, the first first."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_VERSION} where facility_no = %s and gate_no = %s order by version", (gate.facility_no, gate.gate_no)
        )
        return tuple(_version(row) for row in cursor.fetchall())


def standing_of(conn: Connection, facility_no: int) -> dict[int, tuple[str, Version]]:
    """Return the kid and the version that stands at each gate of a facility, by its number."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select gate_no, kid, version, made_at, revoked_at, reason from poster"
            " where facility_no = %s and revoked_at is null",
            (facility_no,),
        )
        return {row[0]: (row[1], _version(row[2:])) for row in cursor.fetchall()}


def put_versions(conn: Connection, gate: Gate, was: Versions, then: Versions, kid: str, by: str) -> None:
    """Store how the versions of a gate changed: what is revoked first, so that at no time two of them stand."""
    key = (gate.facility_no, gate.gate_no)
    with conn.cursor() as cursor:
        for before, after in zip(was, then, strict=False):
            if before != after:
                cursor.execute(
                    "update poster set revoked_at = %s, reason = %s, revoked_by = %s"
                    " where facility_no = %s and gate_no = %s and version = %s",
                    (after.revoked_at, after.reason, by, *key, after.number),
                )
        for new in then[len(was) :]:
            cursor.execute(
                "insert into poster (facility_no, gate_no, version, kid, made_at, made_by)"
                " values (%s, %s, %s, %s, %s, %s)",
                (*key, new.number, kid, new.made_at, by),
            )


def list_zones(conn: Connection, facility_no: int) -> list[Zone]:
    """Return the zones of a facility by name."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select z.zone, z.kind, exists (select from gate g where g.facility_no = z.facility_no and g.zone = z.zone)"
            " from zone z where z.facility_no = %s order by z.zone",
            (facility_no,),
        )
        return [Zone(*row) for row in cursor.fetchall()]


def put_zone(conn: Connection, facility_no: int, name: str, kind: str) -> None:
    """Store a zone, or change the kind of the one of that name."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into zone (facility_no, zone, kind) values (%s, %s, %s)"
            " on conflict (facility_no, zone) do update set kind = excluded.kind",
            (facility_no, name, kind),
        )


def remove_zone(conn: Connection, facility_no: int, name: str) -> None:
    """Remove a zone.

    Raises:
        Conflict: a gate is its own, or was.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute("delete from zone where facility_no = %s and zone = %s", (facility_no, name))
        except errors.ForeignKeyViolation as error:
            raise Conflict("a gate belongs to this zone") from error


def _gate(row: Sequence[Any]) -> Gate:
    values = dict(zip(Gate.__struct_fields__, row, strict=True))
    return Gate(**values | {"kind": Kind(values["kind"])})


def _version(row: Sequence[Any]) -> Version:
    return Version(number=row[0], made_at=row[1], revoked_at=row[2], reason=row[3])
