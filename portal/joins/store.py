"""The records of joined ids as rows. Whoever holds the connection commits."""

from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg2.errors

from portal.store import Connection
from schemas.errors import Conflict


class Join(msgspec.Struct, frozen=True):
    """That two ids are one human, as asked for, approved, and perhaps undone."""

    join_id: int
    person_a: str  # 32 hex digits
    person_b: str
    asked_by: str
    reason: str
    asked_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    undo_asked_by: str | None
    undo_reason: str | None
    undo_asked_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None

    @property
    def state(self) -> str:
        """How far it is: asked, joined, undo asked, undone."""
        if self.undone_at:
            return "undone"
        if self.undo_asked_at:
            return "undo asked"
        return "joined" if self.approved_at else "asked"


_COLUMNS: Final = ", ".join(
    f"replace({name}::text, '-', '')" if name.startswith("person_") else name for name in Join.__struct_fields__
)


def add(conn: Connection, one: str, other: str, *, who: str, reason: str) -> int:
    """Record that somebody asks for two ids to be joined.

    Raises:
        Conflict: they are joined, or somebody asked for it already.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute(
                "insert into person_join (person_a, person_b, asked_by, reason)"
                " values (least(%(a)s::uuid, %(b)s::uuid), greatest(%(a)s::uuid, %(b)s::uuid), %(who)s, %(reason)s)"
                " returning join_id",
                {"a": one, "b": other, "who": who, "reason": reason},
            )
        except psycopg2.errors.UniqueViolation as error:
            raise Conflict("these two are joined, or somebody asked for it: `jejak vault joins`") from error
        row: tuple[int] | None = cursor.fetchone()
        assert row is not None
        return row[0]


def standing(conn: Connection, one: str, other: str) -> Join | None:
    """Return the record about these two that is not undone; locked."""
    where = "least(%s::uuid, %s::uuid) = person_a and greatest(%s::uuid, %s::uuid) = person_b and undone_at is null"
    return next(iter(_joins(conn, f"where {where} for update", one, other, one, other)), None)


def find(conn: Connection, join_id: int) -> Join | None:
    """Return a record; locked."""
    return next(iter(_joins(conn, "where join_id = %s for update", join_id)), None)


def every(conn: Connection) -> list[Join]:
    """Return all records, the eldest first."""
    return _joins(conn, "order by join_id")


def of_person(conn: Connection, person: str) -> list[Join]:
    """Return all records about a person, undone ones too."""
    return _joins(conn, "where %s::uuid in (person_a, person_b) order by join_id", person)


def set_approved(conn: Connection, join_id: int, who: str) -> None:
    """Record who approved a join."""
    _set(conn, "approved_by = %s, approved_at = clock_timestamp()", who, join_id)


def set_undo_asked(conn: Connection, join_id: int, who: str, reason: str) -> None:
    """Record who asks for a join to be undone."""
    _set(conn, "undo_asked_by = %s, undo_reason = %s, undo_asked_at = clock_timestamp()", who, reason, join_id)


def set_undone(conn: Connection, join_id: int, who: str) -> None:
    """Record who undid a join."""
    _set(conn, "undone_by = %s, undone_at = clock_timestamp()", who, join_id)


def run_again(conn: Connection, join_id: int) -> int:
    """Mark the traces that a join, or its undoing, touches; return how many. The standing worker runs them."""
    with conn.cursor() as cursor:
        cursor.execute("select run_again_for_join(%s)", (join_id,))
        row: tuple[int] | None = cursor.fetchone()
        assert row is not None
        return row[0]


def _set(conn: Connection, changes: str, *values: Any) -> None:  # noqa: ANN401 — values of any column
    with conn.cursor() as cursor:
        cursor.execute(f"update person_join set {changes} where join_id = %s", values)  # noqa: S608 — our own columns


def _joins(conn: Connection, rest: str, *values: Any) -> list[Join]:  # noqa: ANN401 — values of any column
    with conn.cursor() as cursor:
        cursor.execute(f"select {_COLUMNS} from person_join {rest}", values)  # noqa: S608 — our own columns
        return [Join(*row) for row in cursor.fetchall()]
