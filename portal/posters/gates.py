"""What a manager does to gates and their posters: one transaction each, with its line in the audit."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from portal.posters import store, tokens
from portal.posters.check import PATH
from portal.posters.keys import PosterKeys
from portal.posters.sheet import Sheet
from portal.posters.store import Gate
from portal.posters.versions import Version, Versions, closed, issued, standing, stolen
from portal.store import Connection, append_audit
from schemas.errors import NotFound
from schemas.events import Gate as Kind

NUMBER_MAX: Final = 999_999  # what a token has room for


def add(
    conn: Connection, keys: PosterKeys, *, facility_id: str, kind: Kind, name: str, zone: str, by: str, now: datetime
) -> int:
    """Add a gate with the first version of its poster; return its number.

    Raises:
        NotFound: there is no such facility.
        Conflict: the facility has no such zone.
    """
    gate_no = store.add_gate(conn, facility_id, kind, name, zone, now)
    gate = find(conn, facility_id, gate_no)
    _put(conn, gate, (), issued((), now), keys, by)
    append_audit(conn, by, "gate added", _named(gate, 1))
    return gate_no


def reissue(conn: Connection, keys: PosterKeys, gate: Gate, by: str, now: datetime) -> int:
    """Make a new version, which revokes the older ones at once; return its number.

    Raises:
        Conflict: the gate is closed.
    """
    was = _locked(conn, gate)
    then = issued(was, now)
    _put(conn, gate, was, then, keys, by)
    append_audit(conn, by, "poster reissued", _named(gate, len(then)))
    return len(then)


def revoke_stolen(
    conn: Connection, keys: PosterKeys, gate: Gate, *, version: int, since: datetime, by: str, now: datetime
) -> None:
    """Revoke a version from the stated instant on; the door gets a new one at once if it has none then.

    Raises:
        Conflict: there is no such version, or the instant has not come yet.
    """
    was = _locked(conn, gate)
    then = stolen(was, version, since, now)
    if standing(was) is not None and standing(then) is None:
        then = issued(then, now)
    _put(conn, gate, was, then, keys, by)
    append_audit(conn, by, "poster stolen", _named(gate, version), f"since {since.isoformat()}")


def close(conn: Connection, gate: Gate, by: str, now: datetime) -> None:
    """Close a gate: its poster counts no more.

    Raises:
        Conflict: it is closed already.
    """
    was = _locked(conn, gate)
    store.put_versions(conn, gate, was, closed(was, now), "", by)
    store.close_gate(conn, gate, now)
    append_audit(conn, by, "gate closed", _named(gate, len(was)))


def find(conn: Connection, facility_id: str, gate_no: int) -> Gate:
    """Return a gate.

    Raises:
        NotFound: the facility has none of that number.
    """
    gate = store.find_gate(conn, facility_id, gate_no) if gate_no <= NUMBER_MAX else None
    if gate is None:
        raise NotFound("no such gate")
    return gate


def sheets_of(
    conn: Connection, keys: PosterKeys, facility_id: str, url: str, gate_no: int | None = None
) -> list[Sheet]:
    """Return what is printed: the standing poster of one gate, or of every gate of a facility.

    Raises:
        NotFound: no poster stands there.
        Conflict: the key that signed one was taken away: it has to be issued again.
    """
    gates = [gate for gate in store.list_gates(conn, facility_id) if gate_no in {None, gate.gate_no}]
    found = store.standing_of(conn, gates[0].facility_no) if gates else {}
    made = [_sheet(keys, gate, *found[gate.gate_no], url) for gate in gates if gate.gate_no in found]
    if not made:
        raise NotFound("no such poster")
    return made


def _locked(conn: Connection, gate: Gate) -> Versions:
    store.lock_gate(conn, gate)
    return store.versions_of(conn, gate)


def _put(conn: Connection, gate: Gate, was: Versions, then: Versions, keys: PosterKeys, by: str) -> None:
    store.put_versions(conn, gate, was, then, keys.newest(), by)


def _named(gate: Gate, version: int) -> str:
    return f"{gate.facility_id} {tokens.gate_code(gate.kind, gate.gate_no)} v{version}"


def _sheet(keys: PosterKeys, gate: Gate, kid: str, version: Version, url: str) -> Sheet:
    token = tokens.signed(
        keys,
        tokens.Named(
            kid=kid, facility_id=gate.facility_id, kind=gate.kind, gate_no=gate.gate_no, version=version.number
        ),
    )
    return Sheet(
        facility=gate.facility,
        facility_id=gate.facility_id,
        kind=gate.kind,
        code=tokens.gate_code(gate.kind, gate.gate_no),
        name=gate.name,
        zone_kind=gate.zone_kind,
        version=version.number,
        made_on=version.made_at.astimezone(ZoneInfo(gate.time_zone)).date(),
        link=f"{url}{PATH}{token}",
    )
