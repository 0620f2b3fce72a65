"""The hash chain of the audit, computed again: each row's hash covers its words and the hash of the row before.

A row changed, taken out, put in or moved breaks the chain at that row. Rows cut off at the end are missed because the
last one is written down beside the audit. A chain that was written anew as a whole, with that, breaks nothing: only a
head that somebody kept elsewhere shows it. The oldest rows go after their time: then the chain begins at an anchor,
which a row of the chain itself must name.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec

FIRST: Final = b"\x00"  # what stands for the hash before the first row
TRIMMED: Final = "audit trimmed"  # what `trim_audit` in the database writes
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AuditRow(msgspec.Struct, frozen=True):
    """One row of the audit, as stored."""

    id: int
    at: datetime
    principal: str
    action: str
    object: str
    reason: str
    previous: bytes
    hash: bytes


class Anchor(msgspec.Struct, frozen=True):
    """Where the chain begins."""

    hash: bytes = FIRST  # of the last row that went
    said_in: int = 0  # the row that says so; 0: none ever went
    last_id: int = 0  # of the rows that went


NO_ANCHOR: Final = Anchor()


class Verdict(msgspec.Struct, frozen=True):
    """What a look at the chain came to."""

    rows: int  # that hold, from the first one looked at
    head: bytes  # the hash of the last of them; empty: there is none
    last_id: int = 0  # the number of the last of them
    broken: str = ""  # what is wrong, and at which row; empty: nothing


def row_hash(row: AuditRow) -> bytes:
    """Return the hash that a row has to have: as `append_audit` in the database computes it, by other means."""
    since = row.at - _EPOCH
    seconds = f"{since.days * 86_400 + since.seconds}.{since.microseconds:06d}"
    words = [seconds, row.principal, row.action, row.object, row.reason]
    return sha256(row.previous + json.dumps(words, ensure_ascii=False).encode()).digest()


def check_chain(
    rows: Iterable[AuditRow],
    *,
    from_the_first: bool,
    expected: bytes = b"",
    anchor: Anchor = NO_ANCHOR,
    last: bytes = b"",
) -> Verdict:
    """Return whether these rows are an unbroken chain.

    Args:
        rows: in the order of their ids; read to the first break only.
        from_the_first: they begin with the audit's very first row; else the first one's link back is taken as given.
        expected: a head seen before, which must be among the rows or be what they continue; empty: none is known.
        anchor: where the first row begins.
        last: the hash of the row that was written last, as the database knows it; empty: it is not known.
    """
    before, count, last_id = (anchor.hash if from_the_first else None), 0, 0
    seen = not expected or (from_the_first and expected == anchor.hash)
    said = not anchor.said_in or not from_the_first
    for row in rows:
        wrong = _fault(row, before)
        said = said or (row.id == anchor.said_in and _says(row, anchor))
        if wrong:
            return Verdict(
                count, before or b"" if count else b"", last_id, f"row {row.id} of {row.at:%Y-%m-%dT%H:%M:%SZ} {wrong}"
            )
        seen = seen or row.hash == expected or (count == 0 and not from_the_first and row.previous == expected)
        before, count, last_id = row.hash, count + 1, row.id
    head = before or b"" if count else b""
    is_whole = last in {b"", head} or not (count or from_the_first)
    return Verdict(count, head, last_id, _missing(said=said, is_whole=is_whole, seen=seen))


def _missing(*, said: bool, is_whole: bool, seen: bool) -> str:
    if not said:
        return "rows are missing at the beginning: no row of the audit says that they went"
    if not is_whole:
        return "rows are missing at the end: the one that was written last is not among them"
    return "" if seen else "the expected head is not among the rows: rows were cut off, or written anew"


def _says(row: AuditRow, anchor: Anchor) -> bool:
    return (row.action, row.reason) == (TRIMMED, f"to {anchor.hash.hex()}")


def _fault(row: AuditRow, before: bytes | None) -> str:
    if before is not None and row.previous != before:
        return "does not follow the row before it: a row was taken out, put in or moved"
    if row.hash != row_hash(row):
        return "is not what was written: its words were changed"
    return ""
