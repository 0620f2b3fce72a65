"""The figures in bench/results: one JSON file per command, with the machine they were taken on and its load."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import psutil

from bench.tools import ROOT

RESULTS: Final = ROOT / "bench" / "results"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and under which load it was measured."""

    cores: int
    memory_gib: int
    processor: str
    python: str
    kernel: str
    load_before: float
    load_after: float = 0.0
    busy_others: float = 0.0  # share of all cores that other processes used just before


class Report(msgspec.Struct, kw_only=True):
    """What one command found."""

    command: str
    at: str  # day and time, as the command was started
    seconds: float = 0.0
    machine: Machine
    notes: list[str] = []
    not_run: dict[str, str] = {}
    data: dict[str, Any] = {}


def machine() -> Machine:
    """Return this machine, and how busy it is with other things; takes a second."""
    return Machine(
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        processor=_processor(),
        python=platform.python_version(),
        kernel=platform.release(),
        load_before=load_average(),
        busy_others=round(psutil.cpu_percent(1) / 100, 2),
    )


def load_average() -> float:
    """Return how many processes wanted a core in the last minute."""
    return round(psutil.getloadavg()[0], 2)


def write_report(report: Report) -> Path:
    """Write it to bench/results."""
    report.machine = msgspec.structs.replace(report.machine, load_after=load_average())
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{report.command}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path


def read_report(command: str) -> Report | None:
    """Return the last report of a command, if there is one."""
    path = RESULTS / f"{command}.json"
    return msgspec.json.decode(path.read_bytes(), type=Report) if path.is_file() else None


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours ÷ theirs, pair by pair."""
    return [round(one / other, 3) for one, other in zip(ours, theirs, strict=False) if other]


def median_ratio(rates: Mapping[str, Sequence[float]], ours: str, theirs: str) -> float | None:
    """Return the median over the pairs; None where either was not run."""
    found = ratios(rates.get(ours, ()), rates.get(theirs, ()))
    return round(median(found), 3) if found else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
