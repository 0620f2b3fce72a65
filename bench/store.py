"""What the measurements ask of PostgreSQL: facilities, how far a fold is, what it wrote, and the limit of bare COPY."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from time import perf_counter
from typing import Final

from bench.load import Place
from ops.store import OPERATOR, OWNER, autocommit, transaction
from schemas.settings import Settings
from tracing.counts import Counts
from tracing.store import Connection

ROWS_A_COMMIT: Final = 5_000
_US: Final = "(extract(epoch from {0}) * 1000000)::bigint"
_VISITS: Final = f"""
    select concat_ws('|', 'visit', replace(person::text, '-', ''), facility_id, {_US.format("check_in")},
        {_US.format("check_out")}, check_in_estimated::text, check_out_estimated::text, visit_id)
    from every_visit join facility on facility_no = key >> 3"""  # noqa: S608 — constants
_COUNTS: Final = f"""
    select concat_ws('|', 'hour', facility_id, {_US.format("hour")},
        {", ".join(f"sum({name})" for name in Counts.__struct_fields__)})
    from facility_hour join facility using (facility_no) group by facility_id, hour
    having ({", ".join(f"sum({name})" for name in Counts.__struct_fields__)})
        <> ({", ".join("0" for _ in Counts.__struct_fields__)})"""  # noqa: S608 — constants


def add_facilities(settings: Settings, places: Sequence[Place]) -> None:
    """Register the facilities of a load."""
    lines = "".join(f"{p.facility_id}\t{p.facility_id}\t{p.kind}\t{p.time_zone}\t36.71\n" for p in places)
    with transaction(settings, OWNER) as conn, conn.cursor() as cur:
        cur.copy_expert("copy facility (facility_id, name, kind, time_zone, district) from stdin", StringIO(lines))


@contextmanager
def watching(settings: Settings) -> Iterator[Connection]:
    """Open the connection by which a fold is watched."""
    with autocommit(settings, OPERATOR) as conn:
        yield conn


def progress(conn: Connection) -> tuple[int, int]:
    """Return how many partitions have a position, and how many records of scan.v1 are folded."""
    with conn.cursor() as cur:
        cur.execute("select count(*), coalesce(sum(next_offset - first), 0) from position where topic = 'scan.v1'")
        row = cur.fetchone()
        assert row is not None
        return int(row[0]), int(row[1])


def positions(conn: Connection) -> dict[int, int]:
    """Return the next offset of each partition of scan.v1."""
    with conn.cursor() as cur:
        cur.execute("select partition, next_offset from position where topic = 'scan.v1'")
        return dict(cur.fetchall())


def waiting_outbox(conn: Connection) -> int:
    """Return how many rows of the outbox are not published."""
    with conn.cursor() as cur:
        cur.execute("select count(*) from outbox where published_at is null")
        row = cur.fetchone()
        assert row is not None
        return int(row[0])


def result_lines(settings: Settings) -> Iterator[str]:
    """Yield the stored visits and counts, shards summed, one line each; and how many scans there are.

    An hour that counts nothing is left out: ours has no row for it, a sink of upserts does.
    """
    with autocommit(settings, OPERATOR) as conn, conn.cursor() as cur:
        for query in (_VISITS, _COUNTS, "select 'scans|' || count(*) from scan"):
            out = StringIO()
            cur.copy_expert(f"copy ({query}) to stdout", out)
            yield from out.getvalue().splitlines()


def scan_rows(settings: Settings) -> list[bytes]:
    """Return the stored scans as COPY writes them."""
    out = BytesIO()
    with autocommit(settings, OPERATOR) as conn, conn.cursor() as cur:
        cur.copy_expert("copy scan to stdout", out)
    return out.getvalue().splitlines(keepends=True)


def bare_copy(settings: Settings, rows: Sequence[bytes], *, indexes: bool) -> float:
    """Return the seconds that COPY of these rows into a new table takes, committed every 5,000.

    Args:
        settings: of a database without scans.
        rows: as `scan_rows` gives them.
        indexes: into the table of scans itself; else into one like it without indexes and constraints.
    """
    table = "scan" if indexes else "bare_scan"
    parts = [b"".join(rows[at : at + ROWS_A_COMMIT]) for at in range(0, len(rows), ROWS_A_COMMIT)]
    with autocommit(settings, OWNER) as conn, conn.cursor() as cur:
        if not indexes:
            cur.execute("create table bare_scan (like scan)")
        start = perf_counter()
        for part in parts:
            cur.copy_expert(f"copy {table} from stdin", BytesIO(part))
        return perf_counter() - start
