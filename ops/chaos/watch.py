"""Looks at the database five times a second, on a way of its own that no fault cuts: how far is everything?"""

import threading
import time
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

from ops.store import OPERATOR, connect
from schemas.errors import JejakError
from schemas.settings import Settings

EVERY_S: Final = 0.2
LOOK: Final = """
    select extract(epoch from clock_timestamp())::float8,
        coalesce(sum(next_offset - first) filter (where topic = 'scan.v1'), 0)::bigint,
        coalesce(max(extract(epoch from updated_at)) filter (where topic = 'scan.v1'), 0)::float8,
        coalesce(max(extract(epoch from updated_at)) filter (where topic = 'test-result.v1'), 0)::float8,
        coalesce(max(extract(epoch from updated_at)) filter (where topic = 'visit.v1'), 0)::float8,
        (select coalesce(extract(epoch from max(published_at)), 0)::float8 from outbox where published_at is not null),
        (select count(*) from outbox where published_at is null)
    from position
"""
PICK: Final = """
    select s.person, s.scan_id, s.at from unnest(%s::uuid[]) as r (start) cross join lateral (
        select person::text, scan_id::text, (extract(epoch from at) * 1000000)::bigint as at from scan
        where person >= r.start order by person, scan_id limit 2) s
"""


class Look(NamedTuple):
    """What was seen at a moment (seconds since 1970)."""

    at: float
    folded: int  # records of scan.v1
    committed: float  # when a position of scan.v1 last moved
    traces: float  # when the traces' position last moved
    standing: float  # when the standing worker's last did
    published: float
    waiting: int  # rows of the outbox


class Watch:
    """Looks until closed; a context manager. What it saw is `looks`."""

    def __init__(self, settings: Settings) -> None:
        self.looks: list[Look] = []
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:  # the database's own errors have no name here
                if not _is_away(error):
                    raise
            self._stop.wait(EVERY_S)

    def _look(self) -> None:
        conn = connect(self._settings, OPERATOR)
        try:
            conn.autocommit = True
            with conn.cursor() as cur:
                while not self._stop.wait(EVERY_S):
                    cur.execute(LOOK)
                    row = cur.fetchone()
                    assert row is not None
                    self.looks.append(Look(*row))
        finally:
            conn.close()


def pick_scans(settings: Settings, number: int) -> list[tuple[str, str, int]]:
    """Return some stored scans (person, scan_id, at) of persons drawn at random; none when the database is away."""
    try:
        rows = ask(settings, PICK, [str(uuid4()) for _ in range(number)])
    except Exception as error:
        if not _is_away(error):
            raise
        return []
    return [(person, scan_id, at) for person, scan_id, at in rows]


def ask(settings: Settings, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    conn = connect(settings, OPERATOR)
    try:
        with conn, conn.cursor() as cur:
            cur.execute("set statement_timeout = '5s'")
            cur.execute(sql, values)
            return list(cur.fetchall())
    finally:
        conn.close()


def now() -> float:
    """Return the time as the witness writes it."""
    return time.time()


def _is_away(error: Exception) -> bool:
    return isinstance(error, JejakError) or type(error).__module__.startswith("psycopg2")
