"""Many worlds by seed, and the shortest schedule that breaks one."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from ops.simulation.check import check
from ops.simulation.tables import FACILITIES
from ops.simulation.world import PARTITIONS, Protocol, World, Wrong, make_log
from schemas.codec import encode
from schemas.events import Gate, Kind, Scan, ScanDecision, Verdict
from schemas.partition import partition_of

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
LENGTH_MAX: Final = 60  # actions of a schedule
SHRINKS_MAX: Final = 2_000
SMALL: Final = 24  # numbers tried in the place of two: as many as there are actions


class Failure(NamedTuple):
    """A world that went wrong, as short as it could be made."""

    seed: int
    schedule: list[int]
    told: list[str]
    reason: str


def search(seeds: Iterator[int], protocol: Callable[[], Protocol] = Protocol) -> Failure | None:
    """Return the first world that goes wrong, shrunk; None when none does."""
    for seed in seeds:
        random = Random(seed)  # noqa: S311 — nothing secret
        bodies = _bodies(random)
        schedule = [random.randrange(1 << 16) for _ in range(random.randint(5, LENGTH_MAX))]
        if _reason(bodies, schedule, protocol):
            return _shrunk(seed, bodies, schedule, protocol)
    return None


def _shrunk(
    seed: int, bodies: Sequence[tuple[int, bytes]], schedule: list[int], protocol: Callable[[], Protocol]
) -> Failure:
    """Leave out what the failure does not need, halves first, then single actions, until nothing more can go."""
    tries, before = 0, [-1]
    while before != schedule and tries < SHRINKS_MAX:
        before, size = schedule, max(1, len(schedule) // 2)
        while size:
            at = 0
            while at < len(schedule):
                tries += 1
                found = next((one for one in _simpler(schedule, at, size) if _reason(bodies, one, protocol)), None)
                schedule, at = (schedule, at + size) if found is None else (found, at)
            size //= 2
    world = World(make_log(bodies), schedule, protocol())
    reason = _fate(world)
    return Failure(seed, schedule, world.told, reason)


def _simpler(schedule: list[int], at: int, size: int) -> Iterator[list[int]]:
    """Yield the schedule without a part of it, and with that part and the next action made into one."""
    yield schedule[:at] + schedule[at + size :]
    for number in range(SMALL if size == 1 and at + 1 < len(schedule) else 0):
        yield [*schedule[:at], number, *schedule[at + 2 :]]


def _reason(bodies: Sequence[tuple[int, bytes]], schedule: Sequence[int], protocol: Callable[[], Protocol]) -> str:
    return _fate(World(make_log(bodies), schedule, protocol()))


def _fate(world: World) -> str:
    """Return why a world went wrong; empty when it did not."""
    try:
        world.run()
        check(world)
    except (Wrong, AssertionError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _bodies(random: Random) -> list[tuple[int, bytes]]:
    """Return what a few persons do, some of it late, twice, judged, or not an event; in the order of the log."""
    events: list[Scan | ScanDecision] = []
    for who in (f"{random.getrandbits(128):032x}" for _ in range(4)):
        at = START
        for _ in range(random.randint(1, 4)):
            at += timedelta(minutes=random.choice([3, 8, 8, 40, 300]))
            events.append(_scan(random, who, at))
    for about in random.sample(events, len(events) // 4):
        assert isinstance(about, Scan)
        events.append(
            ScanDecision(
                scan_id=about.scan_id,
                person_id=about.person_id,
                scan_at=about.at,
                decision=random.choice([Verdict.VOID, Verdict.CLEAR]),
                serial=random.randint(0, 1),
                by="rule",
            )
        )
    events += random.sample(events, len(events) // 4)
    for _ in range(random.randint(0, len(events) // 2)):
        first = random.randrange(len(events) - 1)
        events[first], events[first + 1] = events[first + 1], events[first]
    bodies = [(partition_of(event.person_id, PARTITIONS), encode(event)) for event in events]
    bodies.insert(random.randrange(len(bodies)), (random.randrange(PARTITIONS), b"{"))
    return bodies


def _scan(random: Random, who: str, at: datetime) -> Scan:
    facility = random.choice(FACILITIES)
    bits = random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return Scan(
        scan_id=str(UUID(int=bits)),
        person_id=who,
        facility_id=facility.facility_id,
        kind=Kind(facility.kind),
        time_zone=facility.time_zone,
        gate=random.choice([Gate.ENTRANCE, Gate.ENTRANCE, Gate.EXIT]),
        at=at,
        admitted=random.random() > 0.1,  # noqa: PLR2004 — a tenth are refused
        received_at=at,
    )
