"""SQL of the offices' pages. Takes a connection; the one who holds it commits.

Whoever reads alerts says first which office looks (`portal.store.look_as`), or sees none.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from portal.offices.usage import Bounds, FacilityDays
from portal.store import Connection
from schemas.events import AlertData

_IN_AREA: Final = "(%(area)s = 'all' or f.district = %(area)s or f.district like %(area)s || '.%%')"
_SUMS: Final = (
    "coalesce(sum(h.arrivals), 0)::bigint, coalesce(sum(h.departures), 0)::bigint,"
    " coalesce(max(h.visitors), 0)::bigint, coalesce(sum(h.estimated), 0)::bigint,"
    " coalesce(sum(h.refused), 0)::bigint, coalesce(sum(h.manual), 0)::bigint, coalesce(sum(h.flagged), 0)::bigint"
)
_TODAY: Final = (  # of f, by its own clock, all shards together
    "left join lateral (select hour, sum(arrivals) as arrivals, sum(departures) as departures,"
    " sum(visitors) as visitors, sum(estimated) as estimated, sum(refused) as refused, sum(manual) as manual,"
    " sum(flagged) as flagged from facility_hour where facility_no = f.facility_no and hour <= %(now)s"
    " and hour >= date_trunc('day', %(now)s at time zone f.time_zone) at time zone f.time_zone"
    " group by hour) h on true"
)
_INSIDE: Final = (
    "(select count(*) from visit where key between f.facility_no * 8 and f.facility_no * 8 + 2"
    " and check_in between %(now)s - interval '1 day' and %(now)s and check_out > %(now)s)"
    " + (select count(*) from visit_long where key between f.facility_no * 8 + 3 and f.facility_no * 8 + 7"
    " and check_in <= %(now)s and check_out > %(now)s)"
)


class Held(msgspec.Struct, frozen=True):
    """The latest that an office was told of a candidate, or of a case as a whole."""

    alert_id: str
    action: str
    made_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    escalated: bool
    data: AlertData
    decision: str  # the latest that people decided; empty: nobody did
    decided_at: datetime | None
    decided_as: str  # the role of who decided

    @property
    def waits(self) -> bool:
        """Say whether the office still has to acknowledge it."""
        return self.acknowledged_at is None and bool(self.data.contact_ref or self.action == "review") and self.stands

    @property
    def stands(self) -> bool:
        """Say whether the candidate is one still."""
        return self.action != "withdrawn"


class Numbers(msgspec.Struct, frozen=True):
    """Today's counts of a facility, or of all facilities of an area together."""

    code: str  # a facility's id, or an area's code
    name: str
    kind: str
    district: str
    facilities: int
    inside: int | None  # of an area it is not counted
    arrivals: int
    departures: int
    busiest: int
    estimated: int
    refused: int
    manual: int
    flagged: int


class _Body(msgspec.Struct):
    data: AlertData


_bodies = msgspec.json.Decoder(_Body)


def held_by(conn: Connection, office: str, limit: int, trace_ref: str = "") -> list[Held]:
    """Return the latest alert of each candidate, and the latest summary of each case: what waits first, then newest.

    Args:
        conn: whoever looks was said.
        office: whose alerts.
        limit: so many, at most.
        trace_ref: only those of this case, as the office knows it.
    """
    with conn.cursor() as cursor:
        cursor.execute(
            "with hours as (select value * interval '1 hour' as allowed from setting_dated"
            " where name = 'alert_escalation_hours' and valid_from <= now() order by valid_from desc limit 1),"
            " latest as (select distinct on (a.trace_id, a.contact_ref, a.action = 'summary') a.* from alert a"
            " where a.office = %(office)s and (%(ref)s = '' or a.body -> 'data' ->> 'trace_ref' = %(ref)s)"
            " order by a.trace_id, a.contact_ref, a.action = 'summary', a.revision desc, a.action = 'review' desc)"
            " select l.alert_id, l.action, l.made_at, l.acknowledged_by, l.acknowledged_at,"
            " l.acknowledged_at is null and l.action not in ('withdrawn', 'summary')"
            " and l.made_at <= now() - hours.allowed,"
            " l.body::text, coalesce(d.decision, ''), d.at, coalesce(d.role, '')"
            " from latest l cross join hours join trace t using (trace_id)"
            " left join reference r on r.case_id = t.case_id and r.office = l.office and r.ref = l.contact_ref"
            " left join lateral (select decision, at, role from contact_decision d where d.case_id = t.case_id"
            " and d.person = r.person order by at desc, decision_id desc limit 1) d on true"
            " order by l.acknowledged_at is not null or l.action = 'withdrawn', l.made_at desc, l.alert_id"
            " limit %(limit)s",
            {"office": office, "ref": trace_ref, "limit": limit},
        )
        return [_held(*row) for row in cursor.fetchall()]


