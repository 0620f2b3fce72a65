"""Scans, visits and counts in PostgreSQL. Takes a cursor; the one who opened it commits.

`connect` is the one way to a database of ours: a service role, its password from a file, never from argv.
Everything is done for a set at once, never row by row. Persons and scan ids are UUIDs as text with dashes here,
instants are microseconds since 1970, facilities their number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
import psycopg2
from psycopg2 import extensions

from schemas.errors import InvalidSettings, Unavailable
from schemas.events import Scan, ScanDecision
from schemas.network import is_loopback
from schemas.settings import Settings
from tracing.counts import Counts, FacilityHour
from tracing.instants import DAY_US, MINUTE_US, utc_of
from tracing.keys import is_short, visit_key
from tracing.rows import DecisionKey, Facility, ScanKey, StoredScan
from tracing.stays import ALWAYS, StayRule
from tracing.visits import Visit

Connection: TypeAlias = extensions.connection
Cursor: TypeAlias = extensions.cursor

_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
_STAGES: Final = """
    create temporary table if not exists stage_scan (like scan) on commit delete rows;
    create temporary table if not exists stage_decision (like scan_decision) on commit delete rows
"""
_COUNTS: Final = Counts.__struct_fields__
_COLUMNS: Final = ", ".join(_COUNTS)


def connect(settings: Settings, role: str, *, database: str = "") -> Connection:
    """Return a new connection as database role `role` (e.g. `jejak_gate`), not in autocommit.

    Raises:
        Unavailable: the server does not answer, or refuses the role.
        InvalidSettings: no address is set, its network is not private, or its password file is missing.
    """
    address = urlsplit(database or settings.database)
    if not address.hostname:
        raise InvalidSettings("is not set", field="JEJAK_DATABASE")
    if not (settings.database_ca or settings.private_network or is_loopback(address.hostname)):
        raise InvalidSettings(
            "a database beyond loopback needs TLS (JEJAK_DATABASE_CA), or JEJAK_PRIVATE_NETWORK=true",
            field="JEJAK_DATABASE",
        )
    try:
        password = settings.secret_file("database", role).read_text().strip()
    except OSError as error:
        raise InvalidSettings(f"has no readable password file for {role}", field="JEJAK_SECRETS") from error
    tls: dict[str, Any] = (
        {"sslmode": "verify-full", "sslrootcert": str(Path(settings.database_ca))} if settings.database_ca else {}
    )
    try:
        opened: Connection = psycopg2.connect(
            host=address.hostname,
            port=address.port or 5432,
            dbname=address.path.lstrip("/"),
            user=role,
            password=password,
            connect_timeout=10,
            application_name=role,
            options="-c timezone=UTC",
            **tls,
        )
    except psycopg2.OperationalError as error:
        raise Unavailable("the database does not answer") from error
    return opened


def prepare(cur: Cursor) -> None:
    """Make this connection's stages."""
    cur.execute(_STAGES)


def read_facilities(cur: Cursor) -> list[Facility]:
    """Return all facilities."""
    cur.execute("select facility_no, facility_id, kind, time_zone from facility")
    return [Facility(*row) for row in cur.fetchall()]


def read_stay_rules(cur: Cursor) -> list[StayRule]:
    """Return the dated table of stays."""
    begins = _US.format("valid_from")
    cur.execute(
        f"select case when isfinite(valid_from) then {begins} end, kind, assumed_minutes, max_minutes from stay_rule"  # noqa: S608 — a constant
    )
    return [
        StayRule(ALWAYS if begins is None else begins, kind, assumed * MINUTE_US, longest * MINUTE_US)
        for begins, kind, assumed, longest in cur.fetchall()
    ]


def add_scans(cur: Cursor, scans: Iterable[tuple[Scan, int, bytes, int]]) -> set[ScanKey]:
    """Store the scans that are new; return their (person, scan_id).

    Args:
        cur: of the batch's transaction.
        scans: (scan, facility_no, its `client_body`, accepted at), one per identity.
    """
    _copy(cur, "stage_scan", (_scan_line(*scan) for scan in scans))
    cur.execute(
        "insert into scan select * from stage_scan on conflict (person, scan_id) do nothing"
        " returning person::text, scan_id::text"
    )
    return set(cur.fetchall())


def add_decisions(cur: Cursor, decisions: Iterable[tuple[ScanDecision, int]]) -> set[DecisionKey]:
    """Store the decisions (each with when it was accepted) that are new; return their identities."""
    _copy(cur, "stage_decision", (_decision_line(*decision) for decision in decisions))
    cur.execute(
        "insert into scan_decision select * from stage_decision on conflict do nothing"
        " returning person::text, scan_id::text, serial, by"
    )
    return set(cur.fetchall())


