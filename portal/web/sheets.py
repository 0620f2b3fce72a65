"""A list as a file that a spreadsheet opens: neutralised cells, and how many rows there are, said three times over.

The name of the file holds the number of rows and the beginning of the hash, so that a list that was cut off on its way
is noticed by whoever has it; headers and the audit hold both whole.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from litestar import Response

from portal.keys import Principal
from portal.store import Connection, append_audit
from tracing.exports import csv_bytes, safe_cell

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()  # spreadsheets take the file for UTF-8 then

_odd = re.compile(r"[^0-9A-Za-z.-]+")


class Sheet(NamedTuple):
    """A list that was made to be taken away."""

    name: str
    rows: int
    data: bytes

    @property
    def sha256(self) -> str:
        """Return the hash of the file as it is sent."""
        return hashlib.sha256(self.data).hexdigest()


def sheet_of(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Sheet:
    """Return the file of a list; None is an empty cell."""
    cells = [["" if cell is None else safe_cell(str(cell)) for cell in row] for row in rows]
    return Sheet(name, len(cells), MARK + csv_bytes([safe_cell(one) for one in header], cells))


def note_sheet(conn: Connection, principal: Principal, sheet: Sheet) -> None:
    """Write into the audit who took which list, how long it was, and its hash."""
    append_audit(conn, principal.name, "list exported", f"{sheet.name}: {sheet.rows} rows", f"sha256 {sheet.sha256}")


def sheet_answer(sheet: Sheet, now: datetime) -> Response[bytes]:
    """Return the answer that a browser keeps as a file."""
    name = f"{sheet.name}-{now:%Y%m%d}-{sheet.rows}-rows-{sheet.sha256[:12]}.csv"
    digest = base64.b64encode(bytes.fromhex(sheet.sha256)).decode()
    return Response(
        sheet.data,
        media_type="text/csv; charset=utf-8",
        headers={
            "content-disposition": f'attachment; filename="{_odd.sub("-", name)}"',
            "x-row-count": str(sheet.rows),
            "repr-digest": f"sha-256=:{digest}:",
        },
    )
