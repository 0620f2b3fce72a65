"""SQL of the admission feed: what was sent for each unit. The caller commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from portal.admissions.stays import Before, Sent
from portal.store import Connection
from schemas.errors import Unavailable

_scans: msgspec.json.Decoder[tuple[Sent, ...]] = msgspec.json.Decoder(tuple[Sent, ...])


def read(conn: Connection, facility_no: int, units: Sequence[bytes]) -> dict[bytes, Before]:
    """Return what was sent for units of a facility; of one never sent there is nothing."""
    with conn.cursor() as cursor:
        cursor.execute(
            "select unit, replace(person::text, '-', ''), revision, scans::text, seen, as_of from admission"
            " where facility_no = %s and unit = any(%s::bytea[])",
            (facility_no, list(units)),
        )
        rows: list[tuple[bytes, str, int, str, list[bytes], datetime | None]] = cursor.fetchall()
    return {
        bytes(unit): Before(
            person=person,
            revision=revision,
            scans=_scans.decode(scans),
            seen=tuple(map(bytes, seen)),
            as_of=as_of,
        )
        for unit, person, revision, scans, seen, as_of in rows
    }


def put(conn: Connection, facility_no: int, units: Mapping[bytes, tuple[int, Before]], by: str) -> None:
    """Store what is sent for units now; each with the revision it was changed from, -1 for a new one.

    Raises:
        Unavailable: somebody else has changed one meanwhile: all may be sent again.
    """
    with conn.cursor() as cursor:
        for unit, (was, now) in units.items():
            cursor.execute(
                "insert into admission as a (facility_no, unit, person, revision, scans, seen, as_of, changed_by)"
                " values (%(no)s, %(unit)s, %(person)s, %(revision)s, %(scans)s, %(seen)s, %(as_of)s, %(by)s)"
                " on conflict (facility_no, unit) do update set person = excluded.person,"
                " revision = excluded.revision, scans = excluded.scans, seen = excluded.seen, as_of = excluded.as_of,"
                " changed_by = excluded.changed_by, changed_at = clock_timestamp() where a.revision = %(was)s",
                {
                    "no": facility_no,
                    "unit": unit,
                    "person": now.person,
                    "revision": now.revision,
                    "scans": msgspec.json.encode(now.scans).decode(),
                    "seen": list(now.seen),
                    "as_of": now.as_of,
                    "by": by,
                    "was": was,
                },
            )
            if cursor.rowcount != 1:
                raise Unavailable("this part of the feed is being taken twice: send it again")