def case_of_alert(conn: Connection, alert_id: str, office: str) -> str:
    """Return the case that an alert of an office is about, as the office knows it; empty: it has no such alert."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select body -> 'data' ->> 'trace_ref' from alert where alert_id = %s and office = %s", (alert_id, office)
        )
        row = cursor.fetchone()
    return row[0] if row else ""


def numbers_of_facilities(conn: Connection, area: str, now: datetime, limit: int) -> list[Numbers]:
    """Return today's counts of each facility of an area, the busiest first."""
    return _numbers(
        conn,
        "select f.facility_id, f.name, f.kind, f.district, 1, "  # noqa: S608 — constants
        f"{_INSIDE}, {_SUMS} from facility f {_TODAY} where {_IN_AREA} group by f.facility_no"
        ' order by 7 desc, f.name, f.facility_id collate "C" limit %(limit)s',
        {"area": area, "now": now, "limit": limit},
    )


def numbers_of_areas(conn: Connection, area: str, length: int, now: datetime) -> list[Numbers]:
    """Return today's counts of each area below this one, by code; a day is that of each facility's own clock.

    Args:
        conn: of the gate.
        area: whose parts.
        length: of the codes of these: 2 provinces, 5 districts.
        now: what today is.
    """
    return _numbers(
        conn,
        "select left(f.district, %(length)s), '', '', left(f.district, %(length)s), count(distinct f.facility_no),"  # noqa: S608 — constants
        f" null::bigint, {_SUMS} from facility f {_TODAY} where {_IN_AREA} group by 1 order by 1",
        {"area": area, "now": now, "length": length},
    )


def districts_of(conn: Connection, area: str) -> list[str]:
    """Return the districts of an area that have a facility."""
    with conn.cursor() as cursor:
        cursor.execute(f"select distinct f.district from facility f where {_IN_AREA} order by 1", {"area": area})  # noqa: S608 — constants
        return [row[0] for row in cursor.fetchall()]


def bounds(conn: Connection) -> Bounds:
    """Return from where on the use of QR codes is to be looked after, as of today."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select distinct on (name) name, value::int from setting_dated where name like 'qr\\_%'"
            " and valid_from <= now() order by name, valid_from desc"
        )
        found = dict(cursor.fetchall())
    return Bounds(
        stopped_days=found["qr_stopped_days"],
        lowest_days=found["qr_lowest_days"],
        lowest_a_day=found["qr_lowest_a_day"],
    )


def days_of(conn: Connection, area: str, today: date, days: int) -> list[FacilityDays]:
    """Return the arrivals by QR code of each facility of an area, for each of the last whole days before `today`.

    What officers entered at an entrance is taken off: it says nothing about who scans.
    """
    since = today - timedelta(days=days)
    asked = {"area": area, "since": since, "until": today}
    with conn.cursor() as cursor:
        cursor.execute(
            "select f.facility_no, f.facility_id, f.name, f.kind, f.district,"  # noqa: S608 — constants
            " (f.added_at at time zone f.time_zone)::date, h.day, coalesce(h.arrivals, 0)::bigint,"
            " coalesce(o.arrivals, 0)::bigint, exists (select from facility_hour u where u.facility_no = f.facility_no"
            " and u.arrivals > 0 and u.hour < %(since)s::timestamp at time zone f.time_zone)"
            " from facility f"
            " left join lateral (select (hour at time zone f.time_zone)::date as day, sum(arrivals) as arrivals"
            " from facility_hour where facility_no = f.facility_no"
            " and hour >= %(since)s::timestamp at time zone f.time_zone"
            " and hour < %(until)s::timestamp at time zone f.time_zone group by 1) h on true"
            " left join lateral (select count(*) as arrivals from officer_arrival where facility_no = f.facility_no"
            " and at >= h.day::timestamp at time zone f.time_zone"
            " and at < (h.day + 1)::timestamp at time zone f.time_zone) o on true"
            f" where {_IN_AREA} order by f.facility_no, h.day",
            asked,
        )
        return _by_facility(cursor.fetchall(), since, days)


def _held(*row: Any) -> Held:  # noqa: ANN401 — a row's values
    told, body, decided = row[:6], row[6], row[7:]
    values = (*told, _bodies.decode(body).data, *decided)
    return Held(**dict(zip(Held.__struct_fields__, values, strict=True)))


def _by_facility(rows: Sequence[tuple[Any, ...]], since: date, days: int) -> list[FacilityDays]:
    found: dict[int, tuple[tuple[Any, ...], list[int], int]] = {}
    for row in rows:
        facts, arrivals, by_hand = found.get(row[0], (row, [0] * days, 0))
        if row[6] is not None:
            arrivals[(row[6] - since).days] = max(row[7] - row[8], 0)
            by_hand += row[8]
        found[row[0]] = facts, arrivals, by_hand
    return [
        FacilityDays(
            facility_id=facts[1],
            name=facts[2],
            kind=facts[3],
            district=facts[4],
            added_on=facts[5],
            was_used=facts[9] or any(arrivals),
            arrivals=tuple(arrivals),
            by_hand=by_hand,
        )
        for facts, arrivals, by_hand in found.values()
    ]


def _numbers(conn: Connection, sql: str, values: dict[str, object]) -> list[Numbers]:
    with conn.cursor() as cursor:
        cursor.execute(sql, values)
        return [Numbers(*row) for row in cursor.fetchall()]
