"""Pairing a second time, by the words of the contract and nothing of the product but the row: slow and plain.

It keeps the whole history as a list and asks it every question anew.
"""

from collections.abc import Callable
from typing import Any

from tracing.records import SeenScan

MINUTE = 60 * 1_000_000
DEFAULTS = {  # kind: assumed stay, longest stay, in minutes
    "hospital": (240, 30 * 24 * 60),
    "puskesmas": (120, 24 * 60),
    "clinic": (120, 24 * 60),
    "laboratory": (60, 24 * 60),
}
Lengths = Callable[[str, int], tuple[int, int]]  # kind, at: assumed and longest stay in microseconds


def default_lengths(kind: str, _at: int) -> tuple[int, int]:
    assumed, longest = DEFAULTS[kind]
    return assumed * MINUTE, longest * MINUTE


def naive_visits(scans: list[SeenScan], lengths: Lengths = default_lengths) -> list[dict[str, Any]]:
    """Return visits as plain dicts, in the order in which they happened."""

    def longest(scan: SeenScan) -> int:
        return lengths(scan.kind, scan.at)[1]

    def assumed(scan: SeenScan) -> int:
        return longest(scan) if scan.role == "inpatient" else lengths(scan.kind, scan.at)[0]

    unique = {scan.scan_id: scan for scan in scans if scan.admitted and scan.decision in {None, "clear"}}
    history: list[SeenScan] = []
    visits: list[dict[str, Any]] = []

    def open_visit() -> dict[str, Any] | None:
        return visits[-1] if visits and visits[-1]["check_out"] is None else None

    def estimated_end(visit: dict[str, Any]) -> int:
        opener: SeenScan = visit["scans"][0]
        latest: SeenScan = visit["scans"][-1]
        return max(opener.at + assumed(opener), latest.at)

    def close_estimated(t: int) -> None:
        visit = open_visit()
        if visit is not None:
            visit["check_out"] = min(estimated_end(visit), t)
            visit["check_out_estimated"] = True

    def record(scan: SeenScan, check_in: int, check_out: int | None, zones: list[tuple[int, str]]) -> None:
        visits.append(
            {
                "visit_id": scan.scan_id,
                "person": scan.person,
                "facility": scan.facility,
                "role": scan.role,
                "check_in": check_in,
                "check_out": check_out,
                "check_in_estimated": check_out is not None,
                "check_out_estimated": False,
                "zones": zones,
                "scans": [scan],
            }
        )

    for scan in sorted(unique.values(), key=lambda scan: (scan.at, [ord(letter) for letter in scan.scan_id])):
        t, visit = scan.at, open_visit()
        here = visit is not None and visit["facility"] == scan.facility
        opener = visit["scans"][0] if visit is not None else None
        in_time = here and opener is not None and t - opener.at <= longest(opener)

        if scan.gate == "exit":
            latest = history[-1] if history else None
            if (
                latest is not None
                and latest.gate == "exit"
                and latest.facility == scan.facility
                and t - latest.at <= 10 * MINUTE
            ):
                pass  # ignored
            elif in_time and visit is not None:
                visit["check_out"] = t
            else:
                close_estimated(t)
                previous_ends = [t - assumed(scan)] + [past["check_out"] for past in visits]
                record(scan, max(previous_ends), t, [])
        elif scan.gate == "zone" and in_time and visit is not None:
            visit["zones"].append((t, scan.zone))
            visit["scans"].append(scan)
        elif here and visit is not None and t - visit["scans"][-1].at <= 10 * MINUTE:
            visit["scans"].append(scan)  # ignored
        else:
            close_estimated(t)
            record(scan, t, None, [(t, scan.zone)] if scan.gate == "zone" or scan.zone else [])
        history.append(scan)

    last = open_visit()
    if last is not None:
        close_estimated(estimated_end(last))
    for visit in visits:
        del visit["scans"]
    return visits
