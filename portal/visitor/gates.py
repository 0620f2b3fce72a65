"""What a poster stands for, before anybody confirms: the place, how crowded it is, how long people usually stay."""

from datetime import UTC, datetime
from typing import Final

from portal import store as gate_store
from portal.bands import last_refresh
from portal.posters import tokens
from portal.posters.check import Refusal, Shown, Why, check_named
from portal.posters.store import Gate
from portal.store import Connection
from portal.visitor import store
from portal.visitor.crowd import Crowd, crowd_of
from portal.visitor.shapes import GateAnswer, GateBody, GateRefusal
from portal.visitor.visitors import Visitors, sent
from schemas.errors import Unavailable
from schemas.events import Role
from tracing.instants import MINUTE_US, us_of
from tracing.stays import Stays
from tracing.store import read_stay_rules

TOO_NEW: Final = "the facility was made a moment ago"
REASONS: Final[dict[Why, str]] = {
    "unreadable": "is no poster of ours",
    "unknown": "is no poster that we know",
    "not_yet": "is a poster that was made later than this",
    "revoked": "is a poster that was replaced",
}


async def look(visitors: Visitors, body: GateBody) -> GateAnswer | GateRefusal:
    """Return what a poster stands for at the instant of its scan.

    Raises:
        BadInput: there is no such instant (field `at`).
        Unavailable: the database does not answer.
    """
    at = sent(body.at, "at")
    named = tokens.read(visitors.posters.keys, body.token)
    if named is None:
        return refusal(Refusal("unreadable"))
    shown, stays = await visitors.desk.read(_read, named, at)
    if isinstance(shown, Refusal):
        return refusal(shown)
    gate, crowd = shown.gate, await _crowd(visitors, shown.gate)
    kind = await visitors.kind_of(gate.facility_id)
    if kind is None:
        raise Unavailable(TOO_NEW)
    return GateAnswer(
        facility=gate.facility,
        facility_id=gate.facility_id,
        time_zone=gate.time_zone,
        gate_kind=gate.kind,
        gate_name=gate.name,
        zone=gate.zone,
        zone_name=gate.zone,
        crowd=crowd.band,
        fullness=crowd.fullness,
        assumed_stay_minutes=stays.assumed_stay(kind, Role.UNKNOWN, us_of(at)) // MINUTE_US,
    )


def refusal(why: Refusal) -> GateRefusal:
    """Return the answer to a token that counts for nothing."""
    return GateRefusal(error="invalid", field="token", reason=REASONS[why.why], why=why.why)


def _read(conn: Connection, named: tokens.Named, at: datetime) -> tuple[Shown | Refusal, Stays]:
    with conn.cursor() as cursor:
        stays = Stays(read_stay_rules(cursor))
    return check_named(conn, named, at), stays


async def _crowd(visitors: Visitors, gate: Gate) -> Crowd:
    """Return how crowded it was at the last quarter of an hour, whoever asks how often."""
    at = last_refresh(datetime.now(UTC))

    def count(conn: Connection) -> Crowd:
        inside = gate_store.occupancy(conn, gate.facility_no, at)
        return crowd_of(inside, store.capacity(conn, gate.facility_no))

    async def compute() -> Crowd:
        return await visitors.desk.read(count)

    return await visitors.crowds.get(gate.facility_id, at, compute)
