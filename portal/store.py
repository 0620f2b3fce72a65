"""All SQL of the front door, and its small pool of connections. The one who holds the connection commits.

The vault has a store of its own (`portal/vault/store.py`).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
import psycopg2
from psycopg2 import extensions

from schemas.errors import Unavailable
from schemas.settings import Settings
from tracing.store import connect, is_trouble

Connection: TypeAlias = extensions.connection
Cursor: TypeAlias = extensions.cursor

ROLE: Final = "jejak_gate"
STATEMENT_TIMEOUT_MS: Final = 8_000


class KeyRow(msgspec.Struct, frozen=True):
    """An API key without its secret."""

    key_id: str
    principal: str
    role: str
    facility: str
    area: str
    demo: bool
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class FacilityRow(msgspec.Struct, frozen=True):
    """A facility as the gate needs it."""

    facility_no: int
    facility_id: str
    name: str
    kind: str
    owner: str
    time_zone: str
    district: str


class HourRow(msgspec.Struct, frozen=True):
    """Counts of one clock hour, all shards together."""

    hour: datetime
    arrivals: int
    departures: int
    visitors: int
    person_us: int
    estimated: int
    refused: int
    manual: int
    flagged: int


class CaseRow(msgspec.Struct, frozen=True):
    """What the gate must know of a case to say who may do what with it."""

    case_id: str
    person: str  # 32 hex digits
    state: str
    classification: str
    area: str
    requested_by: str
    reason: str
    opened_at: datetime
    trace_state: str  # of its trace, as it is now; empty: none


class ResultRow(msgspec.Struct, frozen=True):
    """A test result that the traces agent has applied."""

    laboratory: str
    by: str
    case_id: str | None
    case_state: str | None
    area: str | None


class Pool:
    """At most `size` connections, each used by one thread at a time; broken ones are replaced at the next use."""

    def __init__(self, open_connection: Callable[[], Connection], size: int) -> None:
        self._open = open_connection
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[Connection] = []

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection for one transaction: committed at the end, rolled back by an exception.

        Raises:
            Unavailable: the database is away, or asks to try again.
        """
        with self._free:
            conn = self._idle.pop() if self._idle else self._open()
            try:
                with conn:
                    yield conn
            except psycopg2.Error as error:
                if conn.closed or isinstance(error, psycopg2.InterfaceError):
                    self.close()  # the others have lost their server too
                if is_trouble(error):
                    raise Unavailable("the database does not answer") from error
                raise
            finally:
                if conn.closed:
                    conn.close()
                else:
                    self._idle.append(conn)

    def close(self) -> None:
        """Close the connections nobody uses."""
        while self._idle:
            self._idle.pop().close()


def open_pool(settings: Settings, size: int, role: str = ROLE) -> Pool:
    """Return a pool that connects as the gate's role, or another, when first used."""

    def open_connection() -> Connection:
        conn = connect(settings, role)
        with conn, conn.cursor() as cursor:
            cursor.execute("set statement_timeout = %s", (STATEMENT_TIMEOUT_MS,))
        return conn

    return Pool(open_connection, size)


def revision(conn: Connection) -> str:
    """Return the migration the database is at; empty when it has none."""
    with conn.cursor() as cursor:
        cursor.execute("select to_regclass('public.alembic_version') is not null")
        if not _one(cursor)[0]:
            return ""
        cursor.execute("select version_num from alembic_version")
        row = cursor.fetchone()
        return row[0] if row else ""


# API keys


def find_key(conn: Connection, key_hash: bytes) -> KeyRow | None:
    """Return the key with this hash, whether or not it still counts."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_KEYS} where hash = %s", (key_hash,))
        row = cursor.fetchone()
        return KeyRow(*row) if row else None


def list_keys(conn: Connection) -> list[KeyRow]:
    """Return all keys, the newest last."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_KEYS} order by made_at, key_id")
        return [KeyRow(*row) for row in cursor.fetchall()]


def add_key(conn: Connection, key: KeyRow, key_hash: bytes) -> None:
    """Store a new key by its hash."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into api_key (key_id, principal, role, facility, area, demo, made_at, expires_at, revoked_at, hash)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (*msgspec.structs.astuple(key), key_hash),
        )


def revoke_key(conn: Connection, key_id: str, at: datetime) -> bool:
    """Revoke a key from `at` on; say whether there is one of that id. The first revocation stands."""
    with conn.cursor() as cursor:
        cursor.execute("update api_key set revoked_at = coalesce(revoked_at, %s) where key_id = %s", (at, key_id))
        return bool(cursor.rowcount)


def demo_accounts(conn: Connection) -> int:
    """Return how many accounts of a demo are not closed."""
    with conn.cursor() as cursor:
        cursor.execute("select count(*) from account where demo and closed_at is null")
        return int(_one(cursor)[0])


# Facilities, occupancy, hours


def list_facilities(conn: Connection) -> list[FacilityRow]:
    """Return all facilities by id."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select facility_no, facility_id, name, kind, owner, time_zone, district from facility"
            ' order by facility_id collate "C"'
        )
        return [FacilityRow(*row) for row in cursor.fetchall()]


