"""SQL of applications and places. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg2 import errors

from portal.registration.duplicates import Known
from portal.registration.fields import NAMES, Applied
from portal.registration.states import Action, State
from portal.store import Connection
from schemas.errors import Conflict


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application as it stands."""

    application_id: str
    reference: str
    state: State
    made_at: datetime
    changed_at: datetime
    facility_id: str | None
    applied: Applied


class Step(msgspec.Struct, frozen=True):
    """What somebody did to it."""

    action: Action
    by: str
    words: str
    at: datetime


_FIELDS: Final = ", ".join(NAMES)
_APPLICATION: Final = (
    f"select a.application_id::text, a.reference, a.state, a.made_at, a.changed_at, f.facility_id,"  # noqa: S608 — constants
    f" {', '.join('a.' + name for name in NAMES)} from application a left join facility f using (facility_no)"
)


def add_application(conn: Connection, reference: str, applied: Applied) -> str:
    """Store a new application; return its id."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"insert into application (reference, state, licence_key, time_zone, {_FIELDS})"  # noqa: S608 — our own column names
            f" values (%s, 'submitted', %s, %s{', %s' * len(NAMES)}) returning application_id::text",
            (reference, applied.licence_key, applied.time_zone, *msgspec.structs.astuple(applied)),
        )
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def change_application(conn: Connection, application_id: str, applied: Applied) -> None:
    """Store what an applicant corrected."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"update application set licence_key = %s, time_zone = %s, {', '.join(f'{name} = %s' for name in NAMES)}"  # noqa: S608 — our own column names
            " where application_id = %s",
            (applied.licence_key, applied.time_zone, *msgspec.structs.astuple(applied), application_id),
        )


def move(conn: Connection, application_id: str, was: State, then: State, at: datetime, facility_no: int | None) -> None:
    """Change the state.

    Raises:
        Conflict: somebody else was first.
    """
    with conn.cursor() as cursor:
        cursor.execute(
            "update application set state = %s, changed_at = %s, facility_no = %s"
            " where application_id = %s and state = %s",
            (then, at, facility_no, application_id, was),
        )
        if cursor.rowcount != 1:
            raise Conflict("somebody else was first: look again")


def add_step(conn: Connection, application_id: str, action: Action, by: str, words: str, at: datetime) -> None:
    """Record what was done."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into application_step (application_id, action, by, words, at) values (%s, %s, %s, %s, %s)",
            (application_id, action, by, words, at),
        )


def find_application(conn: Connection, reference: str) -> Application | None:
    """Return the application of a reference."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_APPLICATION} where a.reference = %s", (reference,))
        row = cursor.fetchone()
    return None if row is None else _application(row)


def list_applications(conn: Connection, state: State, limit: int) -> list[Application]:
    """Return the applications in a state: those that wait longest first, of those that are decided the latest."""
    order = "a.changed_at" if state in {"submitted", "asked_back"} else "a.changed_at desc"
    with conn.cursor() as cursor:
        cursor.execute(f"{_APPLICATION} where a.state = %s order by {order}, a.reference limit %s", (state, limit))
        return [_application(row) for row in cursor.fetchall()]


def count_applications(conn: Connection) -> dict[str, int]:
    """Return how many applications there are in each state."""
    with conn.cursor() as cursor:
        cursor.execute("select state, count(*) from application group by state")
        return dict(cursor.fetchall())


def steps_of(conn: Connection, application_id: str) -> list[Step]:
    """Return what was done to an application, the first first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select action, by, words, at from application_step where application_id = %s order by step_id",
            (application_id,),
        )
        return [Step(*row) for row in cursor.fetchall()]


def is_licence_known(conn: Connection, licence_key: str, own: str) -> bool:
    """Say whether a facility or another open application has this licence; nobody else takes it until this commits."""
    with conn.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 6))", (licence_key,))
        cursor.execute(
            "select exists (select from place where licence_key = %(licence)s) or exists (select from application where"
            " licence_key = %(licence)s and state in ('submitted', 'asked_back') and reference <> %(own)s)",
            {"licence": licence_key, "own": own},
        )
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])


def neighbours(conn: Connection, applied: Applied) -> list[Known]:
    """Return facilities, and applications not rejected, that may be the same as this: same licence, or nearby."""
    near = {
        "licence": applied.licence_key,
        "region": applied.sub_district,
        "lat": applied.latitude,
        "lon": applied.longitude,
        "by": 0.01,  # degrees: more than a kilometre
    }
    where = (
        "licence_key = %(licence)s or sub_district = %(region)s or (latitude between %(lat)s - %(by)s and"
        " %(lat)s + %(by)s and longitude between %(lon)s - %(by)s and %(lon)s + %(by)s)"
    )
    with conn.cursor() as cursor:
        cursor.execute(
            "select f.facility_id, f.name, p.licence_key, p.sub_district, p.latitude, p.longitude, true"  # noqa: S608 — constants
            f" from place p join facility f using (facility_no) where {where}"
            " union all select reference, name, licence_key, sub_district, latitude, longitude, false"
            f" from application where state in ('submitted', 'asked_back') and ({where})",
            near,
        )
        return [Known(*row) for row in cursor.fetchall()]


def new_facility_id(conn: Connection, district: str) -> str:
    """Return the next id of a district's facilities: F, the district's digits, a number; none is given twice."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into facility_number as n (district, last) values (%s, 1)"
            " on conflict (district) do update set last = n.last + 1 returning last",
            (district,),
        )
        row = cursor.fetchone()
    assert row is not None
    return f"F{district.replace('.', '')}{row[0]:05d}"


def add_facility(conn: Connection, facility_id: str, application: Application, by: str) -> int:
    """Store a facility and its place; return its number.

    Raises:
        Conflict: a facility has this licence already.
    """
    applied = application.applied
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into facility (facility_id, name, kind, owner, time_zone, district) values (%s, %s, %s, %s, %s, %s)"
            " returning facility_no",
            (facility_id, applied.name, applied.kind, applied.owner, applied.time_zone, applied.sub_district[:5]),
        )
        row = cursor.fetchone()
        assert row is not None
        try:
            cursor.execute(
                "insert into place (facility_no, licence, licence_key, address, sub_district, latitude, longitude,"
                " responsible, email, phone, capacity, opening_hours, verified_by)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    row[0],
                    applied.licence,
                    applied.licence_key,
                    applied.address,
                    applied.sub_district,
                    applied.latitude,
                    applied.longitude,
                    applied.responsible,
                    applied.email,
                    applied.phone,
                    applied.capacity,
                    applied.opening_hours,
                    by,
                ),
            )
        except errors.UniqueViolation as error:
            raise Conflict("a facility has this licence already") from error
    return int(row[0])


def _application(row: Sequence[Any]) -> Application:
    return Application(
        application_id=row[0],
        reference=row[1],
        state=row[2],
        made_at=row[3],
        changed_at=row[4],
        facility_id=row[5],
        applied=Applied(**dict(zip(NAMES, row[6:], strict=True))),
    )
