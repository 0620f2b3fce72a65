"""What retention reads and writes in PostgreSQL, as role `jejak_retention`. The one who opened the cursor commits."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg2
from msgspec.structs import astuple

from schemas.errors import StopWorker, Unavailable
from schemas.settings import Settings
from schemas.topics import SCAN
from streams.failpoints import watch_statements
from streams.store import SESSION
from tracing.counts import Counts, FacilityHour
from tracing.fast import State, encode_state
from tracing.instants import utc_of
from tracing.rows import DecisionKey, StoredScan
from tracing.store import Connection, Cursor, connect, is_trouble

ROLE: Final = "jejak_retention"
LETTERS_AT_ONCE: Final = 10_000
LETTER_DAYS: Final = 7
AUDIT_DAYS: Final = 365
_COUNTS: Final = Counts.__struct_fields__
_COLUMNS: Final = ", ".join(_COUNTS)
_ADDED: Final = ", ".join(f"{name} = d.{name} + excluded.{name}" for name in _COUNTS)
_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"


@contextmanager
def opened(settings: Settings) -> Iterator[Connection]:
    """Open a connection; what ends it is `Unavailable` where it passes by itself, and `StopWorker` where not.

    An error of the database's own words may hold a row: only its SQLSTATE comes out.
    """
    conn = connect(settings, ROLE)
    try:
        watch_statements(conn)
        with conn, conn.cursor() as cur:
            cur.execute(SESSION)
        yield conn
    except psycopg2.Error as error:
        if is_trouble(error) or conn.closed:
            raise Unavailable("the database does not answer") from None
        raise StopWorker(f"the database refuses retention: SQLSTATE {error.pgcode}") from None
    finally:
        conn.close()


def alone(conn: Connection) -> bool:
    """Say whether this is the one run at work; it is until its connection closes."""
    with conn, conn.cursor() as cur:
        cur.execute("select pg_try_advisory_lock(hashtext('retention'))")
        return bool(_one(cur))


# The horizon


def read_horizons(cur: Cursor) -> dict[int, int | None]:
    """Return the horizon of each partition that was ever read."""
    cur.execute(
        f"select partition, {_US.format('horizon')} from position where topic = %s order by partition",  # noqa: S608 — a constant
        (SCAN.name,),
    )
    return dict(cur.fetchall())


def read_days(cur: Cursor, on: date) -> int:
    """Return for how many days scans and visits are kept, by the dated setting."""
    cur.execute(
        "select value::int from setting_dated where name = 'retention_days' and valid_from <= %s"
        " order by valid_from desc limit 1",
        (on,),
    )
    return int(_one(cur))


def earliest_day_zero(cur: Cursor, now: datetime) -> date | None:
    """Return day zero of the earliest case whose trace still looks, or that waits for its approval."""
    cur.execute(
        'select min(coalesce(c.date_onset, c.date_specimen)) from "case" c left join trace t using (case_id)'
        " where c.state = 'pending' or c.state = 'open' and t.state = 'open' and coalesce(t.closes_at > %s, true)",
        (now,),
    )
    found: date | None = _one(cur)
    return found


def move(cur: Cursor, horizon: int) -> int:
    """Move the horizon of every partition to `horizon` where it is not there yet; return how many moved.

    Positions are locked in the one order of all workers, and none is passed by a scan that is older.
    """
    cur.execute("select 1 from position where topic = %s order by topic, partition for update", (SCAN.name,))
    cur.execute(
        "update position set horizon = %s where topic = %s and coalesce(horizon < %s, true)",
        (utc_of(horizon), SCAN.name, utc_of(horizon)),
    )
    return cur.rowcount


def lock(cur: Cursor, partition: int) -> int | None:
    """Return the partition's horizon, its position locked until the transaction ends."""
    cur.execute(
        f"select {_US.format('horizon')} from position where topic = %s and partition = %s for update",  # noqa: S608 — a constant
        (SCAN.name, partition),
    )
    row = cur.fetchone()
    return None if row is None else row[0]


# Who is due


def find_due(cur: Cursor, horizon: int, partitions: int) -> int:
    """Note whoever has something before the horizon, or a carry that has less to say by now; return how many are due.

    Reads every scan once. The horizon has moved before: nobody gets anything older any more.
    """
    cur.execute(
        "insert into retention_due (partition, person)"
        " select (crc32(convert_to(encode(uuid_send(person), 'hex'), 'SQL_ASCII')) %% %(partitions)s)::int, person"
        " from (select person from scan where at < %(horizon)s"
        "  union select person from scan_decision where scan_at < %(horizon)s"
        "  union select person from carry where until <= %(horizon)s) old on conflict do nothing",
        {"partitions": partitions, "horizon": utc_of(horizon)},
    )
    cur.execute("select count(*) from retention_due")
    return int(_one(cur))


def due(cur: Cursor, partition: int, most: int) -> list[str]:
    """Return some persons of a partition who are due."""
    cur.execute(
        "select person::text from retention_due where partition = %s order by person limit %s", (partition, most)
    )
    return [row[0] for row in cur.fetchall()]


