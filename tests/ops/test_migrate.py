"""Migrations: every SQL file is run once, in order, by the owner; services own nothing."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ops.embedded import Servers
from ops.migrate import SQL, current_revision, migrate, newest_revision
from ops.store import OWNER, SERVICE_ROLES, SUPERUSER, autocommit, drop_database, make_database, transaction
from schemas.settings import Settings

FILES = sorted(path.stem for path in SQL.glob("*.sql"))


@pytest.fixture
def empty(servers: Servers) -> Settings:
    drop_database(servers.settings, "jejak_empty")
    make_database(servers.settings, "jejak_empty")
    address = servers.settings.database.rpartition("/")[0]
    return msgspec.structs.replace(servers.settings, database=f"{address}/jejak_empty")


def test_an_empty_database_gets_every_file_once(empty: Settings) -> None:
    assert current_revision(empty) == ""
    assert migrate(empty) == FILES
    assert migrate(empty) == []
    assert current_revision(empty) == newest_revision() == FILES[-1].partition("_")[0]


def test_two_migrations_at_once_do_the_work_once(empty: Settings) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(empty))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], FILES]


def test_every_sql_file_has_a_script() -> None:
    scripts = {path.stem.removeprefix("r") for path in Path("ops/migrations/versions").glob("r*.py")}
    assert scripts == set(FILES)


def test_services_own_nothing_and_may_make_nothing(fresh_database: Callable[[], Settings]) -> None:
    with transaction(fresh_database(), OWNER) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct pg_get_userbyid(relowner) from pg_class"
            " where relnamespace in ('public'::regnamespace, 'vault'::regnamespace)"
        )
        assert {row[0] for row in cursor.fetchall()} == {OWNER}
        cursor.execute("select rolname from pg_roles where rolsuper or rolcreaterole or rolcreatedb or rolbypassrls")
        assert {row[0] for row in cursor.fetchall()} == {SUPERUSER}
        for role in SERVICE_ROLES:
            cursor.execute("select has_schema_privilege(%s, 'public', 'create')", (role,))
            assert cursor.fetchone() == (False,)


def test_passwords_are_kept_as_scram_hashes(servers: Servers) -> None:
    with autocommit(servers.settings, SUPERUSER, database="postgres") as connection, connection.cursor() as cursor:
        cursor.execute("select rolname from pg_authid where rolpassword like 'SCRAM-SHA-256$%'")
        assert {row[0] for row in cursor.fetchall()} == {SUPERUSER, OWNER, *SERVICE_ROLES}


def test_a_service_that_stages_records_may_make_temporary_tables_and_others_may_not(
    fresh_database: Callable[[], Settings],
) -> None:
    with transaction(fresh_database(), OWNER) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select r from unnest(%s) r where has_database_privilege(r, current_database(), 'temporary')",
            (list(SERVICE_ROLES),),
        )
        assert {row[0] for row in cursor.fetchall()} == {"jejak_visits", "jejak_traces"}
