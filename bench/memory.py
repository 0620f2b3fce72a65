"""What processes keep in memory: read from the kernel, and judged to be flat or growing.

RSS counts a page once for each process that maps it, so for PostgreSQL, whose processes share theirs, the sum says
nothing: PSS shares such a page out. `own` is what a process has made itself (anonymous pages), the part that a leak
is in.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple

import msgspec
import psutil

MIB: Final = 1024  # kB
FLAT_SHARE: Final = 0.03
FLAT_MIB: Final = 3.0
END_S: Final = 300.0  # the first and the last five minutes are told apart
PASSING: Final = "postgres: autovacuum worker"  # lives for seconds: what it takes cannot pile up
CRITERION: Final = (
    "flat: the mean of the last third of the run is above that of the middle third by no more than"
    f" {FLAT_SHARE:.0%} or {FLAT_MIB:g} MiB, whichever is more; the first third is warm-up (buffers and heaps fill);"
    " autovacuum's workers, which live for seconds, are left out"
)


class Kept(NamedTuple):
    """Memory of one or several processes, MiB."""

    rss: float
    pss: float
    own: float
    shared_buffers: float  # the part of `pss` in shared memory that is no file


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a series of measurements says; MiB."""

    first: float  # mean of the first five minutes
    last: float  # mean of the last five minutes
    highest: float
    mib_an_hour: float  # slope after the warm-up
    grew: float  # last third above the middle third
    flat: bool


def read_family(pid: int) -> Kept | None:
    """Return what a process and its lasting children keep; None when it is gone."""
    try:
        root = psutil.Process(pid)
        family = [root, *filter(_lasts, root.children(recursive=True))]
    except psutil.Error:
        return None
    found = [one for process in family if (one := _read(process.pid)) is not None]
    return Kept(*(round(sum(column), 2) for column in zip(*found, strict=True))) if found else None


def _lasts(process: psutil.Process) -> bool:
    try:
        return not " ".join(process.cmdline()).startswith(PASSING)
    except psutil.Error:
        return False


def _read(pid: int) -> Kept | None:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    lines = (line.split() for line in text.splitlines()[1:])
    kb = {words[0].rstrip(":"): int(words[1]) for words in lines}
    return Kept(*(kb.get(name, 0) / MIB for name in ("Rss", "Pss", "Pss_Anon", "Pss_Shmem")))


def judge(series: Sequence[tuple[float, float]]) -> Found:
    """Return what (seconds, MiB) measurements say, by `CRITERION`."""
    begin, end = series[0][0], series[-1][0]
    third = (end - begin) / 3
    middle = [kept for at, kept in series if begin + third <= at < begin + 2 * third]
    last = [kept for at, kept in series if at >= begin + 2 * third]
    grew = mean(last) - mean(middle)
    return Found(
        first=round(mean(kept for at, kept in series if at <= begin + END_S), 1),
        last=round(mean(kept for at, kept in series if at >= end - END_S), 1),
        highest=round(max(kept for _, kept in series), 1),
        mib_an_hour=round(_slope([one for one in series if one[0] >= begin + third]) * 3600, 1),
        grew=round(grew, 2),
        flat=grew <= max(FLAT_SHARE * mean(middle), FLAT_MIB),
    )


def told(found: Found) -> dict[str, Any]:
    """Return it for a report."""
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _slope(series: Sequence[tuple[float, float]]) -> float:
    """Return the least squares slope."""
    x, y = mean(at for at, _ in series), mean(kept for _, kept in series)
    across = sum((at - x) ** 2 for at, _ in series)
    return sum((at - x) * (kept - y) for at, kept in series) / across if across else 0.0
