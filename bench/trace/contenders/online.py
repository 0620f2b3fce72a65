"""The look-ups of one trace: the same spans asked, the same columns fetched; only the index differs."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tracing.cases import met as columns
from tracing.cases.met import MET_ROW, Met, met_of
from tracing.exposure import Ints
from tracing.overlaps import Spans
from tracing.store import Cursor

Fetch = Callable[[Spans], Met]
_ASKED: Final = (
    "(select p, instant_of(f) as a, instant_of(u) as b"
    " from unnest(%s::int[], %s::bigint[], %s::bigint[]) as t (p, f, u)) s"
)
SQL: Final = {
    "ours": "select key, person, check_in, check_out from trace_met(%s, %s, %s, 1)",
    "btree": f"select v.facility * 8, v.person, v.check_in, v.check_out from {_ASKED}"  # noqa: S608 — constants
    " join peer_btree v on v.facility = s.p and v.check_in < s.b and v.check_out > s.a",
    "gist": f"select v.facility * 8, v.person, lower(v.during), upper(v.during) from {_ASKED}"  # noqa: S608 — constants
    " join peer_gist v on v.facility = s.p and v.during && tstzrange(s.a, s.b)",
}
SETTINGS: Final = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off"
_DUCK: Final = """
    select v.facility * 8 as key, v.person, v.check_in, v.check_out
    from (select unnest(?) as p, unnest(?) as a, unnest(?) as b) s
    join visits v on v.facility = s.p and v.check_in < s.b and v.check_out > s.a
"""


class Peer(NamedTuple):
    """One way of looking up who was there."""

    name: str
    title: str
    settings: str


PEERS: Final = (
    Peer("ours", "**ours: key of facility and stay class**", "one index-only range a class, by a prepared function"),
    Peer("gist", "GiST on tstzrange", "btree_gist (facility, during), as an expert of ranges would"),
    Peer("btree", "btree (facility, check_in)", "check_in < b and check_out > a"),
    Peer("duckdb", "DuckDB table", "in memory, ordered by facility and check-in, 1 thread; arrays out"),
)


def postgres(cur: Cursor, name: str) -> Fetch:
    """Return how a table of PostgreSQL is asked: by binary COPY, as ours."""

    def fetch(spans: Spans) -> Met:
        file = BytesIO()
        values = [f"{{{','.join(map(str, column.tolist()))}}}" for column in spans]
        cur.copy_expert(cur.mogrify(f"copy ({SQL[name]}) to stdout (format binary)", values).decode(), file)
        return met_of(columns.records_of(file.getvalue(), MET_ROW))

    return fetch


def duckdb(folder: Path) -> Fetch:
    """Return how DuckDB is asked, the visits loaded."""
    import duckdb as duck

    database: Any = duck.connect(config={"threads": 1})
    database.execute(
        f"create table visits as from read_parquet('{folder / 'visits.parquet'}') order by facility, check_in"
    )

    def fetch(spans: Spans) -> Met:
        found = database.execute(_DUCK, [column.tolist() for column in spans]).fetchnumpy()
        key, person, check_in, check_out = (
            np.asarray(found[name]) for name in ("key", "person", "check_in", "check_out")
        )
        return _distinct(key, person.astype(np.int64), check_in, check_out)

    return fetch


def _distinct(key: Ints, person: Ints, check_in: Ints, check_out: Ints) -> Met:
    """Return the visits as the other look-ups do: each once, by place and time; a long one meets several spans."""
    order = np.lexsort((person, check_in, key))
    key, person, check_in, check_out = (column[order] for column in (key, person, check_in, check_out))
    again = np.zeros(key.size, dtype=np.bool_)
    again[1:] = (np.diff(key) == 0) & (np.diff(check_in) == 0) & (np.diff(person) == 0)
    low = person[~again].astype(np.uint64)
    return Met(key[~again], np.zeros_like(low), low, check_in[~again], check_out[~again])