def scan_bodies(cur: Cursor, scans: Collection[ScanKey]) -> dict[ScanKey, bytes]:
    """Return what the client sent for each of these stored scans, as `client_body` gives it."""
    cur.execute(
        "select person::text, scan_id::text, uuid_send(digest) from scan"
        " join unnest(%s::uuid[], %s::uuid[]) as asked (person, scan_id) using (person, scan_id)",
        (_array(person for person, _ in scans), _array(scan_id for _, scan_id in scans)),
    )
    return {(person, scan_id): bytes(digest) for person, scan_id, digest in cur.fetchall()}


def decision_bodies(cur: Cursor, persons: Collection[str]) -> dict[DecisionKey, tuple[int, str, str]]:
    """Return (scan_at, verdict, reason) of every stored decision about scans of these persons, by its identity."""
    cur.execute(
        f"select person::text, scan_id::text, serial, by, {_US.format('scan_at')}, decision, reason"  # noqa: S608 — a constant
        " from scan_decision where person = any(%s::uuid[])",
        (_array(persons),),
    )
    return {(row[0], row[1], row[2], row[3]): (row[4], row[5], row[6]) for row in cur.fetchall()}


def read_scans(cur: Cursor, persons: Collection[str]) -> list[StoredScan]:
    """Return all standing scans of these persons."""
    cur.execute(
        f"select person::text, scan_id::text, facility_no, gate, zone, {_US.format('at')}, admitted, role, channel"  # noqa: S608 — a constant
        " from scan where person = any(%s::uuid[])",
        (_array(persons),),
    )
    return [StoredScan(*row) for row in cur.fetchall()]


def read_visits(cur: Cursor, persons: Collection[str], facilities: Mapping[int, Facility]) -> list[Visit]:
    """Return all visits of these persons as they are stored."""
    cur.execute(
        f"select visit_id::text, person::text, key >> 3, {_US.format('check_in')}, {_US.format('check_out')},"  # noqa: S608 — constants
        " check_in_estimated, check_out_estimated, role, zones::text from every_visit where person = any(%s::uuid[])",
        (_array(persons),),
    )
    return [_visit(row, facilities[row[2]]) for row in cur.fetchall()]


def known_weeks(cur: Cursor) -> set[int]:
    """Return the weeks for which visits can be stored, as days since 1970 of their Mondays."""
    cur.execute(
        "select to_date(substring(inhrelid::regclass::text from '[0-9]{4}w[0-9]{2}$'), 'IYYY\"w\"IW')"
        " - date '1970-01-01' from pg_inherits where inhparent = 'visit'::regclass"
    )
    return {row[0] for row in cur.fetchall()}


def week_of(at: int) -> int:
    """Return the week of an instant, as `known_weeks` names it."""
    day = at // DAY_US
    return day - (day + 3) % 7  # 1970-01-01 was a Thursday


def make_weeks(cur: Cursor, weeks: Iterable[int]) -> None:
    """Make these weeks; in a transaction of its own, for it locks the table of visits."""
    for week in sorted(weeks):
        cur.execute("select make_visit_partition(date '1970-01-01' + %s)", (week,))


def delete_visits(cur: Cursor, visits: Sequence[Visit]) -> None:
    """Delete these visits, as they are stored."""
    for table, some in _by_table(visits):
        cur.execute(
            f"delete from {table} as v using unnest(%s::uuid[], %s::timestamptz[], %s::uuid[])"  # noqa: S608 — one of two names
            " as gone (person, check_in, visit_id)"
            " where v.person = gone.person and v.check_in = gone.check_in and v.visit_id = gone.visit_id",
            (
                _array(str(visit.person) for visit in some),
                _array(f'"{utc_of(visit.check_in)}"' for visit in some),
                _array(visit.visit_id for visit in some),
            ),
        )
        assert cur.rowcount == len(some), "a visit to delete was not there"


def insert_visits(cur: Cursor, visits: Sequence[Visit]) -> None:
    """Store these visits; their weeks exist."""
    for table, some in _by_table(visits):
        _copy(cur, table, map(_visit_line, some))


