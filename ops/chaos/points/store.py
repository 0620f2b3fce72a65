"""What the two installations are compared by: their rows, without what is random or tells when it was written."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from ops.chaos.points.records import PLACES
from ops.store import OPERATOR, OWNER, transaction
from schemas.settings import Settings
from schemas.topics import VISIT

# ruff: noqa: S608 — all that is put into a query here are constants
_events = msgspec.msgpack.Decoder(list[tuple[int, bytes, bytes | None]])
_OF_CASE: Final = 'join trace t using (trace_id) join "case" c using (case_id)'
# The ledger counts a fact as a repeat when the worker died between storing it and moving on: only the sum is fixed.
TABLES: Final = {
    "position": "select topic, partition, next_offset, applied + duplicate, dead from position",
    "dead_letter": 'select topic, partition, "offset", reason from dead_letter',
    "scan": "select person, scan_id, facility_no, gate, at, zone, admitted, role, channel, digest from scan",
    "scan_decision": "select person, scan_id, serial, by, decision, scan_at from scan_decision",
    "visit": "select person, visit_id, key, check_in, check_out, check_in_estimated, check_out_estimated, role,"
    " zones::text from every_visit",
    "facility_hour": "select facility_no, hour, shard, arrivals, departures, visitors, person_us, estimated, refused,"
    " manual, flagged from facility_hour",
    "pairing": "select person, state from pairing",
    "case": "select person, state, classification, date_onset, date_specimen, requested_by, approved_by, opened_at"
    ' from "case"',
    "trace": "select c.person, t.rule, t.state, t.revision, t.due, t.window_from, t.window_to"
    ' from trace t join "case" c using (case_id)',
    "exposure": "select c.person, x.degree, x.from_visit, x.to_visit, x.facility_no, x.zone, x.starts, x.ends,"
    f" x.estimated, x.kind from exposure x {_OF_CASE}",
    "candidate": "select c.person, x.degree, x.from_person, x.person, x.facility_no, x.first_start, x.last_end,"
    f" x.overlap_us, x.exposures, x.estimated, x.already_case, x.reason from candidate x {_OF_CASE}",
    "alert": "select c.person, a.office, a.revision, a.action, r.person,"
    " ((a.body -> 'data') - array['alert_id', 'trace_ref', 'contact_ref'])::text"
    f" from alert a {_OF_CASE} left join reference r on r.ref = a.contact_ref",
    "contact_decision": 'select c.person, d.person, d.decision, d.outcome from contact_decision d join "case" c'
    " using (case_id)",
    "person_status": 'select c.person, s.person, s.until from person_status s join "case" c using (case_id)',
    "outbox": "select source_topic, source_partition, topic, md5(events), count, row_number() over"
    " (partition by source_topic, source_partition, topic order by id) from outbox where source_topic = 'scan.v1'",
    "outbox of facts": "select topic, sum(count) from outbox where source_topic <> 'scan.v1' group by topic",
}


def add_places(settings: Settings) -> None:
    """Register the facilities."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        for name, (kind, time_zone, district) in PLACES.items():
            cur.execute(
                "insert into facility (facility_id, name, kind, time_zone, district) values (%s, %s, %s, %s, %s)",
                (name, name, str(kind), time_zone, district),
            )


def positions(settings: Settings) -> dict[tuple[str, int], int]:
    """Return the next offset of every partition that has a position."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select topic, partition, next_offset from position")
        return {(topic, partition): at for topic, partition, at in cur.fetchall()}


def case_of(settings: Settings, person: str) -> str:
    """Return a person's only case."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute('select case_id from "case" where person = %s', (person,))
        ((case_id,),) = cur.fetchall()
        return str(case_id)


def first_contact(settings: Settings) -> tuple[str, str, str] | None:
    """Return person, case and reference of the first candidate there is, in an order that both sides have."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(
            f"select replace(c.person::text, '-', ''), t.case_id, x.contact_ref from candidate x {_OF_CASE}"
            " where c.state = 'open' and x.degree = 1 order by c.person, x.person limit 1"
        )
        row = cur.fetchone()
        return (str(row[0]), str(row[1]), str(row[2])) if row else None


def visit_changes(settings: Settings, after: int) -> list[tuple[int, list[tuple[int, bytes, bytes | None]]]]:
    """Return the changes of visits that the fold left for the relay after a row, row by row, with the row's number."""
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute("select id, events from outbox where topic = %s and id > %s order by id", (VISIT.name, after))
        return [(row_id, _events.decode(bytes(events))) for row_id, events in cur.fetchall()]


def let_time_pass(settings: Settings) -> None:
    """Make what a dead relay had in hand old enough for the next one, as waiting would."""
    with transaction(settings, OWNER) as conn, conn.cursor() as cur:
        cur.execute("update outbox set taken_at = taken_at - interval '1 minute' where taken_at is not null")


def differences(calm: Settings, dying: Settings) -> Iterator[str]:
    """Yield what differs between the two, a line per row; persons are not named."""
    for table, query in TABLES.items():
        rows = [_rows(settings, query) for settings in (calm, dying)]
        for what, left in (("is missing", rows[0] - rows[1]), ("is too much", rows[1] - rows[0])):
            yield from (f"{table}: a row {what}: {row[1:]}" for row in sorted(left, key=str))


def _rows(settings: Settings, query: str) -> set[tuple[Any, ...]]:
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.execute(query)
        rows = cur.fetchall()
    numbered: dict[tuple[Any, ...], int] = {}
    for row in rows:  # the same row twice is not the same as once
        numbered[row] = numbered.get(row, 0) + 1
    return {(number, *row) for row, number in numbered.items()}
