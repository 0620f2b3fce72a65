"""Where Spark reads visits from: the archive's Parquet, or PostgreSQL over JDBC, week by week. Both give one frame.

Its columns are those of `archive.SCHEMA`. Over JDBC each week is a query of its own, so it is no snapshot: visits that
are stored meanwhile may be in one week and not yet in another. An archive is one.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from schemas.errors import BadInput
from tracing.bulk.archive import VISITS
from tracing.bulk.store import visits_sql
from tracing.instants import utc_of
from tracing.windows import Window

DRIVER: Final = "org.postgresql.Driver"
FETCH: Final = 50_000


class Jdbc(NamedTuple):
    """How Spark reaches PostgreSQL; its text holds no password."""

    url: str
    user: str
    password: str

    def __repr__(self) -> str:
        """Return where and as whom."""
        return f"Jdbc({self.url!r}, {self.user!r})"


def jdbc_url(host: str, port: int, name: str, ca: str = "") -> str:
    """Return the address as the driver wants it; with a CA file the server's name is checked too."""
    tls = {"sslmode": "verify-full", "sslrootcert": ca} if ca else {}
    return f"jdbc:postgresql://{host}:{port}/{name}?{urlencode({'ApplicationName': 'jejak-bulk', **tls})}"


def of_archive(session: Any, folder: str) -> Any:  # noqa: ANN401 — Spark's own
    """Return the visits of an archive; `folder` may be any address that Spark reads.

    Raises:
        BadInput: there are none.
    """
    from pyspark.errors import AnalysisException

    try:
        return session.read.parquet(f"{folder.rstrip('/')}/week=*/{VISITS}")
    except AnalysisException as error:
        raise BadInput("holds no archive of visits", field="--archive") from error


def of_database(session: Any, jdbc: Jdbc, mondays: Iterable[date], touching: Window) -> Any:  # noqa: ANN401 — Spark's own
    """Return the visits of these weeks of check-ins that touch a span of time, one task a week.

    Args:
        session: Spark's, with the driver on its class path.
        jdbc: the database.
        mondays: of the weeks that hold visits.
        touching: visits wholly before or after it are left where they are.
    """
    start, end = (utc_of(at).isoformat() for at in touching)
    parts = [
        f"at >= '{monday}T00:00Z' and at < '{monday + timedelta(days=7)}T00:00Z'"
        f" and at < '{end}' and until >= '{start}'"
        for monday in mondays
        if f"{monday}" <= end[:10]
    ]
    properties = {
        "driver": DRIVER,
        "user": jdbc.user,
        "password": jdbc.password,
        "fetchsize": str(FETCH),
        "sessionInitStatement": "set default_transaction_read_only = on; set timezone = 'UTC'",
    }
    frame = session.read.jdbc(
        jdbc.url, f"({visits_sql()}) visits", predicates=parts or ["false"], properties=properties
    )
    return frame.drop("at", "until")
