"""Connections to PostgreSQL for the operator's commands, and what only a superuser may do: roles and databases.

The only file in ops that knows psycopg2.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

import tracing.store
from ops.secrets import ensure_secret
from schemas.errors import InvalidSettings
from schemas.settings import Settings
from schemas.topics import SERVICES
from tracing.store import Connection, Cursor

SUPERUSER = "postgres"
OWNER = "jejak_owner"
OPERATOR = "jejak_ops"
RETENTION = "jejak_retention"
SERVICE_ROLES = (*(f"jejak_{service}" for service in SERVICES), OPERATOR, RETENTION)
SERVER_LOCK = 0x4A454A414C  # any number; of the database `postgres`, where everyone who takes it is connected
TEMPORARY_ROLES = ("jejak_visits", "jejak_traces")  # they stage new records in a temporary table


def connect(settings: Settings, role: str, *, database: str = "") -> Connection:
    """Open a connection as `role` with the password from its file; to `database` instead of the settings' one.

    Raises:
        InvalidSettings: the address or the password file is unusable, or the network between is not private.
        Unavailable: the server does not answer or refuses.
    """
    host, port, name = _address(settings)
    return tracing.store.connect(settings, role, database=f"postgresql://{host}:{port}/{database or name}")


@contextmanager
def autocommit(settings: Settings, role: str, *, database: str = "") -> Iterator[Connection]:
    """Open a connection for statements that take no transaction; closed at the end."""
    connection = connect(settings, role, database=database)
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(settings: Settings, role: str) -> Iterator[Connection]:
    """Open a connection for one transaction: committed at the end, rolled back by an exception, closed either way."""
    connection = connect(settings, role)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def make_roles(settings: Settings) -> None:
    """Make the owner role and one role per service, or give them the passwords of their files again.

    The server is sent the salted hash only, so that no log of its can hold a password.
    """
    with autocommit(settings, SUPERUSER, database="postgres") as connection, connection.cursor() as cursor:
        _one_at_a_time(cursor)
        for role in (OWNER, *SERVICE_ROLES):
            password = ensure_secret(settings, "database", role)
            hashed = encrypt_password(password, role, connection, "scram-sha-256")
            cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
            verb = "alter" if cursor.fetchone() else "create"
            cursor.execute(
                sql.SQL(
                    "{} role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password {}"
                ).format(sql.SQL(verb), sql.Identifier(role), sql.Literal(hashed))
            )


def make_database(settings: Settings, name: str = "", *, template: str = "template0") -> None:
    """Make the settings' database (or `name`) if it is not there, owned by the owner role, closed to everybody else.

    A copy of a `template` keeps its tables and their grants; who may connect is not copied and granted anew here.
    """
    name = name or _address(settings)[2]
    with autocommit(settings, SUPERUSER, database="postgres") as connection, connection.cursor() as cursor:
        _one_at_a_time(cursor)
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("create database {} owner {} template {}").format(
                    sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
                )
            )
        for other in (name, "postgres", "template1"):
            cursor.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(other)))
        for rights, roles in (("connect", SERVICE_ROLES), ("temporary", TEMPORARY_ROLES)):
            cursor.execute(
                sql.SQL("grant {} on database {} to {}").format(
                    sql.SQL(rights), sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, roles))
                )
            )


def drop_database(settings: Settings, name: str) -> None:
    """Remove a database, ending its sessions."""
    with autocommit(settings, SUPERUSER, database="postgres") as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def fix_partitions(settings: Settings) -> int:
    """Write N down if this installation has none yet; return the N it was made with."""
    with transaction(settings, OWNER) as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into installation (name, value) values ('partitions', %s) on conflict do nothing",
            (str(settings.partitions),),
        )
        return tracing.store.read_partitions(cursor)


def stored_partitions(settings: Settings) -> int:
    """Return the N this installation was made with; 0 when it has none yet."""
    with transaction(settings, OPERATOR) as connection, connection.cursor() as cursor:
        return tracing.store.read_partitions(cursor)


def areas_of_facilities(settings: Settings) -> list[str]:
    """Return the districts in which the registered facilities are, and their provinces, as codes."""
    with transaction(settings, OPERATOR) as connection, connection.cursor() as cursor:
        cursor.execute("select distinct district from facility")
        districts = [str(row[0]) for row in cursor.fetchall()]
    return sorted({*districts, *(district.partition(".")[0] for district in districts)})


def server_version(settings: Settings, role: str = OPERATOR) -> str:
    """Return the database as it names itself, e.g. `PostgreSQL 18.6`."""
    with autocommit(settings, role) as connection, connection.cursor() as cursor:
        cursor.execute("select split_part(version(), ' on ', 1)")
        row = cursor.fetchone()
        assert row is not None
        return str(row[0])


def _address(settings: Settings) -> tuple[str, int, str]:
    address = urlsplit(settings.database)
    name = address.path.strip("/")
    try:
        port = address.port or 5432
    except ValueError as error:
        raise InvalidSettings("the port is no number", field="JEJAK_DATABASE") from error
    if address.scheme != "postgresql" or not address.hostname or not name or address.username or address.password:
        raise InvalidSettings("must be postgresql://host:port/name, without user or password", field="JEJAK_DATABASE")
    return address.hostname, port, name


def _one_at_a_time(cursor: Cursor) -> None:
    """Wait until no other session makes roles or databases: PostgreSQL refuses two that change one row of its own."""
    cursor.execute("select pg_advisory_lock(%s)", (SERVER_LOCK,))
