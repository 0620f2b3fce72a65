"""People who are together for an hour in a place of their own, one of whom is reported positive."""

from datetime import datetime, timedelta
from random import getrandbits
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import msgspec

from bench.front import Front
from bench.load import Place
from bench.store import add_facilities
from ops.demo.keys import Holder, make_demo_keys
from producers.gate_client import open_gate
from producers.gate_scans import GateScan, Subject
from schemas.events import Gate, Kind

PEOPLE: Final = 60


class Wards:
    """As many as were asked for, one after the other, each a trace of the same size; a context manager."""

    def __init__(self, front: Front, number: int) -> None:
        names = [f"W{each:06}" for each in range(number)]
        add_facilities(front.settings, [Place(name, Kind.PUSKESMAS, "Asia/Jakarta") for name in names])
        self._names = iter(names)
        self._front = front
        holder = {"wards": Holder("laboratory", "bench-wards", facility=names[0])}
        keys = make_demo_keys(front.settings, holder)
        self._door = open_gate(front.settings, key_file=str(front.key_file))
        self._laboratory = open_gate(front.settings, key_file=str(keys["wards"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._door.close()
        self._laboratory.close()

    def fill(self) -> str:
        """Send the scans of the next one; return its name."""
        name, now = next(self._names), self._front.now()
        passing = ((Gate.ENTRANCE, now - timedelta(hours=2)), (Gate.EXIT, now - timedelta(hours=1)))
        scans = [
            GateScan(scan_id=_uuid7(at), subject=person, facility_id=name, gate=gate, at=at.isoformat())
            for gate, at in passing
            for person in _people(name)
        ]
        self._door.post("/v1/scans", scans)
        return name

    def report(self, name: str) -> None:
        """Report one of its people as positive."""
        now = self._front.now()
        result = {
            "result_id": _uuid7(now),
            "subject": msgspec.to_builtins(_people(name)[0]),
            "lab_ref": f"WARD/{name}",
            "test": "pcr",
            "result": "positive",
            "status": "final",
            "specimen_at": now.isoformat(),
            "reported_at": now.isoformat(),
        }
        self._laboratory.post("/v1/test-results", result)


def _people(name: str) -> list[Subject]:
    return [Subject("test", f"{name}-{number}") for number in range(PEOPLE)]


def _uuid7(at: datetime) -> str:
    bits = int(at.timestamp() * 1_000) << 80 | getrandbits(80)
    return str(UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))
