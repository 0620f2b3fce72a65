"""Scans, visits and counts in PostgreSQL. Takes a connection; the one who opened it commits.

`connect` is the one way to a database of ours: a service role, its password from a file, never from argv.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 — psycopg2 names its class in lower case

from schemas.errors import InvalidSettings, Unavailable
from schemas.settings import Settings


def connect(settings: Settings, role: str, *, database: str = "") -> Connection:
    """Return a new connection as database role `role` (e.g. `jejak_gate`), not in autocommit.

    Raises:
        Unavailable: the server does not answer, or refuses the role.
        InvalidSettings: no address is set, or its password file is missing.
    """
    address = urlsplit(database or settings.database)
    if not address.hostname:
        raise InvalidSettings("is not set", field="JEJAK_DATABASE")
    try:
        password = settings.secret_file("database", role).read_text().strip()
    except OSError as error:
        raise InvalidSettings(f"has no readable password file for {role}", field="JEJAK_SECRETS") from error
    tls: dict[str, Any] = (
        {"sslmode": "verify-full", "sslrootcert": str(Path(settings.database_ca))} if settings.database_ca else {}
    )
    try:
        opened: Connection = psycopg2.connect(
            host=address.hostname,
            port=address.port or 5432,
            dbname=address.path.lstrip("/"),
            user=role,
            password=password,
            connect_timeout=10,
            application_name=role,
            options="-c timezone=UTC",
            **tls,
        )
    except psycopg2.OperationalError as error:
        raise Unavailable("the database does not answer") from error
    return opened
