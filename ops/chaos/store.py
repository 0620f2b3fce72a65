"""Reads what is stored, table by table, for the verdict: plain SQL on the tables themselves, none of the product's own.

The connection is the operator's; that is all it borrows.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor  # noqa: N812 — a type

from ops.chaos.compare import Stored
from ops.store import OPERATOR, transaction
from schemas.settings import Settings

US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
AT_ONCE: Final = 20_000


def read_stored(settings: Settings) -> Stored:
    """Return every table as it is now, all from one moment."""
    stored = Stored()
    with transaction(settings, OPERATOR) as conn:
        conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
        ask = _asker(conn)
        ((partitions,),) = ask("select value from installation where name = 'partitions'")
        stored.partitions = int(partitions)
        _read_scans(stored, ask)
        _read_visits(stored, ask)
        _read_ledger(stored, ask)
        _read_cases(stored, ask)
        _read_alerts(stored, ask)
    return stored


Ask = Callable[[str], Iterator[tuple[Any, ...]]]


def _asker(conn: Any) -> Ask:  # noqa: ANN401 — a connection
    numbers = iter(range(1_000_000))

    def ask(sql: str) -> Iterator[tuple[Any, ...]]:
        cur: Cursor
        with conn.cursor(name=f"chaos_{next(numbers)}") as cur:
            cur.itersize = AT_ONCE
            cur.execute(sql)
            yield from cur

    return ask


def _read_scans(stored: Stored, ask: Ask) -> None:
    at = US.format("at")
    for person, scan_id, *row in ask(
        f"select person::text, scan_id::text, facility_id, gate, {at}, zone, admitted, role, channel, group_id,"  # noqa: S608 — a constant
        " refused_reason, assurance, device_id, device_seq, poster_version, entered_by <> ''"
        " from scan join facility using (facility_no)"
    ):
        key: tuple[Any, ...] = (person, scan_id)
        while key in stored.scans:  # what is there twice must be seen
            key = (*key, "again")
        stored.scans[key] = tuple(row)
    for decision in ask(
        f"select person::text, scan_id::text, serial, by, decision, {US.format('scan_at')}, reason from scan_decision"  # noqa: S608 — a constant
    ):
        stored.decisions[decision] = ()


def _read_visits(stored: Stored, ask: Ask) -> None:
    key: tuple[Any, ...]
    for table, is_long in (("visit", False), ("visit_long", True)):
        for person, visit_id, facility, stay, check_in, check_out, *flags, role, zones in ask(
            f"select person::text, visit_id::text, facility_id, key & 7, {US.format('check_in')},"  # noqa: S608 — constants
            f" {US.format('check_out')}, check_in_estimated, check_out_estimated, role, zones::text"
            f" from {table} join facility on facility_no = key >> 3"
        ):
            key = (person, visit_id)
            while key in stored.visits:
                key = (*key, "again")
            named = tuple((since, zone) for since, zone in json.loads(zones or "[]"))
            stored.visits[key] = (facility, stay, is_long, check_in, check_out, *flags, role, named)
    for facility, hour, shard, *counts in ask(
        f"select facility_id, {US.format('hour')}, shard, arrivals, departures, estimated, visitors, person_us,"  # noqa: S608 — a constant
        " refused, manual, flagged from facility_hour join facility using (facility_no)"
    ):
        stored.hours[facility, hour, shard] = tuple(counts)


def _read_ledger(stored: Stored, ask: Ask) -> None:
    for topic, partition, *row in ask(
        "select topic, partition, first, next_offset, applied, duplicate, dead from position"
    ):
        stored.positions[topic, partition] = tuple(row)
    stored.dead = {(row[0], row[1], row[2]) for row in ask('select topic, partition, "offset" from dead_letter')}


def _read_cases(stored: Stored, ask: Ask) -> None:
    for result_id, *row in ask("select result_id::text, person::text, lab_ref, result from test_result"):
        stored.results[(result_id,)] = tuple(row)
    for person, *row in ask(
        'select person::text, case_id, state, date_onset, date_specimen, date_isolation from "case" order by case_id'
    ):
        key: tuple[Any, ...] = (person,)
        while key in stored.cases:
            key = (*key, "again")
        stored.cases[key] = tuple(row)
    for case_id, rule, own, other, *row in ask(
        "select case_id, rule, from_visit::text, to_visit::text, from_person::text, to_person::text, facility_id, zone,"  # noqa: S608 — a constant
        f" {US.format('starts')}, {US.format('ends')}, estimated"
        " from exposure join trace using (trace_id) join facility using (facility_no) where degree = 1"
    ):
        stored.exposures[case_id, rule, own, other] = tuple(row)
    for case_id, rule, source, person, *row in ask(
        "select case_id, rule, from_person::text, person::text, facility_id, zone, candidate.role,"  # noqa: S608 — a constant
        f" {US.format('first_start')}, {US.format('last_end')}, overlap_us, exposures, estimated"
        " from candidate join trace using (trace_id) join facility using (facility_no) where degree = 1"
    ):
        stored.candidates[case_id, rule, source, person] = tuple(row)


def _read_alerts(stored: Stored, ask: Ask) -> None:
    for case_id, office, person, ref in ask("select case_id, office, coalesce(person::text, ''), ref from reference"):
        stored.names[case_id, office, ref] = person
    for alert_id, case_id, office, action, ref, version, data in ask(
        "select alert_id, case_id, office, action, contact_ref, alert.revision, body -> 'data'"
        " from alert join trace using (trace_id)"
    ):
        row: tuple[Any, ...]
        if action == "summary":
            summary = data["summary"]
            bands = tuple(sorted(summary["by_minutes"].items()))
            row = (summary["candidates"], summary["sent_one_by_one"], bands)
        else:
            row = (data["facility_id"], data["date"], (data["minutes_band"], data["rank"]))
        stored.names.setdefault((case_id, office, ""), "")
        stored.alerts.append(
            {
                "alert_id": alert_id,
                "case_id": case_id,
                "office": office,
                "action": action,
                "contact_ref": ref,
                "version": version,
                "row": row,
            }
        )
