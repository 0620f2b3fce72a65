"""The scans that are measured with: made up, the same for the same arguments, in the order of time.

So each person's scans are in order, as at a door: a contender that pairs only scans in order has its chance.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from producers.scan_ids import scan_id_us
from producers.sender import Sender
from schemas.codec import encode
from schemas.events import Channel, Gate, Kind, Role, Scan
from schemas.partition import partition_of
from schemas.settings import Settings

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
DAYS: Final = 7
TIME_ZONES: Final = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
KINDS: Final = (Kind.PUSKESMAS, Kind.HOSPITAL, Kind.CLINIC, Kind.LABORATORY)
STAY_MINUTES: Final = 55  # mean
FORGOTTEN: Final = 0.08  # exits that are never scanned
TWICE: Final = 0.02  # entrances scanned again within minutes
REFUSED: Final = 0.01
BY_OFFICER: Final = 0.05
AT_ONCE: Final = 20_000  # records in flight while the topic is filled
CONFIRM_S: Final = 120.0


class Shape(NamedTuple):
    """How many of what."""

    scans: int
    facilities: int = 300
    persons: int = 0  # 0: a tenth of the scans

    def people(self) -> int:
        """Return how many persons there are."""
        return self.persons or max(10, self.scans // 10)


class Place(NamedTuple):
    """A facility of the load."""

    facility_id: str
    kind: Kind
    time_zone: str


def places(number: int) -> list[Place]:
    """Return the facilities, in the three time zones."""
    return [Place(f"F{i:06}", KINDS[i % 4], TIME_ZONES[i % 3]) for i in range(number)]


def make_scans(shape: Shape, seed: int = 1, skip: int = 0) -> Iterator[Scan]:
    """Yield the scans; `skip` leaves out that many of the first."""
    return islice(_scans(shape, Random(seed)), skip, shape.scans)  # noqa: S311 — nothing secret


def _scans(shape: Shape, random: Random) -> Iterator[Scan]:
    where, people = places(shape.facilities), [f"{random.getrandbits(128):032x}" for _ in range(shape.people())]
    step = DAYS * 24 * 3600 / shape.scans  # seconds between two scans, on average
    inside: set[str] = set()
    later: list[tuple[float, int, str, Place, Gate]] = []  # scans to come: exits, and second scans at an entrance
    now, number = 0.0, 0
    while True:
        now += random.expovariate(0.54 / step)  # about 54 of 100 scans begin something
        while later and later[0][0] <= now:
            at, _, who, place, gate = heapq.heappop(later)
            if gate is Gate.EXIT:
                inside.discard(who)
            yield _scan(random, at, who, place, gate)
        who = random.choice(people)
        if who in inside:
            continue
        place = where[int(len(where) * random.random() ** 2)]  # some are busier than others
        number += 1
        if random.random() < REFUSED:
            yield _scan(random, now, who, place, Gate.ENTRANCE, admitted=False)
            continue
        yield _scan(random, now, who, place, Gate.ENTRANCE)
        if random.random() < TWICE:
            heapq.heappush(later, (now + random.uniform(20, 500), -number, who, place, Gate.ENTRANCE))
        if random.random() >= FORGOTTEN:
            inside.add(who)
            stay = 600 + min(random.expovariate(1 / (STAY_MINUTES * 60)), 10 * 3600)
            heapq.heappush(later, (now + stay, number, who, place, Gate.EXIT))


def _scan(random: Random, at_s: float, who: str, place: Place, gate: Gate, *, admitted: bool = True) -> Scan:
    at = START + timedelta(seconds=round(at_s, 3))
    return Scan(
        scan_id=scan_id_us(int(at.timestamp() * 1_000) * 1_000, 0, who, gate),
        person_id=who,
        facility_id=place.facility_id,
        kind=place.kind,
        time_zone=place.time_zone,
        gate=gate,
        at=at,
        admitted=admitted,
        refused_reason="" if admitted else "no mask",
        role=Role.STAFF if random.random() < BY_OFFICER else Role.UNKNOWN,
        channel=Channel.OFFICER if random.random() < BY_OFFICER else Channel.APP,
        device_id=who[:16],
        entered_by="bench",
        received_at=at + timedelta(seconds=1),
    )


def fill_topic(settings: Settings, topic: str, scans: Iterator[Scan]) -> int:
    """Write the scans to a topic, each in its person's partition; return how many."""
    number = 0
    with Sender(settings, "admin") as sender:
        while some := list(islice(scans, AT_ONCE)):
            sender.confirm([_send(sender, topic, scan, settings.partitions) for scan in some], CONFIRM_S)
            number += len(some)
    return number


def _send(sender: Sender, topic: str, scan: Scan, partitions: int) -> object:
    key = scan.person_id
    return sender.send(topic, key.encode(), encode(scan), partition_of(key, partitions))
