"""The vault's SQL: only calls of its functions, for no role of ours reads its tables.

Whoever holds the connection commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from portal.store import Connection, Cursor

Purpose: TypeAlias = Literal["index", "master"]


class KeyState(msgspec.Struct, frozen=True):
    """A key that the vault knows of; `proof` says whether a file holds it."""

    purpose: Purpose
    version: int
    proof: bytes
    state: str  # coming, current, going


class Versions(msgspec.Struct, frozen=True):
    """Which keys are in use."""

    index: int
    master: int


class NewPerson(msgspec.Struct, frozen=True):
    """A person as the vault keeps it: nothing of it can be read without the keys outside the database."""

    digest: bytes
    person: str  # 32 hex digits
    kind: str
    sealed: bytes
    wrapped_key: bytes


class Sealed(msgspec.Struct, frozen=True):
    """A stored person, to be opened with the master key of its version."""

    person: str
    kind: str
    sealed: bytes
    wrapped_key: bytes
    key_version: int


class Erasure(msgspec.Struct, frozen=True):
    """What is recorded of an erasure; `left_over` counts what the vault still holds of the person."""

    erasure_id: str
    asked_by: str
    asked_at: datetime
    due_at: datetime
    done_at: datetime | None
    reason: str
    left_over: int
    audit_id: int | None
    audit_hash: bytes | None


def state(conn: Connection) -> tuple[Versions | None, int]:
    """Return the keys in use, None while there are none, and how many persons were erased."""
    index, master, erased = _row(conn, "select * from vault.state()")
    return (Versions(index, master) if index and master else None), erased


def keys(conn: Connection) -> list[KeyState]:
    """Return the keys that are not retired."""
    rows = _rows(conn, "select * from vault.keys()")
    return [KeyState(purpose, version, bytes(proof), at) for purpose, version, proof, at in rows]


def register(conn: Connection, purpose: Purpose, proof: bytes) -> None:
    """Write down the first key; once there is one, nothing."""
    _row(conn, "select vault.register(%s, %s)", purpose, proof)


def sample(conn: Connection) -> NewPerson | None:
    """Return any one person of a vault whose keys are not written down yet."""
    rows = _rows(conn, "select * from vault.sample()")
    return next((NewPerson(bytes(row[0]), row[1], row[2], bytes(row[3]), bytes(row[4])) for row in rows), None)


def find(conn: Connection, versions: Versions, digests: Sequence[bytes]) -> dict[bytes, tuple[str, str]] | None:
    """Return person id and district of residence (or '') by digest, for those that are known.

    None: the keys are not those in use any more. Until the transaction ends they cannot change.
    """
    sql = "select * from vault.find(%s, %s, %s::bytea[])"
    rows = _rows(conn, sql, versions.index, versions.master, list(digests))
    if rows and rows[0][0] is None:
        return None
    return {bytes(digest): (person, district) for digest, person, district in rows}


def add(conn: Connection, versions: Versions, persons: Sequence[NewPerson]) -> None:
    """Add persons whose digest is not there yet; where another transaction was first, its person stays.

    In the order of their digests: two gates that add the same persons then wait instead of dead-locking.
    """
    columns = list(zip(*(msgspec.structs.astuple(one) for one in persons), strict=True))
    sql = "select vault.add(%s, %s, %s::bytea[], %s::uuid[], %s::text[], %s::bytea[], %s::bytea[])"
    _row(conn, sql, versions.index, versions.master, *map(list, columns))


def ids_of(conn: Connection, person: str) -> list[str]:
    """Return every id of one human, the one asked for first."""
    sql = "select replace(i::text, '-', '') from unnest(vault.ids_of(%s::uuid)) i order by i <> %s::uuid, i"
    return [str(one) for (one,) in _rows(conn, sql, person, person)]


def ask(conn: Connection, who: str, purpose: str, person: str | None, reason: str) -> int:
    """Write to the audit who is to see what; return the ticket, good once this transaction is committed."""
    return int(_row(conn, "select vault.ask(%s, %s, %s::uuid, %s)", who, purpose, person, reason)[0])


def take_out(conn: Connection, ticket: int, person: str) -> Sealed | None:
    """Return one person, sealed; None if the vault does not hold him."""
    return next(iter(_sealed(conn, "select * from vault.open(%s, %s::uuid)", ticket, person)), None)


def own_keys(conn: Connection, persons: Sequence[str]) -> list[Sealed]:
    """Return persons without their sealed values: their own keys, wrapped. Who was erased is not among them."""
    rows = _rows(conn, "select person, wrapped_key, key_version from vault.own_keys(%s::uuid[])", list(persons))
    return [Sealed(person, "", b"", bytes(key), version) for person, key, version in rows]


# Rotating keys


def bring_key(conn: Connection, who: str, key: KeyState) -> None:
    """Write down a key that is to be used."""
    _row(conn, "select vault.bring_key(%s, %s, %s, %s)", who, key.purpose, key.version, key.proof)


def to_index(conn: Connection, ticket: int, version: int, after: str, most: int) -> list[Sealed]:
    """Return persons behind `after` who lack a digest of that key, in the order of their ids."""
    return _sealed(conn, "select * from vault.to_index(%s, %s, %s::uuid, %s)", ticket, version, after, most)


def newcomers(conn: Connection, ticket: int, version: int, most: int) -> list[Sealed]:
    """Return persons who were added while the key was coming and still lack its digest."""
    return _sealed(conn, "select * from vault.newcomers(%s, %s, %s)", ticket, version, most)


def put_index(conn: Connection, ticket: int, version: int, digests: Sequence[tuple[bytes, str]]) -> None:
    """Store digests of the coming key, each with its person."""
    ones, persons = [digest for digest, _ in digests], [person for _, person in digests]
    _row(conn, "select vault.put_index(%s, %s, %s::bytea[], %s::uuid[])", ticket, version, ones, persons)


def hold(conn: Connection, ticket: int, purpose: Purpose) -> None:
    """Let nobody find or add persons until this transaction ends."""
    _row(conn, "select vault.hold(%s, %s)", ticket, purpose)


def switch(conn: Connection, ticket: int, purpose: Purpose, version: int) -> None:
    """Use the coming key from now on."""
    _row(conn, "select vault.switch(%s, %s, %s)", ticket, purpose, version)


def drop_index(conn: Connection, ticket: int, version: int, after: str, most: int) -> str | None:
    """Remove the going key's digests of the persons behind `after`; return the last of these, None at the end."""
    last: Any = _row(conn, "select vault.drop_index(%s, %s, %s::uuid, %s)::text", ticket, version, after, most)[0]
    return str(last) if last else None


