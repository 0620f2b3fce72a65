"""The work in memory that every contender does: per facility who is inside, per facility and hour ins, outs, visitors.

Visitors are distinct and exact. An hour is the text of its beginning in UTC: the zones of Indonesia are whole hours.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec


class FewFields(msgspec.Struct, gc=False):
    """The fields of a scan that this work reads."""

    facility_id: str
    person_id: str
    gate: str
    at: str
    admitted: bool


class Tally:
    """The result so far, in dicts."""

    def __init__(self) -> None:
        self._inside: dict[str, int] = {}
        self._hours: dict[tuple[str, str], tuple[list[int], set[str]]] = {}
        self._decoder = msgspec.json.Decoder(FewFields)

    def add_bodies(self, bodies: Sequence[bytes]) -> None:
        """Count a batch of scans as they lie on the topic; one decoding for all."""
        self.add(self._decoder.decode_lines(b"\n".join(bodies)))

    def add(self, scans: Iterable[FewFields]) -> None:
        """Count scans."""
        hours, inside = self._hours, self._inside
        for scan in scans:
            if not scan.admitted:
                continue
            facility = scan.facility_id
            key = facility, scan.at[:13]
            hour = hours.get(key)
            if hour is None:
                hour = hours[key] = [0, 0], set()
            if scan.gate == "entrance":
                hour[0][0] += 1
                inside[facility] = inside.get(facility, 0) + 1
            elif scan.gate == "exit":
                hour[0][1] += 1
                inside[facility] = inside.get(facility, 0) - 1
            hour[1].add(scan.person_id)

    def lines(self) -> Iterator[str]:
        """Yield the result, one line each."""
        for facility, number in self._inside.items():
            yield f"{facility}|{number}"
        for (facility, at), ((ins, outs), visitors) in self._hours.items():
            yield f"{facility}|{at}|{ins}|{outs}|{len(visitors)}"
