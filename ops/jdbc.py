"""PostgreSQL's JDBC driver for Spark: the one of the lock, fetched once into the user's cache, its SHA-256 checked."""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ops.embedded.jars import fetch_jar
from ops.secrets import read_secret
from schemas.settings import Settings
from tracing.bulk.sources import Jdbc, jdbc_url

COORDINATE: Final = "org.postgresql:postgresql:42.7.14"
SHA256: Final = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"
HINT: Final = "name one of yours with --jdbc-jar"


def fetch_driver(say: Callable[[str], None]) -> Path:
    """Return the driver's jar.

    Raises:
        Unavailable: it is not in the cache and cannot be downloaded.
    """
    return fetch_jar(COORDINATE, SHA256, say, HINT)


def jdbc_of(settings: Settings, role: str) -> Jdbc:
    """Return how Spark reaches the database as a role; the password comes from its file, never from an argument."""
    address = urlsplit(settings.database)
    return Jdbc(
        jdbc_url(address.hostname or "", address.port or 5432, address.path.lstrip("/"), settings.database_ca),
        role,
        read_secret(settings, "database", role),
    )