def to_wrap(conn: Connection, ticket: int, version: int, after: str, most: int) -> list[Sealed]:
    """Return persons behind `after` whose key is not wrapped by that master key."""
    return _sealed(conn, "select * from vault.to_wrap(%s, %s, %s::uuid, %s)", ticket, version, after, most)


def put_wrap(conn: Connection, ticket: int, version: int, wrapped: Sequence[tuple[str, bytes]]) -> None:
    """Store persons' keys, wrapped by the master key in use."""
    persons, ones = [person for person, _ in wrapped], [one for _, one in wrapped]
    _row(conn, "select vault.put_wrap(%s, %s, %s::uuid[], %s::bytea[])", ticket, version, persons, ones)


def retire(conn: Connection, who: str, ticket: int, purpose: Purpose, version: int) -> None:
    """Write down that a key is not needed any more."""
    _row(conn, "select vault.retire(%s, %s, %s, %s)", who, ticket, purpose, version)


# Erasing


def erase_due(conn: Connection) -> int:
    """Carry out the erasures whose date has come; return how many."""
    return int(_row(conn, "select vault.erase_due()")[0])


def erase(conn: Connection, who: str, person: str, reason: str) -> str | None:
    """Record that a person is to be erased, and do it at once if nothing has to be kept; return the erasure's id.

    Each other id of the same human is erased with him, by an erasure of its own. None: another request was faster.
    """
    asked: str | None = _row(conn, "select vault.erase(%s, %s::uuid, %s)::text", who, person, reason)[0]
    return asked


def erasure_of(conn: Connection, erasure_id: str) -> Erasure | None:
    """Return what is recorded of an erasure."""
    rows = _rows(conn, "select * from vault.erasure_of(%s::uuid)", erasure_id)
    for row in rows:
        values: list[Any] = [str(row[0]), *row[1:-1], bytes(row[-1]) if row[-1] else None]
        return Erasure(*values)
    return None


def erasures_beside(conn: Connection, erasure_id: str) -> list[Erasure]:
    """Return the erasures of other ids of the same human."""
    sql = "select erasure_id::text from vault.erasures_beside(%s::uuid) as b (erasure_id)"
    found = [erasure_of(conn, other) for (other,) in _rows(conn, sql, erasure_id)]
    return [one for one in found if one is not None]


def was_erased(conn: Connection, person: str) -> bool:
    """Say whether an id is what an erasure left."""
    return bool(_row(conn, "select vault.was_erased(%s::uuid)", person)[0])


def erasures_waiting(conn: Connection, person: str) -> list[Erasure]:
    """Return the erasures that were recorded for a person and are still to be carried out: one at most."""
    sql = "select erasure_id::text from vault.erasures_waiting(%s::uuid) as w (erasure_id)"
    found = [erasure_of(conn, erasure_id) for (erasure_id,) in _rows(conn, sql, person)]
    return [one for one in found if one is not None]


def _sealed(conn: Connection, sql: str, *values: object) -> list[Sealed]:
    rows = _rows(conn, sql, *values)
    return [Sealed(person, kind, bytes(sealed), bytes(key), version) for person, kind, sealed, key, version in rows]


def _rows(conn: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def _row(conn: Connection, sql: str, *values: object) -> tuple[Any, ...]:
    cursor: Cursor
    with conn.cursor() as cursor:
        cursor.execute(sql, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        assert row is not None
        return row
