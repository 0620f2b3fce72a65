"""What a run came to, as numbers that go into JSON: recovery after each kill, throughput and lag, the verdict."""

import os
import platform
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ops.chaos.compare import Verdict
from ops.chaos.diary import OK
from ops.chaos.faults import Done
from ops.chaos.told import STRENGTH, Told
from ops.chaos.watch import Look

BUCKETS_MAX: Final = 400
SHOWN_MAX: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything a run has seen."""

    seed: int
    kinds: tuple[str, ...]
    began: float
    loaded: float  # when the load was over
    settled: float
    traced: float  # when all was told of the positives
    ended: float  # when all was told of the late scans
    faults: list[Done]
    looks: list[Look]
    told: Told


@dataclass(frozen=True)
class Recovery:
    """How long it took after a kill until the work it carried went on."""

    at: float
    target: str
    seconds: float


def recoveries(facts: Facts) -> list[Recovery]:
    """Return for each kill the time until the next commit, publication or 200 of what was killed.

    A worker or the database: until the next commit (while several workers run, it may be another one's). The gate or
    the broker: until a request sent afterwards is answered with 200. The relay: the next row marked as published;
    traces and standing: their next commit. Where the load ended before, until all was folded: it was back by then.
    """
    answers = sorted((sent, answered) for sent, answered, got in facts.told.answered if got == OK)
    back: list[Recovery] = []
    for kill in facts.faults:
        if kill.kind == "kill":
            seconds = _next_sign(kill, facts.looks, answers) - kill.at
            phase_end = next((at for at in (facts.settled, facts.traced) if kill.at < at), facts.ended)
            back.append(Recovery(kill.at - facts.began, kill.target, min(seconds, phase_end - kill.at)))
    return back


def _next_sign(kill: Done, looks: Sequence[Look], answers: Sequence[tuple[float, float]]) -> float:
    if kill.target in {"gate", "Kafka"}:
        first = bisect_left(answers, (kill.at, 0.0))
        return min((answered for _, answered in answers[first:]), default=float("inf"))
    field = {"relay": "published", "traces": "traces", "standing": "standing"}.get(kill.target, "committed")
    return next((look.at for look in looks if look.at > kill.at and getattr(look, field) > kill.at), float("inf"))


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that a share of the values does not exceed; 0 of none."""
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))] if in_order else 0.0


def report_of(verdict: Verdict, facts: Facts) -> dict[str, Any]:
    """Return the report; everything in it is JSON."""
    back = recoveries(facts)
    by_target: dict[str, list[float]] = defaultdict(list)
    for one in back:
        by_target[one.target].append(one.seconds)
    told = facts.told
    how = Counter(told.how.values())
    return {
        "seed": facts.seed,
        "faults": list(facts.kinds),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "seconds": {
            "load": round(facts.loaded - facts.began, 1),
            "folded_after": round(facts.settled - facts.loaded, 1),
            "positives": round(facts.traced - facts.settled, 1),
            "late": round(facts.ended - facts.traced, 1),
        },
        "witness": {
            "requests": dict(told.requests),
            "scans_accepted": told.accepted(),
            "scans_unknown": how[1],
            "scans_refused": how[0],
            "records_accepted": told.records["scan.v1"],
            "records_unknown": told.maybe["scan.v1"],
            "decisions": sum(one == STRENGTH[OK] for one in told.decisions.values()),
            "poison": len(told.poison),
            "contradicting": told.contradicting[STRENGTH[OK]],
            "results": len(told.results),
            "late_scans": len(told.late),
        },
        "verdict": {
            "lost": verdict.lost,
            "double": verdict.double,
            "wrong": verdict.wrong,
            "looked_at": dict(verdict.looked_at),
            "differences": verdict.differences[:SHOWN_MAX],
        },
        "kills": {target: len(some) for target, some in sorted(by_target.items())},
        "recovery_s": {
            "p50": round(percentile((one.seconds for one in back), 0.5), 2),
            "p95": round(percentile((one.seconds for one in back), 0.95), 2),
            "max": round(max((one.seconds for one in back), default=0.0), 2),
            "p95_by_target": {target: round(percentile(some, 0.95), 2) for target, some in sorted(by_target.items())},
        },
        "recoveries": [asdict(one) for one in back],
        "faults_done": [
            asdict(one) | {"at": one.at - facts.began, "until": one.until - facts.began} for one in facts.faults
        ],
        "timeline": _timeline(facts),
    }


def _timeline(facts: Facts) -> list[dict[str, float]]:
    """Return, per piece of time: records accepted and folded a second, and how many wait."""
    length = max(1.0, facts.ended - facts.began)
    step = max(1.0, length / BUCKETS_MAX)
    accepted: Counter[int] = Counter()
    for at, number in facts.told.acknowledged:
        accepted[int((at - facts.began) / step)] += number
    looks = [look for look in facts.looks if look.at >= facts.began]
    rows = []
    sent, folded, place = 0, 0, 0
    for bucket in range(int(length / step) + 1):
        end = facts.began + (bucket + 1) * step
        sent += accepted[bucket]
        before = folded
        while place < len(looks) and looks[place].at <= end:
            folded = looks[place].folded
            place += 1
        rows.append(
            {
                "at": round(bucket * step, 1),
                "accepted_per_s": round(accepted[bucket] / step, 1),
                "folded_per_s": round((folded - before) / step, 1),
                "lag": max(0, sent - folded),
            }
        )
    return rows
