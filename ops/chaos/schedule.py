"""Which faults, when, to whom: a function of the seed, so that what went wrong once can go wrong again."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

KINDS: Final = ("kill", "stop", "net", "disk", "dup", "late", "poison", "rebalance")
OF_THE_LOAD: Final = ("dup", "late")  # these are how the witness sends, not something done to the house
# Who is killed how often; two at once now and then. A broker needs four seconds to come back, a relay one.
TARGETS: Final = (
    ("visits", 30),
    ("gate", 18),
    ("relay", 16),
    ("traces", 12),
    ("standing", 8),
    ("Kafka", 12),
    ("PostgreSQL", 12),
)
TWO_AT_ONCE: Final = 0.15
QUIET_S: Final = 4.0  # at the beginning and at the end
OTHERS_EVERY_S: Final = 14.0


class Fault(NamedTuple):
    """Something to do to the house at a time of the run, and for how long."""

    at_s: float
    kind: str
    targets: tuple[str, ...]
    lasts_s: float = 0.0
    how: str = ""


def schedule(
    seed: int, seconds: float, kinds: Sequence[str], *, kill_every_s: float, poison: int, kills_min: int = 0
) -> list[Fault]:
    """Return the faults of a run in the order of time.

    Args:
        seed: the same seed, the same faults.
        seconds: how long the load lasts.
        kinds: which of `KINDS`.
        kill_every_s: seconds between kills, on average.
        poison: unusable records, in all.
        kills_min: at least so many kills, closer together if need be.
    """
    rng = Random(f"{seed}|faults")  # noqa: S311 — a simulation
    faults: list[Fault] = []
    if "kill" in kinds:
        room = seconds - 2 * QUIET_S
        faults += _kills(rng, seconds, min(kill_every_s, room / kills_min) if kills_min else kill_every_s)
    others = [kind for kind in kinds if kind not in {"kill", *OF_THE_LOAD}]
    if others:
        faults += _others(rng, seconds, others, poison)
    return sorted(faults)


def _kills(rng: Random, seconds: float, every_s: float) -> Iterator[Fault]:
    number = max(1, round((seconds - 2 * QUIET_S) / every_s))
    names, weights = [name for name, _ in TARGETS], [weight for _, weight in TARGETS]
    for which in range(number):
        at = QUIET_S + every_s * (which + rng.uniform(0.1, 0.9))
        targets = {rng.choices(names, weights)[0]}
        if rng.random() < TWO_AT_ONCE:
            targets.add(rng.choices(names, weights)[0])
        yield Fault(at, "kill", tuple(sorted(targets)))


def _others(rng: Random, seconds: float, kinds: Sequence[str], poison: int) -> Iterator[Fault]:
    turns = max(len(kinds), int((seconds - 2 * QUIET_S) / OTHERS_EVERY_S))
    each = (seconds - 2 * QUIET_S) / turns
    in_turn = [kinds[turn % len(kinds)] for turn in range(turns)]
    portions = max(1, in_turn.count("poison"))
    for turn, kind in enumerate(in_turn):
        at = QUIET_S + each * (turn + rng.uniform(0, 0.3))
        yield _one(rng, at, kind, -(-poison // portions))


def _one(rng: Random, at: float, kind: str, poison: int) -> Fault:
    if kind == "stop":
        target = rng.choice(("visits", "visits", "traces", "standing", "relay", "gate", "Kafka", "PostgreSQL"))
        server = target in {"Kafka", "PostgreSQL"}
        return Fault(at, kind, (target,), rng.uniform(2, 5) if server else rng.uniform(7, 10))
    if kind == "net":
        how = rng.choice(("cut", "freeze", "freeze answering"))
        return Fault(at, kind, (rng.choice(("Kafka", "PostgreSQL")),), rng.uniform(1, 7), how)
    if kind == "disk":
        return Fault(at, kind, ("disk",), rng.uniform(2, 5))
    if kind == "rebalance":
        return Fault(at, kind, ("visits",), rng.uniform(6, 9), "1→4→1")
    return Fault(at, kind, ("scan.v1",), 0.0, str(poison))