def put_facility(conn: Connection, row: FacilityRow) -> None:
    """Add a facility, or change name, owner and district of the one with that id; `facility_no` is not used."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into facility (facility_id, name, kind, owner, time_zone, district) values (%s, %s, %s, %s, %s, %s)"
            " on conflict (facility_id) do update set name = excluded.name, owner = excluded.owner,"
            " district = excluded.district",
            msgspec.structs.astuple(row)[1:],
        )


def occupancy(conn: Connection, facility_no: int, at: datetime) -> int:
    """Return how many visits are open at `at`: check-in ≤ at < check-out.

    Stays up to a day and longer ones lie in two tables, and only the first know how far back a look must go.
    """
    with conn.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from visit where key between %(key)s and %(key)s + 2"
            " and check_in between %(at)s - interval '1 day' and %(at)s and check_out > %(at)s)"
            " + (select count(*) from visit_long where key between %(key)s + 3 and %(key)s + 7"
            " and check_in <= %(at)s and check_out > %(at)s)",
            {"key": facility_no * 8, "at": at},
        )
        return int(_one(cursor)[0])


def hours(conn: Connection, facility_no: int, since: datetime, until: datetime) -> list[HourRow]:
    """Return the counts of the hours that begin in [since, until), in order; an hour of nothing is left out."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select hour, sum(arrivals), sum(departures), sum(visitors), sum(person_us), sum(estimated),"
            " sum(refused), sum(manual), sum(flagged) from facility_hour"
            " where facility_no = %s and hour >= %s and hour < %s group by hour"
            " having (sum(arrivals), sum(departures), sum(visitors), sum(person_us), sum(estimated), sum(refused),"
            " sum(manual), sum(flagged)) is distinct from (0, 0, 0, 0, 0, 0, 0, 0) order by hour",
            (facility_no, since, until),
        )
        return [HourRow(row[0], *map(int, row[1:])) for row in cursor.fetchall()]


# Cases and results


def find_case(conn: Connection, case_id: str) -> CaseRow | None:
    """Return the case of that id."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_CASES} where case_id = %s", (case_id,))
        row = cursor.fetchone()
        return CaseRow(*row) if row else None


def list_cases(conn: Connection, area: str, principal: str, state: str, limit: int) -> list[CaseRow]:
    """Return the cases of an area (`all`, a province, a district) and those `principal` asked for, pending first.

    With a `state` only those whose case or trace has it.
    """
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_CASES} where (%(area)s = 'all' or area = %(area)s or area like %(area)s || '.%%'"
            " or requested_by = %(principal)s) and (%(state)s = '' or state = %(state)s or trace_state = %(state)s)"
            " order by state <> 'pending', opened_at desc, case_id limit %(limit)s",
            {"area": area, "principal": principal, "state": state, "limit": limit},
        )
        return [CaseRow(*row) for row in cursor.fetchall()]


def has_contact(conn: Connection, case_id: str, contact_ref: str) -> bool:
    """Say whether the case has, or had, a candidate whom people name so."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select exists (select 1 from candidate join trace using (trace_id) where case_id = %(case)s"
            " and contact_ref = %(ref)s) or exists (select 1 from reference where case_id = %(case)s"
            " and ref = %(ref)s and person is not null)",
            {"case": case_id, "ref": contact_ref},
        )
        return bool(_one(cursor)[0])


def decisions_about(conn: Connection, case_id: str, contact_ref: str) -> list[tuple[str, str, str, str, datetime]]:
    """Return what was decided about a candidate, by whom, as what, why and when; the latest first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select d.decision, d.by, d.role, d.reason, d.at from contact_decision d join reference r"
            " on r.case_id = d.case_id and r.person = d.person where d.case_id = %s and r.ref = %s and r.office = ''"
            " order by d.at desc, d.decision_id desc",
            (case_id, contact_ref),
        )
        return cursor.fetchall()


def find_result(conn: Connection, result_id: str) -> ResultRow | None:
    """Return an applied test result with the case it belongs to."""
    with conn.cursor() as cursor:
        cursor.execute(
            'select r.laboratory, r.by, r.case_id, c.state, c.area from test_result r left join "case" c'
            " using (case_id) where result_id = %s",
            (result_id,),
        )
        row = cursor.fetchone()
        return ResultRow(*row) if row else None


def append_audit(conn: Connection, who: str, what: str, which: str, why: str = "") -> None:
    """Write one line into the hash-chained audit."""
    with conn.cursor() as cursor:
        cursor.execute("select append_audit(%s, %s, %s, %s)", (who, what, which, why))


# Alerts


def look_as(conn: Connection, office: str) -> None:
    """Say for the rest of the transaction which office looks at alerts: `d3671`, `p36`, or `all` for the ministry.

    A row-level policy shows it its own and those that may escalate to it; whoever says nothing sees none.
    """
    with conn.cursor() as cursor:
        cursor.execute("select set_config('jejak.office', %s, true)", (office,))


# Decisions


def next_serials(conn: Connection, wanted: int) -> int:
    """Return the first of so many serials, above every one given before by any gate; the others follow it."""
    with conn.cursor() as cursor:
        cursor.execute("select next_decision_serials(%s)", (wanted,))
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


# Residence


def put_areas(conn: Connection, areas: Sequence[tuple[str, str]]) -> None:
    """Store the district of residence of persons, given in the order of their ids: so two gates never dead-lock."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into person_area (person, district) select * from unnest(%s::uuid[], %s::text[])"
            " on conflict (person) do update set district = excluded.district",
            ([person for person, _ in areas], [district for _, district in areas]),
        )


_KEYS = "select key_id, principal, role, facility, area, demo, made_at, expires_at, revoked_at from api_key"
_CASES = (
    "select * from (select c.case_id, replace(c.person::text, '-', ''), c.state, c.classification, c.area,"
    " c.requested_by, c.reason, c.opened_at, coalesce(case when t.state = 'open' and t.closes_at <= now() then 'closed'"
    " else t.state end, '') as trace_state from \"case\" c left join lateral (select state, closes_at from trace t"
    " where t.case_id = c.case_id order by t.state <> 'stale', t.trace_id limit 1) t on true) c"
)


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
