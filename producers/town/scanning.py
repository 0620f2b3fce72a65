"""What the gates get to see of the town: scans forgotten, made twice, entered by officers, refused, sent late.

Scans come in the order in which they reach us, which is not the order in which they were made.
"""

from collections.abc import Iterator
from datetime import date
from heapq import heappop, heappush
from random import Random
from typing import Final

import msgspec

from producers.scan_ids import scan_id_us
from producers.town.life import DAY_US, HOUR_US, MINUTE_US, WARM_UP_DAYS, Life, Outing, midnight_us
from producers.town.people import Town
from schemas.events import Assurance, Channel, Gate, Kind, Role

SECOND_US: Final = 1_000_000
FORGOT_ENTRANCE: Final = 0.012
TWICE: Final = 0.05  # the same gate read again within a minute and a half
RESENT: Final = 0.01  # the same scan, same id, sent again
ZONE_READ: Final = 0.4  # of zone posters passed, by those who are not asked to
KIOSK: Final = 0.3  # of people without a phone, in hospitals
SILENT_ROLE: Final = 0.08
LATE_MEDIAN_H: Final = 5.0
LATE_MAX_US: Final = 7 * DAY_US
OFFICER_LATE: Final = 0.02  # an officer's list typed in afterwards
REFUSED: Final = {Role.VISITOR: 0.04, Role.COMPANION: 0.015, Role.COURIER: 0.02, Role.OUTPATIENT: 0.004}
GAVE_UP: Final = 0.5
REASONS: Final = ("visiting hours", "full", "no mask", "fever")


class TownScan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One scan as the gate would get it; person and place are indexes into the town."""

    scan_id: str
    person: int
    place: int
    gate: Gate
    at_us: int
    arrives_us: int
    zone: str = ""
    group_id: str = ""
    admitted: bool = True
    refused_reason: str = ""
    role: Role
    channel: Channel
    assurance: Assurance
    device_id: str


def town_scans(town: Town, start: date, days: int) -> Iterator[TownScan]:
    """Yield the scans of `days` days from `start`, in the order in which they reach us.

    With them come the admissions of those who lay in hospital when the first day began. What has not happened by
    the end is left out, what has happened and is not yet sent comes last.
    """
    life = Life(town, start)
    end_us = midnight_us(start) + days * DAY_US
    waiting: list[tuple[int, str, int, TownScan]] = []
    count = 0
    for number in range(-WARM_UP_DAYS, days):
        eyes = _Eyes(town, Random(f"{town.seed}|scans|{number}"))  # noqa: S311 — a simulation
        for outing in life.day(number):
            for scan in eyes.see(outing):
                if scan.at_us < end_us:
                    count += 1
                    heappush(waiting, (scan.arrives_us, scan.scan_id, count, scan))
        tomorrow_us = midnight_us(start) + (number + 1) * DAY_US
        while waiting and waiting[0][0] < tomorrow_us:  # nothing of a later day reaches us earlier
            yield heappop(waiting)[-1]
    while waiting:
        yield heappop(waiting)[-1]


class _Eyes:
    """Turns outings into what is scanned of them."""

    def __init__(self, town: Town, rng: Random) -> None:
        self._town = town
        self._rng = rng

    def see(self, outing: Outing) -> list[TownScan]:
        chance = self._rng.random
        person = self._town.people[outing.person]
        post = _Post(self._town, self._rng, outing)
        if chance() < REFUSED.get(outing.role, 0.0):
            before_us = outing.arrive_us - self._rng.randrange(60, 900) * SECOND_US
            post.scan(Gate.ENTRANCE, before_us, refused_reason=self._rng.choice(REASONS))
            if chance() < GAVE_UP:
                return post.scans
        if chance() >= FORGOT_ENTRANCE:
            post.scan(Gate.ENTRANCE, outing.arrive_us)
        asked = outing.role in {Role.INPATIENT, Role.CREW}
        for at_us, zone in outing.zones:
            if asked or chance() < ZONE_READ:
                post.scan(Gate.ZONE, at_us, zone=zone)
        if chance() >= person.forgets * (0.4 if asked else 1.0):
            post.scan(Gate.EXIT, outing.leave_us)
        if chance() < RESENT and post.scans:
            first = post.scans[0]
            post.scans.append(msgspec.structs.replace(first, arrives_us=first.arrives_us + 3 * MINUTE_US))
        return post.scans


class _Post:
    """Takes the scans of one outing, all by the same phone, kiosk or officer."""

    def __init__(self, town: Town, rng: Random, outing: Outing) -> None:
        self.scans: list[TownScan] = []
        self._rng = rng
        self._outing = outing
        self._person = town.people[outing.person]
        self._id_parts = str(town.seed), self._person.person_id, str(outing.arrive_us)
        self._channel, self._assurance = self._how(town.places[outing.place].kind)
        self._late_us = self._lateness()

    def scan(self, gate: Gate, at_us: int, *, zone: str = "", refused_reason: str = "") -> None:
        self._take(gate, at_us, zone, refused_reason)
        if self._rng.random() < TWICE and gate is not Gate.ZONE:
            self._take(gate, at_us + self._rng.randrange(4, 90) * SECOND_US, zone, refused_reason)

    def _take(self, gate: Gate, at_us: int, zone: str, refused_reason: str) -> None:
        role = self._outing.role
        silent = role is not Role.INPATIENT and self._rng.random() < SILENT_ROLE
        self.scans.append(
            TownScan(
                scan_id=scan_id_us(at_us, len(self.scans), *self._id_parts, gate, zone),
                person=self._outing.person,
                place=self._outing.place,
                gate=gate,
                at_us=at_us,
                arrives_us=at_us + self._late_us + self._rng.randrange(300, 4_000) * 1_000,
                zone=zone,
                group_id=self._outing.group_id,
                admitted=not refused_reason,
                refused_reason=refused_reason,
                role=Role.UNKNOWN if silent else role,
                channel=self._channel,
                assurance=self._assurance,
                device_id=f"phone-{self._outing.person}" if self._channel is Channel.APP else "",
            )
        )

    def _how(self, kind: Kind) -> tuple[Channel, Assurance]:
        if self._person.has_phone:
            return Channel.APP, Assurance.STAFF_ACCOUNT if self._person.job == "staff" else Assurance.OTP
        if kind is Kind.HOSPITAL and self._rng.random() < KIOSK:
            return Channel.KIOSK, Assurance.SELF
        return Channel.OFFICER, Assurance.OFFICER_SAW_ID

    def _lateness(self) -> int:
        late = self._person.offline if self._channel is Channel.APP else OFFICER_LATE
        if self._rng.random() >= late:
            return 0
        return min(LATE_MAX_US, int(self._rng.lognormvariate(0, 1.4) * LATE_MEDIAN_H * HOUR_US))
