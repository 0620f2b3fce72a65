"""The head that the last look at the audit came to, kept in the home: the next look expects it to be there still.

So a chain that somebody wrote anew as a whole is found by whoever looks again from the same home. It is of one database
only: another one in its place has a chain of its own.
"""

from pathlib import Path
from typing import Final

import msgspec

from ops.audit_log.chain import Anchor, Verdict
from ops.secrets import write_private
from schemas.errors import InvalidSettings
from schemas.settings import Settings

NAME: Final = "audit-head.json"


class _Head(msgspec.Struct, frozen=True):
    database: str  # as it was named; empty: the home's own, whose port may be another one each time
    row: int
    head: str


def expected_head(settings: Settings, anchor: Anchor) -> bytes:
    """Return the head that was seen last; empty: none was, or it went after its time.

    Args:
        settings: as they were given: not with the address of the home's own database.
        anchor: where the chain begins now.

    Raises:
        InvalidSettings: the file holds something else.
    """
    path = _file(settings)
    try:
        seen = msgspec.json.decode(path.read_bytes(), type=_Head)
        head = bytes.fromhex(seen.head)
    except FileNotFoundError:
        return b""
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidSettings(f"holds no head of an audit: {path}", field="JEJAK_HOME") from error
    return head if seen.database == settings.database and seen.row > anchor.last_id else b""


def keep_head(settings: Settings, verdict: Verdict) -> None:
    """Keep the head that a look came to, where it came to one; the settings likewise."""
    if verdict.head:
        seen = _Head(settings.database, verdict.last_id, verdict.head.hex())
        write_private(_file(settings), msgspec.json.encode(seen).decode())


def _file(settings: Settings) -> Path:
    return settings.home / NAME
