"""Scans, visits and counts in PostgreSQL. Takes a cursor; the one who opened it commits.

`connect` is the one way to a database of ours: a service role, its password from a file, never from argv.
Everything is done for a set at once, never row by row. Persons and scan ids are UUIDs as text with dashes here,
instants are microseconds since 1970, facilities their number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
import psycopg2
from msgspec.structs import astuple
from psycopg2 import extensions

from schemas.errors import Conflict, InvalidSettings, Unavailable
from schemas.events import Scan, ScanDecision
from schemas.network import is_loopback
from schemas.settings import Settings
from tracing import copies
from tracing.counts import Counts, FacilityHour
from tracing.fast import State, decode_state, encode_state
from tracing.instants import DAY_US, EPOCH, MINUTE_US, utc_of
from tracing.keys import is_short, visit_key
from tracing.lines import decision_line, scan_line, visit_line
from tracing.rows import DecisionKey, Facility, ScanKey, StoredScan
from tracing.stays import ALWAYS, StayRule
from tracing.visits import Visit

Connection: TypeAlias = extensions.connection
Cursor: TypeAlias = extensions.cursor

_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
TROUBLE: Final = frozenset({"08", "40", "53", "55", "57", "58"})  # SQLSTATE classes that pass by themselves
_COUNTS: Final = Counts.__struct_fields__
_COLUMNS: Final = ", ".join(_COUNTS)
_TWO_FIELDS: Final = copies.fields(2)
_ADDED: Final = ", ".join(f"{name} = f.{name} + excluded.{name}" for name in _COUNTS)
_PREPARED: Final = f"""
    create temporary table if not exists stage_scan (like scan) on commit delete rows;
    create temporary table if not exists stage_decision (like scan_decision) on commit delete rows;
    prepare states (uuid[]) as select person::text, state from pairing where person = any($1);
    prepare set_states (uuid[], text[]) as update pairing p set state = s.state
        from unnest($1, $2) as s (person, state) where p.person = s.person;
    prepare counts (smallint[], int[], bigint[]{", int[]" * 4}, bigint[]{", int[]" * 3}) as
        insert into facility_hour as f (shard, facility_no, hour, {_COLUMNS})
        select shard, facility_no, timestamptz 'epoch' + hour * interval '1 microsecond', {_COLUMNS}
        from unnest({", ".join(f"${number}" for number in range(1, 4 + len(_COUNTS)))})
            as d (shard, facility_no, hour, {_COLUMNS})
        on conflict (facility_no, hour, shard) do update set {_ADDED}
        returning shard, facility_no, {_US.format("hour")}, {_COLUMNS}
