"""Turns stays that somebody recorded into the scans that would have made them, and plays them through the gate.

Pairing the scans gives the stays back, where one person's stays do not overlap; a stay without an end gets no exit.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec

from producers.gate_scans import BATCH_SCANS, GateScan, Subject
from producers.scan_ids import EPOCH, MILLISECOND, scan_id
from schemas.events import Channel, Gate

PACE_S: Final = 0.25  # scans due within this time travel together
_nik = re.compile(r"[0-9]{16}")


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a visits file; `check_out` None: the end was never seen."""

    visit_id: str
    person_id: str
    facility_id: str
    zone: str
    check_in: datetime
    check_out: datetime | None


class Step(msgspec.Struct, frozen=True):
    """One scan to be and when it happened."""

    at: datetime
    gate: Gate
    stay: Stay


def last_event(stays: Iterable[Stay]) -> datetime | None:
    """Return when the last check-in or check-out was; None without stays."""
    return max((stay.check_out or stay.check_in for stay in stays), default=None)


def replay_scans(stays: Sequence[Stay], shift: timedelta, *, channel: Channel) -> list[GateScan]:
    """Return the scans of all stays, moved by `shift`, in order of time.

    The same stays and shift give the same scans, ids included. A stay's zone is scanned in the same instant as the
    entrance, so that it holds for the whole stay.
    """
    persons: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        persons[stay.person_id].append(stay)
    scans: list[tuple[datetime, GateScan]] = []
    for person_id, own in persons.items():
        subject = subject_of(person_id)
        for tie, step in _with_ties(_steps(own, shift)):
            scans.append((step.at, _scan(step, tie, subject, channel)))
    scans.sort(key=lambda pair: (pair[0], pair[1].scan_id))
    return [scan for _, scan in scans]


def subject_of(person_id: str) -> Subject:
    """Return how the gate is told of a person of a file: 16 digits are a NIK, all else a demo subject."""
    return Subject(type="nik" if _nik.fullmatch(person_id) else "test", value=person_id)


def as_fast_as_possible(scans: Sequence[GateScan]) -> Iterator[list[GateScan]]:
    """Yield the scans in full batches."""
    for start in range(0, len(scans), BATCH_SCANS):
        yield list(scans[start : start + BATCH_SCANS])


def at_speed(
    scans: Sequence[GateScan], speed: float, *, now_s: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[list[GateScan]]:
    """Yield the scans in batches when each is due: `speed` seconds of the file pass in one second.

    Args:
        scans: in order of time.
        speed: 1 is real time.
        now_s: a clock that only goes forward, in seconds.
        sleep: waits that many seconds.
    """
    if not scans:
        return
    first, began = datetime.fromisoformat(scans[0].at), now_s()

    def due_s(scan: GateScan) -> float:
        return (datetime.fromisoformat(scan.at) - first).total_seconds() / speed

    for slot, group in groupby(scans, key=lambda scan: int(due_s(scan) / PACE_S)):
        wait_s = began + slot * PACE_S - now_s()
        if wait_s > 0:
            sleep(wait_s)
        yield from as_fast_as_possible(list(group))


def _steps(stays: list[Stay], shift: timedelta) -> list[Step]:
    """Return one person's scans in order; at the same instant an earlier stay's exit comes before a later entrance."""
    steps: list[Step] = []
    for stay in sorted(stays, key=lambda stay: (stay.check_in, stay.check_out or stay.check_in, stay.visit_id)):
        steps.append(Step(stay.check_in + shift, Gate.ENTRANCE, stay))
        if stay.zone:
            steps.append(Step(stay.check_in + shift, Gate.ZONE, stay))
        if stay.check_out is not None:
            steps.append(Step(stay.check_out + shift, Gate.EXIT, stay))
    return sorted(steps, key=lambda step: step.at)  # stable: ties keep the order above


def _with_ties(steps: list[Step]) -> Iterator[tuple[int, Step]]:
    for _, together in groupby(steps, key=lambda step: (step.at - EPOCH) // MILLISECOND):
        yield from enumerate(together)


def _scan(step: Step, tie: int, subject: Subject, channel: Channel) -> GateScan:
    # The id is on the topic, and its hash has no key: whoever guesses a NIK must not find it there. The visit's id is
    # one of its file already.
    who = "" if subject.type == "nik" else step.stay.person_id
    return GateScan(
        scan_id=scan_id(step.at, tie, step.stay.visit_id, who, step.gate),
        subject=subject,
        facility_id=step.stay.facility_id,
        gate=step.gate,
        at=step.at.isoformat(),
        zone=step.stay.zone if step.gate is Gate.ZONE else "",
        channel=channel,
    )
