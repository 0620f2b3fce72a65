"""The work in memory that every contender does: per facility who is inside, per facility and hour ins, outs, visitors.

Visitors are distinct and exact. An hour is the text of its beginning in UTC: the zones of Indonesia are whole hours.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec


class FewFields(msgspec.Struct, gc=False):
    """The fields of a scan that this work reads."""

    facility_id: str
    person_id: str
    gate: Literal["entrance", "exit", "zone"]  # of few texts msgspec makes no new ones
    at: str
    admitted: bool


class Hour:
    """What is counted of one facility and hour."""

    __slots__ = ("ins", "outs", "visitors")

    def __init__(self) -> None:
        self.ins = self.outs = 0
        self.visitors: set[str] = set()


class Place:
    """One facility: who is inside, and its hours."""

    __slots__ = ("hours", "inside")

    def __init__(self) -> None:
        self.inside = 0
        self.hours: dict[str, Hour] = {}


class Tally:
    """The result so far, in dicts."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._decoder = msgspec.json.Decoder(FewFields)

    def add_bodies(self, bodies: Sequence[bytes]) -> None:
        """Count a batch of scans as they lie on the topic; one decoding for all."""
        self.add(self._decoder.decode_lines(b"\n".join(bodies)))

    def add(self, scans: Iterable[FewFields]) -> None:
        """Count scans."""
        places = self._places
        for scan in scans:
            if not scan.admitted:
                continue
            place = places.get(scan.facility_id)
            if place is None:
                place = places[scan.facility_id] = Place()
            at = scan.at[:13]
            hour = place.hours.get(at)
            if hour is None:
                hour = place.hours[at] = Hour()
            gate = scan.gate
            if gate == "entrance":
                hour.ins += 1
                place.inside += 1
            elif gate == "exit":
                hour.outs += 1
                place.inside -= 1
            hour.visitors.add(scan.person_id)

    def lines(self) -> Iterator[str]:
        """Yield the result, one line each."""
        for facility, place in self._places.items():
            yield f"{facility}|{place.inside}"
            for at, hour in place.hours.items():
                yield f"{facility}|{at}|{hour.ins}|{hour.outs}|{len(hour.visitors)}"