def due_partitions(cur: Cursor) -> list[int]:
    """Return the partitions in which somebody is due."""
    cur.execute("select distinct partition from retention_due order by partition")
    return [row[0] for row in cur.fetchall()]


def done(cur: Cursor, partition: int, persons: Collection[str]) -> None:
    """Take persons off the list."""
    cur.execute(
        "delete from retention_due where partition = %s and person = any(%s::uuid[])", (partition, list(persons))
    )


# What goes, and what it leaves


def delete_scans(cur: Cursor, scans: Sequence[StoredScan], horizon: int) -> None:
    """Delete scans: all that their persons have before the horizon."""
    persons = list({scan.person for scan in scans})
    cur.execute("delete from scan where person = any(%s::uuid[]) and at < %s", (persons, utc_of(horizon)))
    assert cur.rowcount == len(scans), "a scan to drop was not there, or one too many was"


def delete_decisions(cur: Cursor, keys: Sequence[DecisionKey]) -> None:
    """Delete decisions about scans."""
    columns: list[list[Any]] = [list(column) for column in zip(*keys, strict=True)] or [[], [], [], []]
    cur.execute(
        "delete from scan_decision d using unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::text[])"
        " as g (person, scan_id, serial, by)"
        " where (d.person, d.scan_id, d.serial, d.by) = (g.person, g.scan_id, g.serial, g.by)",
        columns,
    )
    assert cur.rowcount == len(keys), "a decision to drop was not there"


def write_carries(cur: Cursor, carries: Mapping[str, tuple[State, int]]) -> None:
    """Write what is left of persons."""
    cur.execute(
        "insert into carry (person, state, until) select * from unnest(%s::uuid[], %s::text[], %s::timestamptz[])"
        " on conflict (person) do update set state = excluded.state, until = excluded.until",
        (
            list(carries),
            [encode_state(state).decode() for state, _ in carries.values()],
            [utc_of(until) for _, until in carries.values()],
        ),
    )


def delete_carries(cur: Cursor, persons: Sequence[str]) -> None:
    """Delete what was left of persons, where anything was."""
    cur.execute("delete from carry where person = any(%s::uuid[])", (list(persons),))


def delete_pairings(cur: Cursor, persons: Sequence[str]) -> None:
    """Forget where pairing stands with persons of whom nothing is left."""
    cur.execute("delete from pairing where person = any(%s::uuid[])", (list(persons),))


def add_hours(cur: Cursor, partition: int, counts: Mapping[FacilityHour, Counts]) -> None:
    """Add what was counted of that which goes."""
    rows = sorted((*of, *astuple(some)) for of, some in counts.items())
    if not rows:
        return
    arrays = ", ".join(["%s::bigint[]"] * len(rows[0]))
    cur.execute(
        f"insert into dropped_hour as d (shard, facility_no, hour, {_COLUMNS})"  # noqa: S608 — our own names
        f" select %s, facility_no, timestamptz 'epoch' + hour * interval '1 microsecond', {_COLUMNS}"
        f" from unnest({arrays}) as g (facility_no, hour, {_COLUMNS})"
        f" on conflict (facility_no, hour, shard) do update set {_ADDED}",
        (partition, *([*column] for column in zip(*rows, strict=True))),
    )


def add_days(cur: Cursor, partition: int, totals: Mapping[int, tuple[int, int, int, int]]) -> None:
    """Add to the totals of days, by their number since 1970."""
    rows = [(day, *total) for day, total in sorted(totals.items())]
    if not rows:
        return
    cur.execute(
        "insert into dropped_day as d (partition, day, scans, decisions, visits, hash)"
        " select %s, date '1970-01-01' + day, scans, decisions, visits, hash"
        " from unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[])"
        " as g (day, scans, decisions, visits, hash)"
        " on conflict (partition, day) do update set scans = d.scans + excluded.scans,"
        " decisions = d.decisions + excluded.decisions, visits = d.visits + excluded.visits,"
        " hash = mod(d.hash + excluded.hash, 340282366920938463463374607431768211456)",
        (partition, *([*column] for column in zip(*rows, strict=True))),
    )


# Everything else that is over its time


def known_weeks_before(cur: Cursor, instant: int) -> list[date]:
    """Return the Mondays of the weeks of visits that ended before an instant."""
    cur.execute(
        "select monday from ("
        "  select to_date(substring(inhrelid::regclass::text from '[0-9]{4}w[0-9]{2}$'), 'IYYY\"w\"IW') as monday"
        "  from pg_inherits where inhparent = 'visit'::regclass) w"
        " where (monday + 7)::timestamp at time zone 'UTC' <= %s order by monday",
        (utc_of(instant),),
    )
    return [row[0] for row in cur.fetchall()]


