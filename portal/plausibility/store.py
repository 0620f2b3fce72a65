"""SQL of what cannot be: scans with those around them, what is known of places and posters, and what is flagged.

Takes a connection; the one who holds it commits.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from portal.plausibility.judge import Place, Poster, Revocation, Sighting
from portal.store import Connection
from tracing.rows import dashed

LISTED_MAX: Final = 500
_US: Final = "(extract(epoch from {}) * 1000000)::bigint"
_SIGHTING: Final = (
    "replace(s.person::text, '-', ''), s.scan_id::text, s.facility_no, s.gate, s.gate_no, s.poster_version,"
    f" {_US.format('s.at')}, s.role, s.channel, s.assurance, s.group_id, s.device_id, s.admitted,"
    f" {_US.format('s.received_at')}"
)
_SPAN: Final = "s.at between a.at - %(us)s * interval '1 microsecond' and a.at + %(us)s * interval '1 microsecond'"
_INSTANT: Final = "timestamptz 'epoch' + {} * interval '1 microsecond'"


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """A scan that is out of tracing until somebody clears it, as a facility sees it."""

    facility_no: int
    person_id: str  # never shown
    scan_id: str
    at: datetime
    gate: str
    gate_no: int | None
    gate_name: str
    zone: str
    role: str
    channel: str
    assurance: str
    reasons: tuple[str, ...]  # codes of ours, or somebody's words
    flagged_at: datetime


class Flagging(msgspec.Struct, frozen=True):
    """A facility with flagged scans."""

    facility_id: str
    name: str
    district: str
    scans: int


# What the watcher reads


def by_index(conn: Connection) -> None:
    """Let the transaction's look-ups go by index, whatever statistics of a young table say."""
    with conn.cursor() as cursor:
        cursor.execute(
            "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off"
        )


def positions(conn: Connection, topic: str) -> dict[int, int]:
    """Return the next offset to be folded of each partition."""
    with conn.cursor() as cursor:
        cursor.execute("select partition, next_offset from position where topic = %s", (topic,))
        return dict(cursor.fetchall())


def places(conn: Connection) -> tuple[dict[str, int], dict[int, Place]]:
    """Return the numbers of the facilities whose place is known, and the places by number."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select facility_id, facility_no, latitude, longitude, capacity, opening_hours, time_zone"
            " from place join facility using (facility_no)"
        )
        rows = cursor.fetchall()
    known = {
        row[1]: Place(latitude=row[2], longitude=row[3], capacity=row[4], opening_hours=row[5], time_zone=row[6])
        for row in rows
    }
    return {row[0]: row[1] for row in rows}, known


def sightings(conn: Connection, keys: Sequence[tuple[str, str]]) -> list[Sighting]:
    """Return the stored scans of these (person id, scan id)."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"select {_SIGHTING} from unnest(%(persons)s::uuid[], %(ids)s::uuid[]) a (person, scan_id)"  # noqa: S608 — constants
            " join scan s on s.person = a.person and s.scan_id = a.scan_id",
            {"persons": [dashed(person) for person, _ in keys], "ids": [scan_id for _, scan_id in keys]},
        )
        return [_sighting(row) for row in cursor.fetchall()]


def around_persons(conn: Connection, some: Iterable[Sighting], span_us: int) -> list[Sighting]:
    """Return the scans of the same persons at other facilities, so near in time."""
    return _around(
        conn,
        "s.person = a.person and s.facility_no <> a.facility_no and s.channel <> 'import'",
        some,
        span_us,
    )


def around_posters(conn: Connection, some: Iterable[Sighting], span_us: int) -> list[Sighting]:
    """Return the scans of the same posters so near in time."""
    joined = "s.facility_no = a.facility_no and s.gate_no = a.gate_no and s.poster_version = a.version"
    return _around(conn, joined, some, span_us)


def around_devices(conn: Connection, some: Iterable[Sighting], span_us: int) -> list[Sighting]:
    """Return the scans of the same devices so near in time."""
    joined = "s.device_id = a.device_id and s.device_id <> '' and s.gate_no is not null"
    return _around(conn, joined, some, span_us)


def revocations(conn: Connection, posters: Iterable[Poster]) -> dict[Poster, Revocation]:
    """Return which of these versions of posters were revoked."""
    asked = sorted(set(posters))
    if not asked:
        return {}
    with conn.cursor() as cursor:
        cursor.execute(
            f"select facility_no, gate_no, version, {_US.format('revoked_at')}, coalesce(revoked_serial, 0) from poster"  # noqa: S608 — a constant
            " where revoked_at is not null and (facility_no, gate_no, version) in"
            " (select * from unnest(%s::int[], %s::int[], %s::int[]))",
            [[poster[number] for poster in asked] for number in range(3)],
        )
        return {(row[0], row[1], row[2]): Revocation(row[3], row[4]) for row in cursor.fetchall()}


def decided(
    conn: Connection, keys: Iterable[tuple[str, str]]
) -> tuple[set[tuple[str, str, int, str]], set[tuple[str, str]]]:
    """Return the decisions about these (person id, scan id) by identity, and which of the scans are void now."""
    asked = sorted(set(keys))
    identities: set[tuple[str, str, int, str]] = set()
    latest: dict[tuple[str, str], tuple[int, int]] = {}
    with conn.cursor() as cursor:
        cursor.execute(
            "select replace(d.person::text, '-', ''), d.scan_id::text, d.serial, d.by, d.decision = 'void'"
            " from unnest(%s::uuid[], %s::uuid[]) a (person, scan_id) join scan_decision d using (person, scan_id)",
            ([dashed(person) for person, _ in asked], [scan_id for _, scan_id in asked]),
        )
        for person, scan_id, serial, by, is_void in cursor.fetchall():
            identities.add((person, scan_id, serial, by))
            latest[person, scan_id] = max(latest.get((person, scan_id), (-1, 0)), (serial, int(is_void)))
    return identities, {key for key, (_, is_void) in latest.items() if is_void}


