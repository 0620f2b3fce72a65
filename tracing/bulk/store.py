"""Visits as the database holds them, for the archive and for Spark; the cases of a day, and their contacts.

It only reads, but for `store_contacts`; the caller has one snapshot.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from psycopg2.extensions import connection
from psycopg2.extras import execute_values

from tracing.instants import utc_of
from tracing.rulesets import Rule

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
_FROM_VISITS: Final = "from every_visit v join facility f on f.facility_no = v.key >> 3"
_WEEK: Final = "date_trunc('week', check_in at time zone 'UTC')::date"
_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
_COLUMNS: Final = (
    "v.visit_id::text as visit, v.person::text as person, f.facility_no::bigint as facility,"
    f" f.facility_id, f.time_zone, {_US.format('v.check_in')} as check_in, {_US.format('v.check_out')} as check_out,"
    " not v.check_out_estimated as recorded, v.check_in_estimated, v.role"
)


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
            f"select {_COLUMNS} {_FROM_VISITS}"
            " where v.check_in >= %s at time zone 'UTC' and v.check_in < %s at time zone 'UTC'"
            " order by f.facility_no, v.check_in, v.visit_id",
            (begin, begin + timedelta(days=7)),
        )
        while rows := cur.fetchmany(BATCH):
            yield rows


def visits_sql() -> str:
    """Return a query of all visits: `COLUMNS`, then `at` and `until`, by which a part of them can be asked for."""
    return f"select {_COLUMNS}, v.check_in as at, v.check_out as until {_FROM_VISITS}"


def cases_of_day(conn: Connection, day: date, time_zone: str) -> list[tuple[Any, ...]]:
    """Return (case id, person, onset, specimen, isolation) of the open cases confirmed on a day of that zone.

    One that no laboratory confirmed counts on the day on which it was opened.
    """
    with conn.cursor() as cur:
        cur.execute(
            'select case_id, person::text, date_onset, date_specimen, date_isolation from "case"'
            " where state = 'open' and (coalesce(confirmed_at, opened_at) at time zone %s)::date = %s"
            ' order by case_id collate "C"',
            (time_zone, day),
        )
        return cur.fetchall()


def store_contacts(conn: Connection, day: date, rule: Rule, rows: Iterable[Sequence[Any]]) -> int:
    """Replace what is stored of a day under a rule; return how many contacts it has now.

    Args:
        conn: of the operator; the caller commits.
        day: the cases' day.
        rule: what counted.
        rows: case id, person, facility number, first start, last end, microseconds together, exposures, estimated.
    """
    asked = msgspec.json.encode(rule).decode()
    values = (
        (day, rule.id, asked, case_id, person, facility, utc_of(start), utc_of(end), *rest)
        for case_id, person, facility, start, end, *rest in rows
    )
    with conn.cursor() as cur:
        cur.execute("delete from bulk_contact where day = %s and rule = %s", (day, rule.id))
        execute_values(cur, "insert into bulk_contact values %s", values, page_size=5_000)
        cur.execute("select count(*) from bulk_contact where day = %s and rule = %s", (day, rule.id))
        (number,) = cur.fetchone() or (0,)
    return int(number)
