"""Results, requests, decisions, cases and traces as rows. Takes a cursor; the one who opened it commits.

Persons are UUIDs as text here. What people are shown is in `store.py`, and holds none.
"""

from base64 import b32encode
from collections.abc import Iterable, Sequence
from datetime import date
from hashlib import blake2b
from secrets import token_bytes
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.events import ContactDecision, TestResult, TraceRequest
from tracing.cases.facts import DEFAULT_ZONE, Case, Facts, Request, Result
from tracing.instants import us_of, utc_of
from tracing.store import Cursor

EPIDEMIOLOGISTS: Final = ""  # their names for persons; an office has its own
CASE_COLUMNS: Final = (
    "case_id, state, classification, date_onset, date_specimen, date_isolation, area, requested_by, requested_role,"
    " reason, approved_by, approved_reason, opened_at, confirmed_at, closed_at"
)


class KnownLaboratory(msgspec.Struct, frozen=True):
    """What the register says of the laboratory that reports."""

    time_zone: str = DEFAULT_ZONE
    district: str = ""


def us(column: str) -> str:
    """Return SQL for an instant as microseconds since 1970."""
    return f"(extract(epoch from {column}) * 1000000)::bigint"


def person_uuid(person_id: str) -> str:
    """Return a person id of an event as the database writes it."""
    return str(UUID(hex=person_id))


def digest_of(event: msgspec.Struct, *stamped: str) -> str:
    """Return what is equal where the same was sent; `stamped` fields are the gate's own."""
    sent = [getattr(event, field) for field in event.__struct_fields__ if field not in stamped]
    values = [us_of(value) if hasattr(value, "tzinfo") else value for value in sent]
    return str(UUID(bytes=blake2b(msgspec.msgpack.encode(values), digest_size=16).digest()))


def lock(cur: Cursor, *what: str) -> None:
    """Hold what `what` names for this transaction: facts of one person, or of one lab_ref, come one by one."""
    cur.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", ("|".join(what),))


def dated(cur: Cursor, day: date) -> dict[str, int]:
    """Return the dated settings in force on `day`; before its first value, one has its first."""
    cur.execute(
        "select distinct on (name) name, value::int from setting_dated order by name, valid_from <= %s desc,"
        " case when valid_from <= %s then valid_from end desc, valid_from",
        (day, day),
    )
    return dict(cur.fetchall())


def known_laboratory(cur: Cursor, facility_id: str) -> KnownLaboratory:
    """Return time zone and district of a laboratory; of an unknown one, the default and none."""
    cur.execute("select time_zone, district from facility where facility_id = %s", (facility_id,))
    row = cur.fetchone()
    return KnownLaboratory(*row) if row else KnownLaboratory()


def stored_digest(cur: Cursor, result_id: str) -> tuple[str, str] | None:
    """Return person and digest of a stored result."""
    cur.execute("select person::text, digest::text from test_result where result_id = %s", (result_id,))
    row = cur.fetchone()
    return (row[0], row[1]) if row else None


def result_owner(cur: Cursor, result_id: str) -> tuple[str, str, str] | None:
    """Return person, laboratory and principal of a stored result."""
    cur.execute("select person::text, laboratory, by from test_result where result_id = %s", (result_id,))
    row = cur.fetchone()
    return (row[0], row[1], row[2]) if row else None


def used_refs(cur: Cursor, laboratory: str, lab_ref: str) -> set[str]:
    """Return the ids of the results in which a laboratory used a lab_ref, whoever they are about."""
    cur.execute("select result_id::text from test_result where laboratory = %s and lab_ref = %s", (laboratory, lab_ref))
    return {row[0] for row in cur.fetchall()}