def drop_empty_week(cur: Cursor, monday: date) -> bool:
    """Drop a week of visits if nothing is in it; say whether it went."""
    cur.execute("select drop_empty_week(%s)", (monday,))
    return bool(_one(cur))


def delete_letters(cur: Cursor, before: datetime) -> int:
    """Delete some dead letters from before an instant, and count them per partition; return how many."""
    cur.execute(
        'with old as (select topic, partition, "offset" from dead_letter where at < %s limit %s), gone as ('
        "  delete from dead_letter d using old"
        '  where (d.topic, d.partition, d."offset") = (old.topic, old.partition, old."offset")'
        "  returning d.topic, d.partition"
        " ), counted as (select topic, partition, count(*) as letters from gone group by 1, 2), kept as ("
        "  insert into dropped_letter as l select * from counted"
        "  on conflict (topic, partition) do update set letters = l.letters + excluded.letters"
        " ) select coalesce(sum(letters), 0) from counted",
        (before, LETTERS_AT_ONCE),
    )
    return int(_one(cur))


def delete_bulk(cur: Cursor, horizon: int) -> int:
    """Delete the contacts of whole days that ended before the horizon; return how many."""
    cur.execute("delete from bulk_contact where last_end < %s", (utc_of(horizon),))
    return cur.rowcount


def delete_beside(cur: Cursor, horizon: int, longest: int) -> int:
    """Delete what else was noted of persons beside their scans from before the horizon; return how many rows.

    Which scans an admission became is kept for the longest stay more: a record of one who is still there is corrected.
    """
    cur.execute(
        "with advice as (delete from staff_advice where at < %(horizon)s returning 1),"
        " late as (delete from late_entry where entered_at < %(horizon)s returning 1),"
        " device as (delete from visitor_device where bound_at is null and seen_at < %(horizon)s returning 1),"
        " stay as (delete from admission a where changed_at < %(begun)s and not exists ("
        "  select from jsonb_array_elements(a.scans) s where (s -> 'passage' ->> 'at')::timestamptz >= %(begun)s"
        " ) returning 1)"
        " select (select count(*) from advice) + (select count(*) from late) + (select count(*) from device)"
        " + (select count(*) from stay)",
        {"horizon": utc_of(horizon), "begun": utc_of(horizon - longest)},
    )
    return int(_one(cur))


def trim_audit(cur: Cursor, before: datetime) -> int:
    """Take the oldest rows off the audit of who looked at what; return how many."""
    cur.execute("select trim_audit('retention', %s)", (before,))
    return int(_one(cur))


def forget_requests(cur: Cursor, before: datetime) -> int:
    """Delete persons' requests that were carried out before an instant; return how many."""
    cur.execute("select vault.forget(%s)", (before,))
    return int(_one(cur))


def erase_due(cur: Cursor) -> int:
    """Carry out the erasures that waited for what has gone now; return how many."""
    cur.execute("select vault.erase_due()")
    return int(_one(cur))


def mark_run(cur: Cursor, at: datetime) -> None:
    """Write down that a run has ended."""
    cur.execute("update retention set ran_at = %s", (at,))


def read_ran_at(cur: Cursor) -> datetime:
    """Return when a run ended last; before the first, when the tables were made."""
    cur.execute("select ran_at from retention")
    found: datetime = _one(cur)
    return found


class Gone(NamedTuple):
    """What has gone so far."""

    scans: int
    decisions: int
    visits: int
    letters: int


def read_totals(cur: Cursor) -> Gone:
    """Return what has gone so far."""
    cur.execute(
        "select coalesce(sum(scans), 0)::bigint, coalesce(sum(decisions), 0)::bigint, coalesce(sum(visits), 0)::bigint,"
        " (select coalesce(sum(letters), 0)::bigint from dropped_letter) from dropped_day"
    )
    row = cur.fetchone()
    assert row is not None
    return Gone(*row)


def count_due(cur: Cursor) -> int:
    """Return how many persons a run has still to look at."""
    cur.execute("select count(*) from retention_due")
    return int(_one(cur))


def count_old(cur: Cursor, horizon: int) -> dict[str, int]:
    """Return how many rows lie before a horizon; a visit that a scan can still change is among them, and stays."""
    found = {}
    for name, table, column in (
        ("scans", "scan", "at"),
        ("decisions", "scan_decision", "scan_at"),
        ("visits", "every_visit", "check_out"),
    ):
        cur.execute(f"select count(*) from {table} where {column} < %s", (utc_of(horizon),))  # noqa: S608 — constants
        found[name] = int(_one(cur))
    return found


def count_aged(cur: Cursor, now: datetime) -> dict[str, int]:
    """Return how many dead letters are over their time."""
    cur.execute("select count(*) from dead_letter where at < %s", (now - timedelta(days=LETTER_DAYS),))
    return {"dead letters": int(_one(cur))}


def _one(cur: Cursor) -> Any:  # noqa: ANN401 — a value of any type
    row: Iterable[Any] | None = cur.fetchone()
    assert row is not None
    return next(iter(row))
