"""Where the horizon of the scans is stored."""

from datetime import datetime

from portal.store import Connection
from schemas.topics import SCAN


def read_horizon(conn: Connection) -> datetime | None:
    """Return the latest horizon of any partition; None where nothing has gone yet."""
    with conn.cursor() as cursor:
        cursor.execute("select max(horizon) from position where topic = %s", (SCAN.name,))
        row = cursor.fetchone()
    assert row is not None
    found: datetime | None = row[0]
    return found
