"""The town in PostgreSQL: visits written by binary COPY into our own tables, and copied for the peers' indexes."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import numpy as np

from bench.trace.town import ZONE, Size
from ops.store import OPERATOR, OWNER, SUPERUSER, autocommit, transaction
from schemas.settings import Settings
from tracing.bulk.weeks import WEEK_US, week_of
from tracing.copies import END, HEADER, PG_EPOCH_US
from tracing.exposure import Ints, Visits
from tracing.instants import DAY_US, utc_of
from tracing.keys import LONGEST_US, SHORT_CLASSES

ROLE: Final = b"visitor"
ROWS_A_COPY: Final = 500_000
_FIELDS: Final = (
    ("key", ">i4"),
    ("person", "S16"),
    ("check_in", ">i8"),
    ("check_out", ">i8"),
    ("visit_id", "S16"),
    ("in_estimated", "?"),
    ("out_estimated", "?"),
    ("role", f"S{len(ROLE)}"),
)
_HALVES: Final = np.dtype([("high", ">u8"), ("low", ">u8")])
_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(part for name, kind in _FIELDS for part in ((f"_{name}", ">i4"), (name, _HALVES if kind == "S16" else kind))),
        ("zones", ">i4"),  # null: -1 and no bytes
    ]
)
PEER_TABLES: Final = {
    "btree": (
        "create table peer_btree as select key >> 3 as facility, person, check_in, check_out from every_visit",
        "create index on peer_btree (facility, check_in)",
    ),
    "gist": (
        (
            "create table peer_gist as select key >> 3 as facility, person, tstzrange(check_in, check_out) as during"
            " from every_visit"
        ),
        "create index on peer_gist using gist (facility, during)",
    ),
}


def person_of(number: int) -> str:
    """Return the person id of somebody of the town, as the database writes it."""
    return str(UUID(int=number))


def store_town(settings: Settings, size: Size, visits: Visits) -> None:
    """Write facilities and visits, and let PostgreSQL tidy up as it would over the weeks."""
    with transaction(settings, OWNER) as conn, conn.cursor() as cur:
        lines = "".join(f"F{number}\tF{number}\tclinic\t{ZONE}\t36.71\n" for number in range(1, size.facilities + 1))
        cur.copy_expert(
            "copy facility (facility_id, name, kind, time_zone, district) from stdin", BytesIO(lines.encode())
        )
        cur.execute("select bool_and('F' || facility_no = facility_id) from facility")
        assert cur.fetchone() == (True,), "places are numbered as the town numbers them"
        for week in np.unique(week_of(visits.check_in)).tolist():
            cur.execute("select make_visit_partition(%s)", (utc_of(week * WEEK_US + 5 * DAY_US).date(),))
        short = np.isin(_classes(visits), SHORT_CLASSES)
        for table, rows in (("visit", np.flatnonzero(short)), ("visit_long", np.flatnonzero(~short))):
            for part in _copies(visits, rows):
                cur.copy_expert(f"copy {table} from stdin (format binary)", BytesIO(part))
    _tidy(settings, "visit", "visit_long", "facility")


def store_peer(settings: Settings, name: str) -> None:
    """Make a peer's table and index from the visits stored."""
    with autocommit(settings, SUPERUSER) as conn, conn.cursor() as cur:
        cur.execute("create extension if not exists btree_gist")
        cur.execute("set maintenance_work_mem = '512MB'")
        for statement in PEER_TABLES[name]:
            cur.execute(statement)
        cur.execute(f"grant select on peer_{name} to {OPERATOR}")
    _tidy(settings, f"peer_{name}")


def _tidy(settings: Settings, *tables: str) -> None:
    with autocommit(settings, SUPERUSER) as conn, conn.cursor() as cur:
        for table in tables:
            cur.execute(f"vacuum analyze {table}")


def _classes(visits: Visits) -> Ints:
    return np.searchsorted(np.array(LONGEST_US), visits.check_out - visits.check_in)


def _copies(visits: Visits, rows: Ints) -> Iterator[bytes]:
    key = visits.facility * 8 + _classes(visits)
    for begin in range(0, rows.size, ROWS_A_COPY):
        some = rows[begin : begin + ROWS_A_COPY]
        made: Any = np.zeros(some.size, dtype=_ROW)
        made["fields"], made["zones"], made["role"] = 9, -1, ROLE
        for name, _ in _FIELDS:
            made[f"_{name}"] = _ROW[name].itemsize
        made["key"] = key[some]
        made["person"]["low"] = visits.person[some]
        made["visit_id"]["high"], made["visit_id"]["low"] = 1, some
        made["check_in"], made["check_out"] = visits.check_in[some] - PG_EPOCH_US, visits.check_out[some] - PG_EPOCH_US
        made["out_estimated"] = ~visits.recorded[some]
        yield HEADER + made.tobytes() + END
