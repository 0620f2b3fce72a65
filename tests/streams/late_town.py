"""A town whose scans come as late as real exposure events were published, with voided, flagged and corrected scans."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from schemas.events import Gate, Role, Scan, ScanDecision
from tests.streams.flow import FACILITIES, scan

PUBLISHED = Path(__file__).parent / "data" / "nz_exposure_events.csv.gz"
FIRST_DAY = datetime(2026, 11, 8, 17, tzinfo=UTC)  # midnight in Jakarta
PERIOD = timedelta(days=4)  # all events come to lie in so many days: people must meet
PLACES = ("RS-1", "PKM-1", "KL-1")


class Arrival(NamedTuple):
    """A record, and when it came."""

    at: datetime
    record: Scan | ScanDecision


def late_arrivals(random: Random, persons: list[str], visits: int) -> list[Arrival]:
    """Return scans and decisions in the order of their coming."""
    arrivals: list[Arrival] = []
    for start, end, late in random.sample(_events(), visits):
        arrivals += _visit(random, random.choice(persons), start, end, late)
    return sorted(arrivals, key=lambda one: one.at)


def _visit(random: Random, who: str, start: datetime, end: datetime, late: timedelta) -> Iterator[Arrival]:
    where = random.choice(PLACES)
    role = random.choice([Role.STAFF, Role.VISITOR, Role.INPATIENT])
    scans = [scan(random, who, where, start, Gate.ENTRANCE, role=role)]
    if random.random() < 0.3:
        scans.append(
            scan(random, who, where, start + (end - start) / 3, Gate.ZONE, zone=random.choice("ab"), role=role)
        )
    if random.random() < 0.75:
        scans.append(scan(random, who, where, end, Gate.EXIT, role=role))
    for one in scans:
        slower = timedelta(hours=random.choice([0, 0, 5, 60]))  # the exit of a stay may come days after its entrance
        came = end + late + slower
        yield Arrival(came, one)
        for serial in range(random.choice([0, 0, 0, 1, 2])):
            judged = came + timedelta(hours=random.uniform(-5, 90))  # also before its scan
            yield Arrival(judged, _decision(random, one, serial))


def _decision(random: Random, about: Scan, serial: int) -> ScanDecision:
    return ScanDecision(
        scan_id=about.scan_id,
        person_id=about.person_id,
        scan_at=about.at,
        decision=random.choice(["void", "flag", "clear"]),  # type: ignore[arg-type] # msgspec takes the text
        serial=serial,
        by="ppi",
    )


def _events() -> list[tuple[datetime, datetime, timedelta]]:
    """Return start, end and lateness of each event, moved into the period."""
    assert set(PLACES) <= FACILITIES.keys()
    found = []
    with gzip.open(PUBLISHED, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start, end, published = (
                datetime.fromisoformat(row[name]) for name in ("start_utc", "end_utc", "published_utc")
            )
            begins = FIRST_DAY + (start - datetime(2021, 1, 1, tzinfo=UTC)) % PERIOD
            found.append((begins, begins + (end - start), published - end))
    return found
