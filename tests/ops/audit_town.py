"""A town for the audit's tests: folded, traced and published by the real workers, then copied for each test."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

import msgspec

from ops.audit.findings import CHECKS, Difference, Findings
from ops.audit.run import audit
from ops.store import drop_database, make_database
from schemas.events import Gate, Kind, Role, Scan, TestResult
from schemas.settings import Settings
from tests.commands import wait_until
from tests.streams.flow import (
    START,
    add_facilities,
    ask,
    closing_after,
    folded,
    person,
    running,
    scan,
    send,
    send_raw,
    town,
)
from tests.streams.test_traces import send as send_facts
from tests.streams.test_traces import taken
from tests.tracing.ward import positive

PERSONS = 120
MEETING = START + timedelta(days=3, hours=2)
POISON = [(0, b"{"), (0, b""), (5, None)]
LIMIT = 5
_copies = count(1)


def meeting(random: Random, who: list[str], where: str, minutes: int = 0) -> list[Scan]:
    """Return the scans of people who come together and leave one after another, the last named first."""
    scans = []
    for number, one in enumerate(who):
        begin = MEETING + timedelta(minutes=minutes)
        scans.append(scan(random, one, where, begin, role=Role.VISITOR))
        scans.append(scan(random, one, where, begin + timedelta(minutes=90 - 2 * number), Gate.EXIT, role=Role.VISITOR))
    return scans


def found_positive(who: str, **changes: Any) -> TestResult:
    at = MEETING + timedelta(days=1)
    return positive(
        who, **{"specimen_at": at, "reported_at": at, "received_at": at, "date_onset": date(2026, 3, 5)} | changes
    )


def furnish(settings: Settings) -> list[str]:
    """Fill an installation with all that can be told of a town; return its people."""
    random = Random(20260303)
    add_facilities(settings)
    with closing_after(settings, "jejak_ops") as cur:
        cur.execute(
            "insert into facility (facility_id, name, kind, time_zone, district)"
            " values ('JKT', 'JKT', 'puskesmas', 'Asia/Jakarta', '31.71')"
        )
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute("update setting_dated set value = %s where name = 'alert_limit'", (LIMIT,))
        cur.execute("update setting_dated set value = 36500 where name = 'late_days_max'")  # its traces stay open
    records = town(random, PERSONS)
    crowd, few, late = ([person(random) for _ in range(size)] for size in (12, 3, 2))
    many = [*records, *meeting(random, crowd, "RS-1"), *meeting(random, few, "PKM-2")]
    many += [
        msgspec.structs.replace(one, facility_id="JKT", kind=Kind.PUSKESMAS)
        for one in meeting(random, [few[0], late[0]], "PKM-1", minutes=180)
    ]
    sent = [*many, *random.sample(many, 30)]
    withdrawn, corrected = found_positive(few[0]), found_positive(crowd[0])
    with ExitStack() as stack:
        for command in (("worker", "visits"), ("worker", "traces"), ("worker", "standing"), ("relay",)):
            stack.enter_context(running(settings, *command))
        send(settings, sent)
        send_raw(settings, POISON)
        wait_until(lambda: folded(settings) == len(sent) + len(POISON))
        send_facts(settings, [withdrawn, corrected])
        wait_until(lambda: taken(settings) == 2)
        send(settings, meeting(random, [late[1]], "RS-1"))
        wait_until(lambda: folded(settings) == len(sent) + len(POISON) + 2)
        send_facts(
            settings,
            [
                found_positive(
                    few[0], status="entered_in_error", supersedes=withdrawn.result_id, lab_ref=withdrawn.lab_ref
                ),
                found_positive(
                    crowd[0],
                    status="corrected",
                    supersedes=corrected.result_id,
                    lab_ref=corrected.lab_ref,
                    date_onset=date(2026, 3, 6),
                ),
                found_positive(crowd[1]),
            ],
        )
        wait_until(lambda: taken(settings) == 5)
        wait_until(lambda: ask(settings, "select count(*) from trace where due") == [(0,)])
        wait_until(lambda: ask(settings, "select count(*) from outbox where published_at is null") == [(0,)])
    return sorted({one.person_id for one in records} | {*crowd, *few, *late})


@contextmanager
def copy_of(standing: Settings) -> Iterator[Settings]:
    """Copy the database; the topics stay those of all."""
    address, _, template = standing.database.rpartition("/")
    name = f"jejak_audit_{os.getpid()}_{next(_copies)}"
    make_database(standing, name, template=template)
    try:
        yield msgspec.structs.replace(standing, database=f"{address}/{name}")
    finally:
        drop_database(standing, name)


def differences(settings: Settings, *checks: str, wait_s: float = 20.0) -> list[Difference]:
    """Return what an audit finds."""
    found: list[Difference] = []
    findings = Findings(checks or tuple(CHECKS), found.append)
    audit(settings, findings, wait_s=wait_s, say=lambda _: None)
    assert findings.differences == len(found)
    return found


def change(settings: Settings, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Do to the database what nobody of ours would."""
    with closing_after(settings, "jejak_owner") as cur:
        cur.execute(sql, values or None)
        return list(cur.fetchall()) if cur.description else []
