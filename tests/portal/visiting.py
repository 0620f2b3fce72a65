"""What the tests of visitors share: doors with posters, what came to scan.v1, codes that wait, who is registered."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from ops.store import OPERATOR, OWNER, transaction
from portal.identity import Subject, open_vault
from portal.posters import gates
from portal.posters.check import PATH
from portal.posters.keys import PosterKeys
from portal.web.secret_box import portal_secrets
from producers.follower import follow
from schemas.codec import Codec
from schemas.events import Gate as Kind
from schemas.events import Scan, ScanDecision
from schemas.topics import SCAN
from tests.portal.conftest import Gate, new_key

_numbers = count(1)
_code = re.compile(r"[0-9]{6}")


def new_nik() -> str:
    """Return a number that no test has used."""
    return f"367101{15:02}0890{next(_numbers):04}"


def new_phone() -> str:
    """Return a telephone number that no test has used."""
    return f"+62812{next(_numbers):08}"


def door(gate: Gate, kind: Kind = Kind.ENTRANCE, *, facility_id: str = "RS-A", days_ago: int = 20) -> str:
    """Make a gate that has a poster since then; return the poster's token."""
    made = datetime.now(UTC) - timedelta(days=days_ago)
    keys = PosterKeys(portal_secrets(gate.settings))
    zone = "Bangsal Melati" if kind is Kind.ZONE else ""
    with transaction(gate.settings, OPERATOR) as conn, conn.cursor() as cur:
        if zone:
            cur.execute(
                "insert into zone select facility_no, %s, 'ward' from facility where facility_id = %s"
                " on conflict do nothing",
                (zone, facility_id),
            )
    with transaction(gate.settings, "jejak_gate") as conn:
        number = gates.add(
            conn, keys, facility_id=facility_id, kind=kind, name=f"Pintu {kind}", zone=zone, by="test", now=made
        )
        (sheet,) = gates.sheets_of(conn, keys, facility_id, "", number)
    return sheet.link.removeprefix(PATH)


def replace_poster(gate: Gate, token: str) -> str:
    """Replace a poster; return the new one's token."""
    _, _, facility_id, code, _, _ = token.split(".")
    keys = PosterKeys(portal_secrets(gate.settings))
    with transaction(gate.settings, "jejak_gate") as conn:
        found = gates.find(conn, facility_id, int(code[1:]))
        gates.reissue(conn, keys, found, "test", datetime.now(UTC))
        (sheet,) = gates.sheets_of(conn, keys, facility_id, "", found.gate_no)
    return sheet.link.removeprefix(PATH)


def sent(gate: Gate, scans: Iterable[dict[str, Any]]) -> list[tuple[Scan, list[str]]]:
    """Return the events of scans that were accepted, each with the reasons of the flags that came before it."""
    ids = [scan["scan_id"] for scan in scans]
    read = Codec(Scan, ScanDecision).decode
    found: dict[str, tuple[Scan, list[str]]] = {}
    flags: dict[str, list[str]] = {}
    deadline = datetime.now(UTC) + timedelta(seconds=15)
    for record in follow(gate.settings, SCAN.name, "visits", stop=lambda: datetime.now(UTC) > deadline):
        event: Any = read(record.value or b"")
        if isinstance(event, ScanDecision):
            flags.setdefault(event.scan_id, []).append(event.reason)
        elif event.scan_id in ids and event.scan_id not in found:
            found[event.scan_id] = event, list(flags.get(event.scan_id, []))
        if len(found) == len(ids):
            break
    return [found[scan_id] for scan_id in ids]


def execute(gate: Gate, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement as the tables' owner."""
    with transaction(gate.settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def person_of(gate: Gate, nik: str) -> str | None:
    """Return the id that the vault has given to a number, if any."""
    with transaction(gate.settings, "jejak_gate") as conn:
        return open_vault(conn, gate.settings).known_id(conn, Subject("nik", nik))


def registered(gate: Gate, nik: str, phone: str, *, doses: int = 2) -> None:
    """Let the certificate registry know somebody, by that telephone number."""
    rows = [
        f"nik,{nik},Siti Aminah,1990-08-15,{dose},CoronaVac,2021-0{dose}-10,{phone}" for dose in range(1, doses + 1)
    ]
    head = "identifier_type,identifier_value,name,birth_date,dose_number,vaccine_code,occurrence_date,phone"
    answer = httpx.post(
        f"{gate.url}/v1/vaccinations",
        content="\n".join([head, *rows]) + "\n",
        headers={
            "Authorization": f"Bearer {new_key(gate.settings, 'registry')}",
            "content-type": "text/csv",
        },
        timeout=30,
    )
    assert (answer.status_code, answer.json()["bad"]) == (200, 0), answer.text


def codes_for(gate: Gate, phone: str) -> list[str]:
    """Return the codes that wait for a telephone, the oldest first."""
    rows = execute(gate, "select body from mail where kind = 'sms' and receiver = %s order by mail_id", phone)
    return [found[0] for (body,) in rows if (found := _code.search(body))]
