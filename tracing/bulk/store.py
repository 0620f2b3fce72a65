"""Visits as the database holds them, week by week, for the archive. It only reads; the caller has one snapshot."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from psycopg2.extensions import connection

Connection: TypeAlias = connection

BATCH: Final = 50_000
COLUMNS: Final = (
    "visit",
    "person",
    "facility",
    "facility_id",
    "time_zone",
    "check_in",
    "check_out",
    "recorded",
    "check_in_estimated",
    "role",
)
_WEEK: Final = "date_trunc('week', check_in at time zone 'UTC')::date"
_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"


class Week(NamedTuple):
    """A week of check-ins as it stands: equal values, equal rows."""

    monday: date
    rows: int
    fingerprint: int


def stored_weeks(conn: Connection) -> list[Week]:
    """Return every week in which somebody checked in, stays over a day among them."""
    with conn.cursor() as cur:
        cur.execute(
            f"select {_WEEK}, count(*), bit_xor(hashtextextended(concat_ws('|', visit_id, person, key >> 3,"  # noqa: S608 — our own expressions
            f" {_US.format('check_in')}, {_US.format('check_out')}, check_in_estimated, check_out_estimated, role), 0))"
            " from every_visit group by 1 order by 1"
        )
        return [Week(*row) for row in cur.fetchall()]


def visits_of_week(conn: Connection, monday: date) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the visits of a week (`COLUMNS`) by facility, check-in and id, some at a time."""
    begin = datetime.combine(monday, datetime.min.time())
    with conn.cursor(name="archive") as cur:
        cur.execute(
            f"select v.visit_id::text, v.person::text, f.facility_no, f.facility_id, f.time_zone,"  # noqa: S608 — our own expressions
            f" {_US.format('v.check_in')}, {_US.format('v.check_out')}, not v.check_out_estimated,"
            " v.check_in_estimated, v.role from every_visit v join facility f on f.facility_no = v.key >> 3"
            " where v.check_in >= %s at time zone 'UTC' and v.check_in < %s at time zone 'UTC'"
            " order by f.facility_no, v.check_in, v.visit_id",
            (begin, begin + timedelta(days=7)),
        )
        while rows := cur.fetchmany(BATCH):
            yield rows