def add_counts(cur: Cursor, shard: int, differences: Mapping[FacilityHour, Counts]) -> list[tuple[int, int, Counts]]:
    """Add the differences into a shard; return its (facility_no, hour, counts) as they are now.

    An hour whose counts have all become zero is returned, and has no row any more.
    """
    if not differences:
        return []
    hours = sorted(differences.items())  # in one order in every process: no two wait for each other
    added = ", ".join(f"{name} = f.{name} + excluded.{name}" for name in _COUNTS)
    cur.execute(
        f"insert into facility_hour as f (facility_no, hour, shard, {_COLUMNS})"  # noqa: S608 — constants
        f" select facility_no, timestamptz 'epoch' + hour * interval '1 microsecond', %s, {_COLUMNS}"
        f" from unnest(%s::int[], %s::bigint[]{', %s::bigint[]' * len(_COUNTS)}) as d (facility_no, hour, {_COLUMNS})"
        f" on conflict (facility_no, hour, shard) do update set {added}"
        f" returning facility_no, {_US.format('hour')}, {_COLUMNS}",
        (
            shard,
            _array(str(facility) for (facility, _), _ in hours),
            _array(str(hour) for (_, hour), _ in hours),
            *(_array(str(getattr(counts, name)) for _, counts in hours) for name in _COUNTS),
        ),
    )
    now = [(facility, hour, Counts(*counts)) for facility, hour, *counts in cur.fetchall()]
    empty = [(facility, hour) for facility, hour, counts in now if counts == Counts()]
    if empty:
        cur.execute(
            "delete from facility_hour as f using unnest(%s::int[], %s::bigint[]) as gone (facility_no, hour)"
            " where f.facility_no = gone.facility_no and f.shard = %s"
            " and f.hour = timestamptz 'epoch' + gone.hour * interval '1 microsecond'",
            (_array(str(facility) for facility, _ in empty), _array(str(hour) for _, hour in empty), shard),
        )
    return now


def _array(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"


def _copy(cur: Cursor, table: str, lines: Iterable[str]) -> None:
    cur.copy_expert(f"copy {table} from stdin", StringIO("".join(lines)))


def _text(value: str) -> str:
    """Return a text for COPY; the validator lets no control character through."""
    return value.replace("\\", "\\\\") if "\\" in value else value


def _number(value: int | None) -> str:
    return "\\N" if value is None else str(value)


def _scan_line(scan: Scan, facility_no: int, body: bytes, accepted_at: int) -> str:
    return (
        f"{scan.person_id}\t{scan.scan_id}\t{facility_no}\t{scan.gate}\t{scan.at}\t{_text(scan.zone)}\t"
        f"{scan.admitted}\t{scan.role}\t{scan.channel}\t{body.hex()}\t{utc_of(accepted_at)}\t{_text(scan.group_id)}\t"
        f"{_text(scan.refused_reason)}\t{scan.assurance}\t{_text(scan.device_id)}\t{_number(scan.device_seq)}\t"
        f"{_number(scan.poster_version)}\t{_text(scan.entered_by)}\t{scan.received_at}\n"
    )


def _decision_line(decision: ScanDecision, accepted_at: int) -> str:
    return (
        f"{decision.person_id}\t{decision.scan_id}\t{decision.serial}\t{_text(decision.by)}\t{decision.decision}\t"
        f"{decision.scan_at}\t{_text(decision.reason)}\t{utc_of(accepted_at)}\n"
    )


def _visit_line(visit: Visit) -> str:
    assert isinstance(visit.facility, int)
    zones = _text(msgspec.json.encode(visit.zones).decode()) if visit.zones else "\\N"
    return (
        f"{visit_key(visit.facility, visit.check_in, visit.check_out)}\t{visit.person}\t{utc_of(visit.check_in)}\t"
        f"{utc_of(visit.check_out)}\t{visit.visit_id}\t{visit.check_in_estimated}\t{visit.check_out_estimated}\t"
        f"{visit.role}\t{zones}\n"
    )


def _by_table(visits: Sequence[Visit]) -> list[tuple[str, list[Visit]]]:
    short: list[Visit] = []
    long: list[Visit] = []
    for visit in visits:
        (short if is_short(visit_key(0, visit.check_in, visit.check_out)) else long).append(visit)
    return [(table, some) for table, some in (("visit", short), ("visit_long", long)) if some]


def _visit(row: tuple[Any, ...], facility: Facility) -> Visit:
    visit_id, person, number, check_in, check_out, in_estimated, out_estimated, role, zones = row
    return Visit(
        visit_id,
        person,
        number,
        facility.kind,
        facility.time_zone,
        check_in,
        check_out,
        in_estimated,
        out_estimated,
        role,
        msgspec.json.decode(zones, type=tuple[tuple[int, str], ...]) if zones else (),
    )
