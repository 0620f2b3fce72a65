"""SQL of the officer's desk. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from portal.accounts.store import Account
from portal.names import are_alike
from portal.store import Connection
from schemas.codec import Codec, encode
from schemas.errors import Conflict, NotFound
from schemas.events import Scan

KEPT: Final = timedelta(days=60)  # as long as the scan it becomes
SHOWN_MAX: Final = 200

_scans: Final = Codec(Scan)


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of what was more than a day ago; `approved` is None until a second person has looked at it."""

    scan: Scan
    why: str
    entered_by: str  # account id
    entered_name: str
    entered_at: datetime
    decided_name: str
    approved: bool | None
    sent_at: datetime | None

    def is_by(self, account: Account) -> bool:
        """Say whether an account's person entered it: also by another account, for all that one name can tell."""
        return self.entered_by == account.account_id or are_alike(self.entered_name, account.name)


_LATE: Final = (
    "select l.scan::text, l.why, l.entered_by::text, e.name, l.entered_at, coalesce(d.name, ''), l.approved, l.sent_at"
    " from late_entry l join account e on e.account_id = l.entered_by"
    " left join account d on d.account_id = l.decided_by where l.facility_no = %s"
)


def zones_of(conn: Connection, facility_no: int) -> dict[str, str]:
    """Return a facility's zones, each with its kind."""
    with conn.cursor() as cursor:
        cursor.execute("select zone, kind from zone where facility_no = %s order by zone", (facility_no,))
        return dict(cursor.fetchall())


def add_late(
    conn: Connection, facility_no: int, entries: Sequence[tuple[Scan, str]], account_id: str, now: datetime
) -> list[Scan]:
    """Store entries, each with why it is late; return those that were not there yet. What is long over goes."""
    added = []
    with conn.cursor() as cursor:
        cursor.execute("delete from late_entry where entered_at < %s", (now - KEPT,))
        for scan, why in entries:
            cursor.execute(
                "insert into late_entry (facility_no, scan_id, scan, why, entered_by, entered_at)"
                " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                (facility_no, scan.scan_id, encode(scan).decode(), why, account_id, now),
            )
            if cursor.rowcount:
                added.append(scan)
    return added


def list_late(conn: Connection, facility_no: int) -> list[Late]:
    """Return a facility's late entries: those that wait first, then the latest."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_LATE} order by l.approved is not null, l.sent_at is not null, l.entered_at desc, l.scan_id limit %s",
            (facility_no, SHOWN_MAX),
        )
        return [_late(row) for row in cursor.fetchall()]


def decide_late(
    conn: Connection, facility_no: int, scan_id: str, *, account: Account, approved: bool, now: datetime
) -> Late:
    """Store what a second person says of an entry; return it as it was before.

    Raises:
        NotFound: there is none.
        Conflict: whoever entered it asks, or it is decided.
    """
    with conn.cursor() as cursor:
        cursor.execute(f"{_LATE} and l.scan_id = %s for update of l", (facility_no, scan_id))
        row = cursor.fetchone()
        if row is None:
            raise NotFound("no such entry")
        late = _late(row)
        if late.is_by(account):
            raise Conflict("an entry is approved by somebody else than whoever made it")
        if late.approved is not None:
            raise Conflict("the entry is decided")
        cursor.execute(
            "update late_entry set approved = %s, decided_by = %s, decided_at = %s"
            " where facility_no = %s and scan_id = %s",
            (approved, account.account_id, now, facility_no, scan_id),
        )
    return late


def unsent(conn: Connection, facility_no: int, scan_id: str) -> Late | None:
    """Return an entry that was approved and not sent, if it is one."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_LATE} and l.scan_id = %s and l.approved and l.sent_at is null", (facility_no, scan_id))
        row = cursor.fetchone()
    return None if row is None else _late(row)


def mark_sent(conn: Connection, facility_no: int, scan_id: str, now: datetime) -> None:
    """Note that an entry was sent; the first time stands."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update late_entry set sent_at = %s where facility_no = %s and scan_id = %s and sent_at is null",
            (now, facility_no, scan_id),
        )


def _late(row: Sequence[Any]) -> Late:
    names = Late.__struct_fields__
    return Late(**dict(zip(names, (_scans.decode(row[0].encode()), *row[1:]), strict=True)))
