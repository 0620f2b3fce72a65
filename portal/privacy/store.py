"""All that is stored under the ids of one human, and who looked at it. Takes a connection in one state of the data.

What is only worked out of the rest is left out: where pairing stands, the single exposures behind a meeting.
"""

from typing import Any, Final

from portal.store import Connection

Row = dict[str, Any]

# The person's own; of others' cases only that he was in them: never whose they are.
OWN: Final[dict[str, str]] = {
    "residence": "select district from person_area where person = any(%(ids)s::uuid[])",
    "scans": (
        "select s.scan_id, f.facility_id, f.name as facility, s.gate, s.zone, s.at, s.admitted, s.refused_reason,"
        " s.role, s.channel, s.assurance, s.device_id, s.group_id, s.entered_by, s.received_at from scan s"
        " left join facility f using (facility_no) where person = any(%(ids)s::uuid[]) order by at, scan_id"
    ),
    "late_entries": (
        "select f.facility_id, f.name as facility, l.scan ->> 'at' as at, l.scan ->> 'gate' as gate,"
        " l.scan ->> 'zone' as zone, l.scan ->> 'role' as role, l.scan -> 'admitted' as admitted, l.why,"
        " l.entered_at, l.approved, l.sent_at from late_entry l join facility f using (facility_no)"
        " where l.scan ->> 'person_id' = any(%(hex)s) order by l.entered_at"
    ),
    "admissions": (
        "select f.facility_id, f.name as facility, a.scans, a.as_of, a.changed_by, a.changed_at from admission a"
        " join facility f using (facility_no) where a.person = any(%(ids)s::uuid[]) order by a.changed_at"
    ),
    "scan_decisions": (
        "select scan_id, decision, by, reason, scan_at from scan_decision where person = any(%(ids)s::uuid[])"
        " order by scan_at, scan_id, serial"
    ),
    "visits": (
        "select f.facility_id, f.name as facility, v.check_in, v.check_out, v.check_in_estimated,"
        " v.check_out_estimated, v.role, v.zones from every_visit v left join facility f on f.facility_no = v.key >> 3"
        " where person = any(%(ids)s::uuid[]) order by check_in, check_out"
    ),
    "carried": "select c.state, c.until from carry c where person = any(%(ids)s::uuid[])",  # of what has been let go
    "test_results": (
        "select result_id, laboratory, lab_ref, test, result, status, specimen_at, reported_at, date_onset,"
        " date_isolation, case_id from test_result where person = any(%(ids)s::uuid[]) order by reported_at, result_id"
    ),
    "cases": (
        "select case_id, state, classification, date_onset, date_specimen, date_isolation, area, requested_by,"
        ' requested_role, reason, approved_by, approved_reason, opened_at, confirmed_at, closed_at from "case"'
        " where person = any(%(ids)s::uuid[]) order by opened_at, case_id"
    ),
    "trace_requests": (
        "select action, by, role, reason, date_onset, date_specimen, date_isolation, outcome, at from trace_request"
        " where person = any(%(ids)s::uuid[]) order by at"
    ),
    "statuses": ("select s.until, s.ended from person_status s where person = any(%(ids)s::uuid[]) order by until"),
    "advice_to_infection_control": (
        "select f.facility_id, f.name as facility, a.at from staff_advice a left join facility f using (facility_no)"
        " where a.person = any(%(ids)s::uuid[]) order by a.at"
    ),
    "met_a_case": (
        "select f.facility_id, f.name as facility, c.first_start, c.last_end, c.overlap_us / 60000000.0 as minutes,"
        " c.degree from candidate c left join facility f using (facility_no) where c.person = any(%(ids)s::uuid[])"
        " order by c.first_start, c.last_end"
    ),
    "met_a_case_of_a_day": (
        "select b.day, f.facility_id, f.name as facility, b.first_start, b.last_end,"
        " b.overlap_us / 60000000.0 as minutes, b.rule, b.made_at from bulk_contact b"
        " left join facility f using (facility_no) where b.person = any(%(ids)s::uuid[])"
        " order by b.day, b.rule, b.first_start"
    ),
    "possible_source_of_a_case": (
        "select distinct f.facility_id, f.name as facility, e.zone, e.starts, e.ends from source_exposure e"
        " join facility f using (facility_no) where e.person = any(%(ids)s::uuid[]) order by e.starts, e.ends"
    ),
    "told_to_health_offices": (
        "select a.office, a.action, a.made_at, a.acknowledged_at from alert a join reference r on r.ref = a.contact_ref"
        " where r.person = any(%(ids)s::uuid[]) order by a.made_at, a.office"
    ),
    "contact_decisions": (
        "select decision, by, role, reason, at from contact_decision where person = any(%(ids)s::uuid[]) order by at"
    ),
}
_TRAIL: Final = """
    select a.at, a.principal, a.action, a.object, a.reason from audit a
    where a.object = any(%(objects)s)
        or a.object in (select case_id from "case" where person = any(%(ids)s::uuid[]))
    union all
    select a.at, a.principal, a.action, 'the case of somebody you may have met', '' from audit a
    where a.object in (
        select t.case_id from trace t join candidate c using (trace_id) where c.person = any(%(ids)s::uuid[])
        union
        select t.case_id from trace t join source_exposure e using (trace_id) where e.person = any(%(ids)s::uuid[])
        union
        select case_id from bulk_contact where person = any(%(ids)s::uuid[])
        except
        select case_id from "case" where person = any(%(ids)s::uuid[]))
    order by 1
"""


def own_data(conn: Connection, ids: list[str]) -> dict[str, list[Row]]:
    """Return what is stored under the ids of one human, by what it is."""
    return {name: _rows(conn, sql, {"ids": ids, "hex": ids}) for name, sql in OWN.items()}


def trail(conn: Connection, ids: list[str], objects: list[str]) -> list[Row]:
    """Return the entries of the audit about a human, his cases and these objects, in the order of time."""
    return _rows(conn, _TRAIL, {"ids": ids, "objects": [*ids, *objects]})


def one_state(conn: Connection) -> None:
    """Let this transaction see one state of the data."""
    with conn.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")


def _rows(conn: Connection, sql: str, values: dict[str, object]) -> list[Row]:
    with conn.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
