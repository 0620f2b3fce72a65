"""What the tests of the flow share: facilities, scans, a log to put them in, workers, questions to the database."""

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from producers.sender import Sender
from schemas.codec import encode
from schemas.events import Channel, Gate, Kind, Role, Scan, ScanDecision
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import SCAN
from tests.commands import environment
from tracing.store import connect

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 2, tzinfo=UTC)
FACILITIES: Mapping[str, tuple[Kind, str]] = {
    "RS-1": (Kind.HOSPITAL, "Asia/Jakarta"),
    "RS-2": (Kind.HOSPITAL, "Asia/Jayapura"),
    "PKM-1": (Kind.PUSKESMAS, "Asia/Jakarta"),
    "PKM-2": (Kind.PUSKESMAS, "Asia/Makassar"),
    "KL-1": (Kind.CLINIC, "Asia/Jakarta"),
    "LAB-1": (Kind.LABORATORY, "Asia/Jakarta"),
}


def uuid7(random: Random) -> str:
    """Return a made-up UUIDv7; its time means nothing."""
    bits = random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return str(UUID(int=bits))


def person(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def scan(random: Random, who: str, where: str, at: datetime, gate: Gate = Gate.ENTRANCE, **more: Any) -> Scan:
    kind, time_zone = FACILITIES[where]
    return Scan(
        scan_id=uuid7(random),
        person_id=who,
        facility_id=where,
        kind=kind,
        time_zone=time_zone,
        gate=gate,
        at=at,
        received_at=at,
        **more,
    )


def town(random: Random, persons: int, days: int = 7) -> list[Scan | ScanDecision]:
    """Return what a small town's people do: stays, forgotten exits, zones, refusals, officers, decisions."""
    records: list[Scan | ScanDecision] = []
    for who in [person(random) for _ in range(persons)]:
        for _ in range(random.randint(1, 4)):
            records += _stay(random, who, START + timedelta(minutes=random.randrange(days * 24 * 60)))
    return records


def _stay(random: Random, who: str, start: datetime) -> Iterator[Scan | ScanDecision]:
    where = random.choice(list(FACILITIES))
    role = random.choice([Role.UNKNOWN, Role.INPATIENT, Role.STAFF])
    hours = random.choice([0.1, 0.5, 2, 5, 23, 60]) * random.random()
    more: dict[str, Any] = {"role": role, "channel": random.choice([Channel.APP, Channel.APP, Channel.OFFICER])}
    scans = [
        scan(random, who, where, start, admitted=random.random() > 0.05, **more),
        scan(
            random,
            who,
            where,
            start + timedelta(hours=hours / 2),
            Gate.ZONE,
            zone=random.choice(["igd", r"a\b"]),
            **more,
        ),
        scan(random, who, where, start + timedelta(hours=hours), Gate.EXIT, **more),
    ]
    for one in scans:
        if random.random() < 0.75:
            yield one
        if random.random() < 0.08:
            yield from _decisions(random, one)


def _decisions(random: Random, about: Scan) -> Iterator[ScanDecision]:
    for serial in range(random.randint(1, 3)):
        yield ScanDecision(
            scan_id=about.scan_id,
            person_id=about.person_id,
            scan_at=about.at,
            decision=random.choice(["void", "flag", "clear"]),  # type: ignore[arg-type] # msgspec takes the text
            serial=serial // 2,
            by=f"rule-{random.randrange(2)}",
        )


def add_facilities(settings: Settings, facilities: Mapping[str, tuple[Kind, str]] = FACILITIES) -> None:
    with closing_after(settings, "jejak_ops") as cur:
        for facility_id, (kind, time_zone) in facilities.items():
            cur.execute(
                "insert into facility (facility_id, name, kind, time_zone, district) values (%s, %s, %s, %s, '36.71')"
                " on conflict do nothing",
                (facility_id, facility_id, str(kind), time_zone),
            )


def send(settings: Settings, records: Iterable[Scan | ScanDecision]) -> None:
    """Append records to the log, each in its person's partition."""
    with Sender(settings, "gate") as sender:
        sender.confirm(
            [
                sender.send(
                    SCAN.name,
                    one.person_id.encode(),
                    encode(one),
                    partition_of(one.person_id, settings.partitions),
                )
                for one in records
            ],
            60,
        )


def send_raw(settings: Settings, values: Sequence[tuple[int, bytes | None]]) -> None:
    """Append bytes to the log, each to the partition said."""
    with Sender(settings, "gate") as sender:
        sender.confirm([sender.send(SCAN.name, b"key", value, partition) for partition, value in values], 60)


@contextmanager
def running(
    settings: Settings, *command: str, stdout: int | None = None, text: bool = True
) -> "Iterator[subprocess.Popen[Any]]":
    """Run a `jejak` command; it is killed at the end if it still runs."""
    process: subprocess.Popen[Any] = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", *command],
        cwd=ROOT,
        env=environment(settings),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=text,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def ask(settings: Settings, sql: str, *values: object, role: str = "jejak_ops") -> list[tuple[Any, ...]]:
    with closing_after(settings, role) as cur:
        cur.execute(sql, values or None)
        return list(cur.fetchall())


@contextmanager
def closing_after(settings: Settings, role: str) -> Iterator[Any]:
    conn = connect(settings, role)
    try:
        with conn, conn.cursor() as cur:
            yield cur
    finally:
        conn.close()


def folded(settings: Settings) -> int:
    """Return how many records the ledger of `scan.v1` counts."""
    rows = ask(settings, "select coalesce(sum(applied + duplicate + dead), 0) from position where topic = 'scan.v1'")
    return int(rows[0][0])


def with_settings(settings: Settings, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings, **changes)
