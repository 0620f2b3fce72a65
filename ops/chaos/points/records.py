"""The records of a seed: a few persons who meet in few places, scans late, repeated and judged, and facts of cases."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from schemas.events import (
    Channel,
    ContactDecision,
    Gate,
    Kind,
    Role,
    Scan,
    ScanDecision,
    TestResult,
    TraceRequest,
    Verdict,
)

PLACES: Final[Mapping[str, tuple[Kind, str, str]]] = {
    "RS-1": (Kind.HOSPITAL, "Asia/Jakarta", "36.71"),
    "PKM-1": (Kind.PUSKESMAS, "Asia/Makassar", "31.71"),
    "LAB-1": (Kind.LABORATORY, "Asia/Jakarta", "36.71"),
}
PERSONS: Final = 24
DAYS: Final = 5
STAY_MINUTES: Final = (20, 90, 240)
_TWICE: Final = 0.15
_JUDGED: Final = 0.15
_FORGOTTEN: Final = 0.2


class Records:
    """Makes records, one after the other; the same seed, the same records."""

    def __init__(self, seed: int, today: datetime) -> None:
        self._random = Random(f"{seed}|points")  # noqa: S311 — nothing secret
        self._start = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=DAYS + 1)
        self.persons = [f"{self._random.getrandbits(128):032x}" for _ in range(PERSONS)]
        self._number = 0

    def scans(self) -> list[Scan | ScanDecision]:
        """Return what some persons do within the five days: later rounds bring what is late."""
        made = [one for who in self._random.sample(self.persons, 5) for one in self._stay(who)]
        made += [one for one in made if self._random.random() < _TWICE]
        return made

    def _stay(self, who: str) -> Iterator[Scan | ScanDecision]:
        random = self._random
        where, at = random.choice(list(PLACES)), self._start + timedelta(minutes=random.randrange(DAYS * 1440))
        entrance = self._scan(who, where, at, Gate.ENTRANCE)
        yield entrance
        if random.random() < _JUDGED:
            verdict = random.choice(list(Verdict))
            yield ScanDecision(
                scan_id=entrance.scan_id, person_id=who, scan_at=at, decision=verdict, serial=1, by="rule"
            )
        if random.random() >= _FORGOTTEN:
            yield self._scan(who, where, at + timedelta(minutes=random.choice(STAY_MINUTES)), Gate.EXIT)

    def _scan(self, who: str, where: str, at: datetime, gate: Gate) -> Scan:
        kind, time_zone, _ = PLACES[where]
        return Scan(
            scan_id=self.uuid7(),
            person_id=who,
            facility_id=where,
            kind=kind,
            time_zone=time_zone,
            gate=gate,
            at=at,
            admitted=self._random.random() > 0.1,  # noqa: PLR2004 — a tenth are refused
            role=self._random.choice([Role.UNKNOWN, Role.STAFF, Role.INPATIENT]),
            channel=self._random.choice([Channel.APP, Channel.OFFICER]),
            received_at=at,
        )

    def positive(self, who: str, lab_ref: str = "", **more: Any) -> TestResult:  # noqa: ANN401 — fields of the result
        """Return a final positive; with a `lab_ref` used before it waits for a second person."""
        self._number += 1
        day = self._start + timedelta(days=DAYS - 1)
        values: dict[str, Any] = {
            "result_id": self.uuid7(),
            "lab_ref": lab_ref or f"ref-{self._number}",
            "person_id": who,
            "test": "pcr",
            "result": "positive",
            "status": "final",
            "specimen_at": day,
            "reported_at": day,
            "date_onset": (self._start + timedelta(days=2)).date(),
            "laboratory": "LAB-1",
            "by": "lab one",
            "received_at": day + timedelta(seconds=self._number),
        }
        return TestResult(**values | more)

    def approval(self, who: str, case_id: str) -> TraceRequest:
        """Return the second person's approval."""
        return TraceRequest(
            request_id=self.uuid7(),
            person_id=who,
            case_id=case_id,
            action="approve",
            by="epi two",
            role="epidemiologist",
            area="36.71",
            reason="interview",
            at=self._later(),
        )

    def decision(self, who: str, case_id: str, contact_ref: str) -> ContactDecision:
        """Return the confirmation of a candidate."""
        return ContactDecision(
            decision_id=self.uuid7(),
            person_id=who,
            case_id=case_id,
            contact_ref=contact_ref,
            decision="confirmed",
            by="epi one",
            reason="call",
            at=self._later(),
        )

    def uuid7(self) -> str:
        """Return a made-up UUIDv7; its time means nothing."""
        bits = self._random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
        return str(UUID(int=bits))

    def _later(self) -> datetime:
        self._number += 1
        return self._start + timedelta(days=DAYS, seconds=self._number)
