"""What the tests of cases and traces share: facilities, stays, results, requests, and a database to put them in."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count, groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.events import ContactDecision, TestResult, TraceRequest
from schemas.settings import Settings
from tracing.cases.register import Fact, register
from tracing.cases.rows import due_traces, person_uuid
from tracing.counts import Counts, FacilityHour, add, counts_of
from tracing.instants import us_of
from tracing.job import Run, run_trace
from tracing.store import add_counts, connect, insert_visits, make_weeks, prepare, week_of
from tracing.visits import Visit

JAKARTA = ZoneInfo("Asia/Jakarta")
ONSET = date(2026, 11, 10)
LAB = "LAB-1"
# facility_id: name, kind, time zone, district
FACILITIES = {
    "RS-1": ("RSUD Kota Tangerang", "hospital", "Asia/Jakarta", "36.71"),
    "PKM-1": ("Puskesmas Cipondoh", "puskesmas", "Asia/Jakarta", "36.71"),
    "PKM-2": ("Puskesmas Gambir", "puskesmas", "Asia/Jakarta", "31.71"),
    "RS-9": ("RSUD Jayapura", "hospital", "Asia/Jayapura", "91.71"),
    LAB: ("Labkesda Tangerang", "laboratory", "Asia/Jakarta", "36.71"),
    "LAB-2": ("Labkes Jakarta", "laboratory", "Asia/Jakarta", "31.71"),
}
_numbers = count(1)


def uuid7() -> str:
    return str(UUID(int=next(_numbers) | 0x7 << 76 | 0x2 << 62))


def somebody(number: int) -> str:
    """Return a person id that is unlike anything else."""
    return f"{0xC0FFEE << 100 | number:032x}"


def at(text: str, zone: ZoneInfo = JAKARTA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def positive(person_id: str, **changes: Any) -> TestResult:
    values: dict[str, Any] = {
        "result_id": uuid7(),
        "lab_ref": f"ref-{next(_numbers)}",
        "person_id": person_id,
        "test": "pcr",
        "result": "positive",
        "status": "final",
        "specimen_at": at("2026-11-11 08:30"),
        "reported_at": at("2026-11-12 09:00"),
        "date_onset": ONSET,
        "laboratory": LAB,
        "by": "lab one",
        "received_at": at("2026-11-12 09:00:01"),
    }
    return TestResult(**values | changes)


def request(person_id: str, action: str = "request", by: str = "epi one", **changes: Any) -> TraceRequest:
    values: dict[str, Any] = {
        "request_id": uuid7(),
        "person_id": person_id,
        "action": action,
        "by": by,
        "role": "epidemiologist",
        "area": "36.71",
        "reason": "interview",
        "at": at("2026-11-12 10:00") + timedelta(seconds=next(_numbers)),
    }
    return TraceRequest(**values | changes)


def decide(person_id: str, case_id: str, ref: str, decision: str, **changes: Any) -> ContactDecision:
    values: dict[str, Any] = {
        "decision_id": uuid7(),
        "person_id": person_id,
        "case_id": case_id,
        "contact_ref": ref,
        "decision": decision,
        "by": "epi one",
        "reason": "call",
        "at": at("2026-11-13 10:00") + timedelta(seconds=next(_numbers)),
    }
    return ContactDecision(**values | changes)


class Town:
    """A database with facilities, in which stays, facts and runs happen; `area` holds where persons live."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.conn = connect(settings, "jejak_traces")
        with self.as_role("jejak_ops") as cur:
            for facility_id, values in FACILITIES.items():
                cur.execute(
                    "insert into facility (facility_id, name, kind, time_zone, district) values (%s, %s, %s, %s, %s)"
                    " on conflict do nothing",
                    (facility_id, *values),
                )
            cur.execute("select facility_id, facility_no from facility")
            self.numbers = dict(cur.fetchall())

    def close(self) -> None:
        self.conn.close()

    @contextmanager
    def as_role(self, role: str) -> Iterator[Any]:
        conn = connect(self.settings, role)
        try:
            with conn, conn.cursor() as cur:
                yield cur
        finally:
            conn.close()

    def stay(self, person_id: str, facility_id: str, start: str, end: str, **changes: Any) -> Visit:
        """Store a visit; times are local to the facility."""
        visit = self.visit(person_id, facility_id, start, end, **changes)
        self.stays([visit])
        return visit

    def visit(self, person_id: str, facility_id: str, start: str, end: str, **changes: Any) -> Visit:
        """Return a visit; times are local to the facility."""
        zone = ZoneInfo(FACILITIES[facility_id][2])
        values: dict[str, Any] = {
            "visit_id": uuid7(),
            "person": person_uuid(person_id),
            "facility": self.numbers[facility_id],
            "kind": FACILITIES[facility_id][1],
            "time_zone": zone.key,
            "check_in": us_of(at(start, zone)),
            "check_out": us_of(at(end, zone)),
            "check_in_estimated": False,
            "check_out_estimated": False,
            "role": "visitor",
        }
        return Visit(**values | changes)

    def stays(self, visits: Iterable[Visit]) -> None:
        visits = list(visits)
        with self.as_role("jejak_visits") as cur:
            make_weeks(cur, {week_of(visit.check_in) for visit in visits})
        with self.as_role("jejak_visits") as cur:
            insert_visits(cur, visits)
            counts: dict[FacilityHour, Counts] = {}
            for _, own in groupby(sorted(visits, key=_person), key=_person):
                add(counts, counts_of(own, []))
            prepare(cur)
            add_counts(cur, {0: counts})

    def lives_in(self, person_id: str, district: str) -> None:
        with self.as_role("jejak_gate") as cur:
            cur.execute("insert into person_area values (%s, %s)", (person_uuid(person_id), district))

    def take(self, fact: Fact) -> list[Run]:
        """Take a fact in and run what is due, as the worker does."""
        with self.conn, self.conn.cursor() as cur:
            register(cur, fact)
            due = due_traces(cur, person_uuid(fact.person_id))
        return [run_trace(self.conn, *trace) for trace in due]

    def register(self, fact: Fact) -> str:
        with self.conn, self.conn.cursor() as cur:
            return register(cur, fact)

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self.as_role("jejak_ops") as cur:
            cur.execute(sql, values)
            return list(cur.fetchall())

    def move_horizon(self, day: str) -> None:
        """Say that what was before a day has been let go, and let go nothing."""
        with self.as_role("jejak_owner") as cur:
            cur.execute(
                "insert into position (topic, partition, cluster_id, first, next_offset, horizon)"
                " values ('scan.v1', 0, 'c', 0, 0, %s)"
                " on conflict (topic, partition) do update set horizon = excluded.horizon",
                (day,),
            )

    def case(self, person_id: str) -> tuple[Any, ...]:
        """Return id, state, class, who asked and who approved of the person's only case."""
        rows = self.ask(
            'select case_id, state, classification, requested_by, approved_by from "case" where person = %s',
            person_uuid(person_id),
        )
        assert len(rows) == 1
        return rows[0]


def _person(visit: Visit) -> str:
    return str(visit.person)


@contextmanager
def town_in(make: Callable[[], Settings]) -> Iterator[Town]:
    town = Town(make())
    try:
        yield town
    finally:
        town.close()


def local(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
