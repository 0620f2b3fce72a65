"""Bringing the database to the newest tables: roles, database, then the `.sql` files of schemas in their order.

Alembic keeps the count; the tables are written in SQL, in `schemas/sql`, so that what a review reads is what runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import schemas
from ops.secrets import has_secret
from ops.store import OWNER, SUPERUSER, connect, make_database, make_roles
from schemas.settings import Settings

SQL = Path(schemas.__file__).parent / "sql"
SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x4A454A414B  # any number; the same in every version, so that two migrations never run at once


def migrate(settings: Settings) -> list[str]:
    """Make roles, database and tables, or bring them to the newest; return the names of the files that were run.

    Where the superuser's password file is missing (a server of yours, prepared by you), roles and database must be
    there already and only the tables are made.
    """
    if has_secret(settings, "database", SUPERUSER):
        make_roles(settings)
        make_database(settings)
    with _owner_connection(settings) as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
        before = _revision(connection)
        connection.commit()  # alembic commits only the transactions that it begins itself
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return _names_since(before)


def current_revision(settings: Settings) -> str:
    """Return the revision the database is at; empty when it has no tables yet."""
    with _owner_connection(settings) as connection:
        return _revision(connection)


def newest_revision() -> str:
    """Return the revision this version of the program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def run_sql(name: str) -> None:
    """Run one file of `schemas/sql`; what the scripts in `ops/migrations/versions` call."""
    # The driver's own cursor: SQLAlchemy would hand on parameters, and the driver then reads % in the SQL.
    cursor = op.get_bind().connection.cursor()
    cursor.execute((SQL / name).read_text())
    cursor.close()


@contextmanager
def _owner_connection(settings: Settings) -> Iterator[Connection]:
    engine = create_engine("postgresql+psycopg2://", creator=lambda: connect(settings, OWNER), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _names_since(before: str) -> list[str]:
    scripts = ScriptDirectory.from_config(_config())
    newer = [script for script in scripts.walk_revisions() if not before or script.revision > before]
    return [Path(script.path).stem.removeprefix("r") for script in reversed(newer)]
