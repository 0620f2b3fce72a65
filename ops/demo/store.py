"""What the demonstration shows of the database while it fills."""

from typing import NamedTuple

from tracing.store import Cursor


class Folded(NamedTuple):
    """How far the fold is."""

    records: int  # applied, repeated or dead: all that was read of scan.v1
    dead: int
    visits: int


class BusyHour(NamedTuple):
    """One facility in one clock hour, its shards summed."""

    facility: str
    hour: str
    visitors: int
    arrivals: int
    departures: int
    estimated: int


def read_folded(cur: Cursor) -> Folded:
    """Return what the fold has read and made."""
    cur.execute(
        "select coalesce(sum(applied + duplicate + dead), 0)::bigint, coalesce(sum(dead), 0)::bigint,"
        " (select count(*) from every_visit) from position where topic = 'scan.v1'"
    )
    row = cur.fetchone()
    assert row is not None
    return Folded(*row)


def busiest_hours(cur: Cursor, rows: int) -> list[BusyHour]:
    """Return the busiest hour of each of the busiest facilities, at most `rows`, busiest first."""
    cur.execute(
        "with hours as (select facility_no, hour, sum(visitors)::int as visitors, sum(arrivals)::int as arrivals,"
        "   sum(departures)::int as departures, sum(estimated)::int as estimated"
        "   from facility_hour group by facility_no, hour),"
        " busiest as (select distinct on (facility_no) * from hours order by facility_no, visitors desc, hour desc)"
        " select f.name, to_char(b.hour at time zone f.time_zone, 'DD Mon HH24:MI'), b.visitors, b.arrivals,"
        "   b.departures, b.estimated"
        " from busiest b join facility f using (facility_no) order by b.visitors desc, f.name limit %s",
        (rows,),
    )
    return [BusyHour(*row) for row in cur.fetchall()]


def alerts_written(cur: Cursor, case_id: str, office: str) -> int:
    """Return how many notices of a case were written for an office."""
    cur.execute(
        "select count(*) from alert join trace using (trace_id) where case_id = %s and office = %s", (case_id, office)
    )
    row = cur.fetchone()
    assert row is not None
    return int(row[0])
