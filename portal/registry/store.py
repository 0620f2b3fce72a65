"""The registry's SQL: certificates only by the vault's functions, and each facility's rule. The caller commits."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from portal.registry.colours import MIDDLE, Action
from portal.registry.records import Record
from portal.store import Connection
from portal.vault.store import Sealed

Outcome: TypeAlias = Literal["new", "changed", "known", "withdrawn"]
Source: TypeAlias = Literal["csv", "fhir"]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a look-up brings out: of nobody it is all empty."""

    key: Sealed | None = None  # wrapped, of the id it is kept under: the one asked for, or another of the same human
    holder: bytes = b""  # sealed with it; empty: nobody said who he is
    doses: tuple[tuple[int, date], ...] = ()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """All of a person's certificate and doses, withdrawn ones too."""

    holder: bytes
    doses: list[dict[str, Any]]


def put_holders(conn: Connection, rows: Mapping[str, tuple[bytes, bytes, datetime]]) -> None:
    """Store who holds certificates, sealed, with the mark and the version of each, by person."""
    persons = sorted(rows)
    sealed, marks, dates = zip(*(rows[person] for person in persons), strict=True)
    with conn.cursor() as cursor:
        cursor.execute(
            "select vault.put_certificates(%s::uuid[], %s::bytea[], %s::bytea[], %s::timestamptz[])",
            (persons, list(sealed), list(marks), list(dates)),
        )


def put_doses(
    conn: Connection, who: str, source: Source, rows: Mapping[tuple[str, str], Record]
) -> dict[tuple[str, str], Outcome]:
    """Store doses by person and record; return what each was."""
    values = [
        (person, record, one.dose, one.vaccine, one.given_on, one.place, one.lot, one.withdrawn, one.as_of)
        for (person, record), one in rows.items()
    ]
    with conn.cursor() as cursor:
        cursor.execute(
            "select * from vault.put_doses(%s, %s, %s::uuid[], %s::text[], %s::smallint[], %s::text[], %s::date[],"
            " %s::text[], %s::text[], %s::boolean[], %s::timestamptz[])",
            (who, source, *map(list, zip(*values, strict=True))),
        )
        return {(person, record): outcome for person, record, outcome in cursor.fetchall()}


def ask(conn: Connection, who: str, what: str, person: str | None) -> int:
    """Write a look-up to the audit, also of nobody; return its ticket, good once that is committed."""
    return int(_row(conn, "select vault.ask_certificate(%s, %s, %s::uuid)", who, what, person)[0])


def certificate(conn: Connection, ticket: int, person: str | None) -> Certificate:
    """Return what a ticket was given for; it is used up."""
    kept, sealed, wrapped, version, doses = _row(conn, "select * from vault.certificate(%s, %s::uuid)", ticket, person)
    key = Sealed(kept, "", b"", bytes(wrapped), version) if kept else None
    return Certificate(
        key=key,
        holder=bytes(sealed or b""),
        doses=tuple((int(dose), date.fromisoformat(day)) for dose, day in doses),
    )


def own_certificate(conn: Connection, ticket: int, person: str) -> Held:
    """Return all that is held of a person who asked for it; the ticket is that of his identity."""
    with conn.cursor() as cursor:
        cursor.execute("select * from vault.own_certificate(%s, %s::uuid)", (ticket, person))
        names = [column.name for column in cursor.description or ()][1:]
        rows = cursor.fetchall()
    return Held(
        holder=next((bytes(row[0]) for row in rows if row[0]), b""),
        doses=[dict(zip(names, row[1:], strict=True)) for row in rows if row[1] is not None],
    )


def yellow_rule(conn: Connection, facility_id: str) -> Action:
    """Return what a facility does with yellow."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select yellow from door_rule join facility using (facility_no) where facility_id = %s", (facility_id,)
        )
        row = cursor.fetchone()
    return MIDDLE if row is None else Action(row[0])


def set_yellow_rule(conn: Connection, facility_no: int, yellow: Action, by: str) -> None:
    """Change what a facility does with yellow."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into door_rule (facility_no, yellow, changed_by) values (%s, %s, %s) on conflict (facility_no)"
            " do update set yellow = excluded.yellow, changed_by = excluded.changed_by, changed_at = clock_timestamp()",
            (facility_no, yellow.value, by),
        )


class Advice(msgspec.Struct, frozen=True):
    """That the gate of a facility left its infection control team a word about one of its staff."""

    person: str
    at: datetime


def list_advice(conn: Connection, facility_no: int, since: date) -> list[Advice]:
    """Return the words left since a day, the latest first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select replace(person::text, '-', ''), at from staff_advice where facility_no = %s and day >= %s"
            " order by at desc limit 200",
            (facility_no, since),
        )
        return [Advice(*row) for row in cursor.fetchall()]


def is_staff(conn: Connection, facility_id: str, person: str | None) -> bool:
    """Say whether somebody has come to a facility as its staff before."""
    found = _row(
        conn,
        "select exists (select from every_visit v where v.person = %s::uuid and v.role = 'staff' and v.key >> 3 ="
        " (select facility_no from facility where facility_id = %s))",
        person,
        facility_id,
    )
    return bool(found[0])


def advise_team(conn: Connection, facility_id: str, person: str, at: datetime) -> None:
    """Leave the infection control team of a facility a word about one of its staff, once a day."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into staff_advice (facility_no, person, day, at) select facility_no, %s::uuid, %s, %s from facility"
            " where facility_id = %s on conflict do nothing",
            (person, at.date(), at, facility_id),
        )


def _row(conn: Connection, sql: str, *values: object) -> tuple[Any, ...]:
    with conn.cursor() as cursor:
        cursor.execute(sql, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