"""  # noqa: S608 — constants


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


def is_trouble(error: Exception) -> bool:
    """Say whether the error passes by itself: a lost connection, a lock, no room, a server going down."""
    if isinstance(error, psycopg2.Error) and error.pgcode:
        return error.pgcode[:2] in TROUBLE
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError | Unavailable)


def read_partitions(cur: Cursor) -> int:
    """Return N as it was when the topics were made; 0 before that."""
    cur.execute("select coalesce((select value::int from installation where name = 'partitions'), 0)")
    (found,) = cur.fetchone() or (0,)
    return int(found)


def check_partitions(cur: Cursor, settings: Settings) -> None:
    """Refuse to run with another number of partitions than the topics were made with.

    Raises:
        Conflict: they differ, or there are no topics yet.
    """
    made_with = read_partitions(cur)
    if not made_with:
        raise Conflict("there are no topics: run `jejak topics`")
    if made_with != settings.partitions:
        raise Conflict(f"the topics were made with {made_with} partitions, JEJAK_PARTITIONS says {settings.partitions}")


def prepare(cur: Cursor) -> None:
    """Make this connection's stages and statements; the fold's functions below need them."""
    cur.execute(_PREPARED)


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
    """Store the scans that are new, whatever is stored already; return the (person, scan_id) of those.

    Args:
        cur: of the batch's transaction.
        scans: (scan, facility_no, its `client_body`, accepted at), one per identity.
    """
    _copy(cur, "stage_scan", (scan_line(*scan) for scan in scans))
    cur.execute(
        "insert into scan select * from stage_scan on conflict (person, scan_id) do nothing"
        " returning person::text, scan_id::text"
    )
    return set(cur.fetchall())


def copy_scans(cur: Cursor, scans: Iterable[tuple[Scan, int, bytes, int]]) -> None:
    """Store scans of which none is stored: in half the time of `add_scans`.

    Raises:
        Conflict: one is; the transaction is void.
    """
    try:
        _copy(cur, "scan", (scan_line(*scan) for scan in scans))
    except psycopg2.errors.UniqueViolation:
        raise Conflict("a scan is stored already") from None


def add_decisions(cur: Cursor, decisions: Iterable[tuple[ScanDecision, int]]) -> set[DecisionKey]:
    """Store the decisions (each with when it was accepted) that are new; return their identities."""
    _copy(cur, "stage_decision", (decision_line(*decision) for decision in decisions))
    cur.execute(
        "insert into scan_decision select * from stage_decision on conflict do nothing"
        " returning person::text, scan_id::text, serial, by"
    )
    return set(cur.fetchall())


def read_states(cur: Cursor, persons: Collection[str]) -> dict[str, State | None]:
    """Return the rows of these persons; None where one is not known, nothing of a person never seen."""
    cur.execute("execute states (%s)", (_array(persons),))
    return {person: None if state is None else decode_state(state) for person, state in cur.fetchall()}


def read_carries(cur: Cursor, persons: Collection[str]) -> dict[str, State]:
    """Return what the scans and visits of these persons left that were dropped; nothing of whom nothing was."""
    cur.execute("select person::text, state from carry where person = any(%s::uuid[])", (_array(persons),))
    return {person: decode_state(state) for person, state in cur.fetchall()}


def write_states(cur: Cursor, states: Mapping[str, State], known: Collection[str]) -> None:
    """Write the rows of persons; those of `known` are there already."""
    new = {person: state for person, state in states.items() if person not in known}
    if new:
        lines = (_TWO_FIELDS + copies.uuid(who) + copies.blob(encode_state(state)) for who, state in new.items())
        _copy(cur, "pairing", lines)
    if len(new) < len(states):
        changed = {person: state for person, state in states.items() if person not in new}
        cur.execute(
            "execute set_states (%s, %s)",
            (_array(changed), [encode_state(state).decode() for state in changed.values()]),
        )
        assert cur.rowcount == len(changed), "a row of a person to change was not there"


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


def read_rides(cur: Cursor, scans: Collection[ScanKey]) -> list[tuple[str, int, int]]:
    """Return (person, facility_no, at) of each of these scans that is of a group entry."""
    cur.execute(
        f"select person::text, facility_no, {_US.format('at')} from scan"  # noqa: S608 — a constant
        " join unnest(%s::uuid[], %s::uuid[]) as asked (person, scan_id) using (person, scan_id) where group_id <> ''",
        (_array(person for person, _ in scans), _array(scan_id for _, scan_id in scans)),
    )
    return list(cur.fetchall())


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
            f"delete from {table} as v using unnest(%s::uuid[], %s::timestamptz[], %s::uuid[])"  # noqa: S608 — a name of ours
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
        _copy(cur, table, map(visit_line, some))


def add_counts(
    cur: Cursor, differences: Mapping[int, Mapping[FacilityHour, Counts]]
) -> dict[int, list[tuple[int, int, Counts]]]:
    """Add the differences into their shards; return each shard's (facility_no, hour, counts) as they are now.

    An hour whose counts have all become zero is returned, and has no row any more.
    """
    now: dict[int, list[tuple[int, int, Counts]]] = {shard: [] for shard in differences}
    rows = [(shard, *of, *astuple(counts)) for shard, some in differences.items() for of, counts in some.items()]
    if not rows:
        return now
    rows.sort()  # in one order in every process: no two wait for each other
    cur.execute(f"execute counts ({', '.join(['%s'] * len(rows[0]))})", [*map(_numbers, zip(*rows, strict=True))])
    for shard, facility, hour, *values in cur.fetchall():
        now[shard].append((facility, hour, Counts(*values)))
    nothing = Counts()
    empty = [(shard, *of) for shard, hours in now.items() for *of, counts in hours if counts == nothing]
    if empty:
        cur.execute(
            "delete from facility_hour as f"
            " using unnest(%s::smallint[], %s::int[], %s::bigint[]) as gone (shard, facility_no, hour)"
            " where f.facility_no = gone.facility_no and f.shard = gone.shard"
            " and f.hour = timestamptz 'epoch' + gone.hour * interval '1 microsecond'",
            [*map(_numbers, zip(*empty, strict=True))],
        )
    return now


def _array(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"


def _numbers(column: Sequence[object]) -> str:
    """Return integers as PostgreSQL writes an array: JSON in other brackets."""
    return "{" + msgspec.json.encode(column).decode()[1:-1] + "}"


def _copy(cur: Cursor, table: str, rows: Iterable[bytes]) -> None:
    cur.copy_expert(f"copy {table} from stdin (format binary)", BytesIO(b"".join((copies.HEADER, *rows, copies.END))))


def _by_table(visits: Sequence[Visit]) -> Iterable[tuple[str, list[Visit]]]:
    """Return the tables of visits: a week is named itself, for planning for all weeks costs more than the rows."""
    tables: dict[str, list[Visit]] = {}
    for visit in visits:
        is_week = is_short(visit_key(0, visit.check_in, visit.check_out))
        tables.setdefault(_week_table(week_of(visit.check_in)) if is_week else "visit_long", []).append(visit)
    return tables.items()


@cache
def _week_table(week: int) -> str:
    year, number, _ = (EPOCH + timedelta(days=week)).isocalendar()
    return f"visit_{year}w{number:02}"


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