# Posters that were revoked while scans of them were stored


def revoked_unfollowed(conn: Connection) -> dict[Poster, Revocation]:
    """Return the revocations whose earlier scans have not been flagged yet."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"select facility_no, gate_no, version, {_US.format('revoked_at')}, revoked_serial from poster"  # noqa: S608 — a constant
            " where revoked_serial is distinct from flagged_serial and revoked_at is not null"
            " order by facility_no, gate_no, version"
        )
        return {(row[0], row[1], row[2]): Revocation(row[3], row[4]) for row in cursor.fetchall()}


def scans_of_poster(conn: Connection, poster: Poster, since_us: int, after: str, limit: int) -> list[Sighting]:
    """Return the stored scans of a version after (an instant, a scan id), in the order of both."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"select {_SIGHTING} from scan s where s.facility_no = %(facility)s and s.gate_no = %(gate)s"  # noqa: S608 — constants
            " and s.poster_version = %(version)s"
            f" and (s.at, s.scan_id) > ({_INSTANT.format('%(since)s')}, %(after)s::uuid)"
            " order by s.at, s.scan_id limit %(limit)s",
            {
                "facility": poster[0],
                "gate": poster[1],
                "version": poster[2],
                "since": since_us,
                "after": after,
                "limit": limit,
            },
        )
        return [_sighting(row) for row in cursor.fetchall()]


def set_followed(conn: Connection, poster: Poster, serial: int) -> None:
    """Note that the stored scans of a revoked version are flagged, as that revocation says."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update poster set flagged_serial = %s where facility_no = %s and gate_no = %s and version = %s",
            (serial, *poster),
        )


# What people see and decide


def stored_scan(conn: Connection, person_id: str, scan_id: str) -> tuple[int, datetime] | None:
    """Return facility number and instant of a stored scan."""
    with conn.cursor() as cursor:
        cursor.execute("select facility_no, at from stored_scan(%s, %s)", (dashed(person_id), scan_id))
        row = cursor.fetchone()
    return None if row is None else (int(row[0]), row[1])


def list_flagged(conn: Connection, facility_no: int, scan_ids: Sequence[str] | None = None) -> list[Flagged]:
    """Return the flagged scans of a facility, the latest first; only those of `scan_ids` where they are given."""
    asked = None if scan_ids is None else list(scan_ids)
    with conn.cursor() as cursor:
        cursor.execute(
            "select v.facility_no, replace(v.person::text, '-', ''), v.scan_id::text, v.at, v.gate, v.gate_no,"
            " coalesce(g.name, ''), v.zone, v.role, v.channel, v.assurance, v.reasons, v.flagged_at from flagged_scan v"
            " left join gate g on g.facility_no = v.facility_no and g.gate_no = v.gate_no"
            " where v.facility_no = %s and (%s::uuid[] is null or v.scan_id = any(%s::uuid[]))"
            " order by v.at desc, v.scan_id limit %s",
            (facility_no, asked, asked, LISTED_MAX if asked is None else None),
        )
        return [
            Flagged(
                **dict(zip(Flagged.__struct_fields__, (*row[:11], tuple(dict.fromkeys(row[11])), row[12]), strict=True))
            )
            for row in cursor.fetchall()
        ]


def count_flagged(conn: Connection, facility_no: int) -> int:
    """Return how many scans of a facility are flagged now."""
    with conn.cursor() as cursor:
        cursor.execute("select count(*) from flagged_scan where facility_no = %s", (facility_no,))
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def list_flagging(conn: Connection, area: str) -> list[Flagging]:
    """Return the facilities of an area (empty: of the country) with flagged scans, those with most first."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select f.facility_id, f.name, f.district, count(*) from flagged_scan join facility f using (facility_no)"
            " where %(area)s = '' or f.district = %(area)s or f.district like %(area)s || '.%%'"
            " group by f.facility_no order by 4 desc, f.name limit %(limit)s",
            {"area": area, "limit": LISTED_MAX},
        )
        return [Flagging(row[0], row[1], row[2], int(row[3])) for row in cursor.fetchall()]


def _around(conn: Connection, joined: str, some: Iterable[Sighting], span_us: int) -> list[Sighting]:
    asked = list(some)
    if not asked:
        return []
    with conn.cursor() as cursor:
        cursor.execute(
            f"select distinct {_SIGHTING} from (select person, facility_no, gate_no, version, device_id,"  # noqa: S608 — constants
            f" {_INSTANT.format('us')} as at from unnest(%(persons)s::uuid[], %(facilities)s::int[], %(gates)s::int[],"
            " %(versions)s::int[], %(devices)s::text[], %(ats)s::bigint[]) a (person, facility_no, gate_no, version,"
            f" device_id, us)) a join scan s on {joined} and {_SPAN}",
            {
                "persons": [dashed(one.person) for one in asked],
                "facilities": [one.facility for one in asked],
                "gates": [one.gate_no for one in asked],
                "versions": [one.version for one in asked],
                "devices": [one.device_id for one in asked],
                "ats": [one.at for one in asked],
                "us": span_us,
            },
        )
        return [_sighting(row) for row in cursor.fetchall()]


def _sighting(row: Sequence[Any]) -> Sighting:
    return Sighting(**dict(zip(Sighting.__struct_fields__, row, strict=True)))