def read_facts(cur: Cursor, person: str) -> Facts:
    """Return everything stored of a person."""
    cur.execute(
        "select result_id::text, r.laboratory, r.lab_ref, r.by, r.result, r.status, r.supersedes::text,"  # noqa: S608 — our own expressions
        f" {us('r.specimen_at')}, {us('r.reported_at')}, {us('r.received_at')}, r.date_onset, r.date_isolation,"
        " coalesce(f.time_zone, %s), r.area, r.opens, coalesce(r.case_id, ''), r.test"
        " from test_result r left join facility f on f.facility_id = r.laboratory where r.person = %s"
        " order by r.received_at, r.result_id",
        (DEFAULT_ZONE, person),
    )
    results = tuple(_made(Result, row) for row in cur.fetchall())
    cur.execute(
        "select request_id::text, case_id, action, by, role, area, reason, outcome, date_onset, date_specimen,"  # noqa: S608 — our own expressions
        f" date_isolation, {us('at')} from trace_request where person = %s order by at, request_id",
        (person,),
    )
    requests = tuple(_made(Request, row) for row in cur.fetchall())
    return Facts(results=results, requests=requests, cases=read_cases(cur, person))


def read_cases(cur: Cursor, person: str) -> tuple[Case, ...]:
    """Return a person's cases, the eldest first."""
    columns = CASE_COLUMNS
    for name in ("opened_at", "confirmed_at", "closed_at"):
        columns = columns.replace(name, us(name))
    cur.execute(f'select {columns} from "case" where person = %s order by opened_at, case_id', (person,))  # noqa: S608 — our own column names
    return tuple(_made(Case, row) for row in cur.fetchall())


def insert_result(cur: Cursor, event: TestResult, digest: str, *, area: str, opens: bool) -> None:
    """Store a result."""
    cur.execute(
        "insert into test_result (result_id, person, lab_ref, laboratory, by, test, result, status, supersedes,"
        " specimen_at, reported_at, date_onset, date_isolation, received_at, digest, area, opens)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            event.result_id,
            person_uuid(event.person_id),
            event.lab_ref,
            event.laboratory,
            event.by,
            event.test,
            event.result,
            event.status,
            event.supersedes,
            event.specimen_at,
            event.reported_at,
            event.date_onset,
            event.date_isolation,
            event.received_at,
            digest,
            area,
            opens,
        ),
    )


def count_results(cur: Cursor, before: Facts, after: Facts) -> None:
    """Store which case each result belongs to, where that changed."""
    was = {result.result_id: result.case_id for result in before.results}
    for result in after.results:
        if was.get(result.result_id, "") != result.case_id:
            cur.execute(
                "update test_result set case_id = %s where result_id = %s", (result.case_id or None, result.result_id)
            )


def stored_request(cur: Cursor, request_id: str) -> tuple[str, ...] | None:
    """Return person, action, principal and reason of a stored request."""
    cur.execute("select person::text, action, by, reason from trace_request where request_id = %s", (request_id,))
    return cur.fetchone()


def insert_request(cur: Cursor, event: TraceRequest, judged: Request) -> None:
    """Store a request with what came of it."""
    cur.execute(
        "insert into trace_request (request_id, person, case_id, action, by, role, reason, area, date_onset,"
        " date_specimen, date_isolation, outcome, at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            event.request_id,
            person_uuid(event.person_id),
            judged.case_id,
            event.action,
            event.by,
            event.role,
            event.reason,
            event.area,
            event.date_onset,
            event.date_specimen,
            event.date_isolation,
            judged.outcome,
            event.at,
        ),
    )


def new_case_id(cur: Cursor) -> str:
    """Return the name of a new case."""
    cur.execute("select nextval('case_number')")
    row = cur.fetchone()
    assert row is not None
    return f"K{row[0]:06d}"


def write_cases(cur: Cursor, person: str, before: Iterable[Case], after: Iterable[Case]) -> list[str]:
    """Store the cases that changed; return their ids."""
    was = {case.case_id: case for case in before}
    changed = [case for case in after if was.get(case.case_id) != case]
    names = CASE_COLUMNS.split(", ")
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    for case in changed:
        values = [_stored(getattr(case, name), name) for name in names]
        cur.execute(
            f'insert into "case" (person, {CASE_COLUMNS}) values (%s{", %s" * len(names)})'  # noqa: S608 — our own column names
            f" on conflict (case_id) do update set {updates}",
            (person, *values),
        )
    return [case.case_id for case in changed]


def open_trace(cur: Cursor, case_id: str, rule: str) -> None:
    """Make the trace's row if there is none, and say that a run is due."""
    cur.execute(
        "insert into trace (case_id, rule) values (%s, %s) on conflict (case_id, rule) do update set due = true",
        (case_id, rule),
    )


def mark_due(cur: Cursor, case_ids: Sequence[str]) -> None:
    """Say that the traces of these cases are to be run again."""
    cur.execute("update trace set due = true where case_id = any(%s)", (list(case_ids),))


def mark_due_who_met(cur: Cursor, person: str) -> None:
    """Say that the traces in which this person is a candidate are to be run again, by whoever looks for such traces."""
    cur.execute(
        "update trace t set due = true from (select trace_id from trace where trace_id in"
        " (select trace_id from candidate where person = %s or person in"
        " (select other from same_human where same_human.person = %s)) order by trace_id for no key update) met"
        " where t.trace_id = met.trace_id",
        (person, person),
    )


def mark_due_by_test(cur: Cursor, person: str) -> None:
    """Say that the traces are to be run again in which a negative test, or its withdrawal, may change who is black.

    These are his own, and those in which people confirmed him as a contact; whoever looks for such traces runs them.
    """
    cur.execute(
        "update trace t set due = true from (select trace_id from trace where case_id in"
        " (select case_id from \"case\" where state = 'open' and person in (select %(one)s::uuid union"
        " select other from same_human where same_human.person = %(one)s) union"
        " select case_id from contact_decision where decision = 'confirmed' and person in (select %(one)s::uuid union"
        " select other from same_human where same_human.person = %(one)s)) order by trace_id for no key update) met"
        " where t.trace_id = met.trace_id",
        {"one": person},
    )


def due_traces(cur: Cursor, person: str) -> list[tuple[str, str]]:
    """Return (case, rule) of the person's traces that are to be run."""
    cur.execute(
        'select t.case_id, t.rule from trace t join "case" c using (case_id) where c.person = %s and t.due'
        " order by t.trace_id",
        (person,),
    )
    return [(row[0], row[1]) for row in cur.fetchall()]


def person_of_ref(cur: Cursor, case_id: str, ref: str) -> str | None:
    """Return whom a name stands for in a case, whoever it was given to."""
    cur.execute("select person::text from reference where case_id = %s and ref = %s", (case_id, ref))
    row = cur.fetchone()
    return row[0] if row else None


def stored_decision(cur: Cursor, decision_id: str) -> tuple[str, ...] | None:
    """Return case, name of the candidate, decision and principal of a stored decision."""
    cur.execute(
        "select case_id, contact_ref, decision, by from contact_decision where decision_id = %s", (decision_id,)
    )
    return cur.fetchone()


def insert_decision(cur: Cursor, event: ContactDecision, person: str | None, outcome: str) -> None:
    """Store a decision about a candidate with what came of it."""
    cur.execute(
        "insert into contact_decision (decision_id, case_id, contact_ref, person, decision, by, role, reason, outcome,"
        " at, identity_checked) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            event.decision_id,
            event.case_id,
            event.contact_ref,
            person,
            event.decision,
            event.by,
            event.role,
            event.reason,
            outcome,
            event.at,
            event.identity_checked,
        ),
    )


def new_reference() -> str:
    """Return a new random name: 80 bits, short enough to be typed."""
    return b32encode(token_bytes(10)).decode().lower()


def reference(cur: Cursor, case_id: str, office: str, person: str | None) -> str:
    """Return the random name by which `office` knows a person of a case (None: the case), given once."""
    cur.execute(
        "insert into reference (case_id, office, person, ref) values (%s, %s, %s, %s)"
        " on conflict (case_id, office, person) do nothing returning ref",
        (case_id, office, person, new_reference()),
    )
    row = cur.fetchone()
    if row is None:
        cur.execute(
            "select ref from reference where case_id = %s and office = %s and person is not distinct from %s",
            (case_id, office, person),
        )
        row = cur.fetchone()
    assert row is not None
    return str(row[0])


def _made(kind: Any, row: Sequence[Any]) -> Any:  # noqa: ANN401 — a row becomes the struct whose fields it has
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def _stored(value: Any, name: str) -> Any:  # noqa: ANN401 — a value of any column
    return utc_of(value) if name.endswith("_at") and value is not None else value
