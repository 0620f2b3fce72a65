"""One run from beginning to end: start, disturb, settle, flag positives, settle, judge."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Final

from ops.chaos import beside, load, oracle
from ops.chaos.beside import Beside
from ops.chaos.compare import Stored, Verdict, judge
from ops.chaos.diary import Diary
from ops.chaos.faults import Disturber, Done
from ops.chaos.ground import Ground, running_ground
from ops.chaos.report import Facts
from ops.chaos.schedule import Fault, schedule
from ops.chaos.store import read_stored
from ops.chaos.told import read_told
from ops.chaos.watch import Watch, ask, now, pick_scans
from ops.chaos.witness import Plan
from schemas.errors import JejakError, Unavailable
from schemas.settings import Settings

ROOT: Final = Path(__file__).parents[2]
TICK_S: Final = 0.05
DECIDE_EVERY_S: Final = 2.0
SETTLE_TIMEOUT_S: Final = 240.0
WITNESS_TIMEOUT_S: Final = 180.0
WITNESS_ENDS_S: Final = 10.0
SOURCES: Final = ["scan.v1", "test-result.v1", "visit.v1"]
OPEN: Final = """
    select (select count(*) from outbox where published_at is null) + (select count(*) from trace where due)
"""
NUMBERS_FROM: Final = {"results": 1_000_000_000, "late": 2_000_000_000}  # of requests: each log has its own
# After the load: who dies, one after the other, while the witness sends.
VICTIMS: Final = {
    "results": ("traces", "relay", "traces", "PostgreSQL", "standing", "gate", "Kafka"),
    "late": ("standing", "visits", "standing", "relay", "PostgreSQL", "standing", "Kafka"),
}
SLOWLY: Final = {"results": 2.0, "late": 2.0}  # requests a second

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asked for."""

    seed: int
    seconds: float
    kinds: tuple[str, ...]
    out: Path
    kill_every_s: float = 6.0
    kills_min: int = 0
    scans_per_s: float = 500.0
    scans_max: int = 0
    batch_max: int = 100
    poison: int = 1_000
    wards: int = 6
    planned: tuple[Fault, ...] = ()  # these faults instead of those of the seed


def run_chaos(settings: Settings, order: Order, say: Say) -> tuple[Verdict, Facts]:
    """Run it and return the verdict with everything a report tells.

    Raises:
        Unavailable: what was promised is not folded in time, or the installation does not start.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    logs = [order.out / f"{name}.jsonl" for name in ("beside", "witness", "positives", "late")]
    for log in logs:
        log.unlink(missing_ok=True)
    until = int(now() * 1_000_000)
    until -= until % load.SECOND
    with running_ground(settings, order.kinds, say) as ground, Watch(ground.settings) as watch:
        diary = Diary(logs[0])
        places = [[p.facility_id, p.kind, p.time_zone, p.district] for p in load.PLACES]
        diary.begin(seed=order.seed, until=until, places=places)
        aside = Beside(ground.settings, diary, ground.settings.partitions, order.seed)
        began = now()
        say(f"the witness sends for {order.seconds:.0f} s; seed {order.seed}")
        plan = _plan(order, ground, until, logs[1])
        done = _disturb(ground, plan, order.planned or _faults(order), aside, order)
        aside.join(WITNESS_TIMEOUT_S)
        loaded = now()
        say("the load is over; waiting until all is folded")
        patience_s = max(SETTLE_TIMEOUT_S, order.seconds)
        _settle(ground, patience_s)
        settled = now()
        say(f"folded {settled - loaded:.1f} s after the load; now {order.wards} positives")
        done += _disturb(ground, _only(plan, "results", logs[2]), _faults_after(order, "results"), aside, order)
        _settle(ground, patience_s)
        traced = now()
        say(f"told {traced - settled:.1f} s after the first positive; now the late scans of those he met")
        late = Diary(logs[3])
        late.begin(late=True)
        late.close()
        done += _disturb(ground, _only(plan, "late", logs[3]), _faults_after(order, "late"), aside, order)
        _settle(ground, patience_s)
        ended = now()
        stored = _read(ground)
        diary.close()
    say("judging")
    told = read_told(logs)
    verdict = judge(told, stored)
    facts = Facts(
        seed=order.seed,
        kinds=order.kinds,
        began=began,
        loaded=loaded,
        settled=settled,
        traced=traced,
        ended=ended,
        faults=done,
        looks=watch.looks,
        told=told,
    )
    return verdict, facts


def _faults(order: Order) -> list[Fault]:
    return schedule(
        order.seed,
        order.seconds,
        order.kinds,
        kill_every_s=order.kill_every_s,
        poison=order.poison,
        kills_min=order.kills_min,
    )


def _plan(order: Order, ground: Ground, until: int, log: Path) -> Plan:
    share = _share(order.seed) if "dup" in order.kinds else 0.0
    return Plan(
        url=ground.gate_url,
        log=str(log.absolute()),
        seed=order.seed,
        until=until,
        key_file=str(ground.keys["witness"]),
        laboratory_key_file=str(ground.keys["laboratory"]),
        seconds=order.seconds,
        scans_per_s=order.scans_per_s,
        scans_max=order.scans_max,
        batch_max=order.batch_max,
        duplicates=share,
        late="late" in order.kinds,
        wards=order.wards,
    )


def _share(seed: int) -> float:
    """Return which share of the requests is sent twice: by seed, up to the half."""
    return Random(f"{seed}|share").uniform(0, 0.5)  # noqa: S311 — a simulation


def _only(plan: Plan, sends: str, log: Path) -> Plan:
    changes = {
        "log": str(log.absolute()),
        "sends": sends,
        "first_number": NUMBERS_FROM[sends],
        "scans_per_s": SLOWLY[sends],
        "probe_every_s": 0.0,
    }
    return Plan(**(asdict(plan) | changes | {"scans_max": 0, "seconds": WITNESS_TIMEOUT_S}))


def _faults_after(order: Order, sends: str) -> list[Fault]:
    if "kill" not in order.kinds:
        return []
    return [Fault(0.7 + 1.5 * number, "kill", (name,)) for number, name in enumerate(VICTIMS[sends])]


def _disturb(ground: Ground, plan: Plan, faults: Sequence[Fault], aside: Beside, order: Order) -> list[Done]:
    """Let the witness work by its plan while faults happen; return what happened once it has ended."""
    path = Path(plan.log).with_suffix(".plan.json")
    path.write_text(json.dumps(asdict(plan)))
    disturber = Disturber(ground, faults, aside.poison, order.seed)
    started = time.monotonic()
    decide_at = DECIDE_EVERY_S
    with path.with_suffix(".err").open("wb") as errors:
        command = [sys.executable, "-m", "ops.chaos.witness", str(path)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        witness = subprocess.Popen(command, cwd=ROOT, env=env, stdout=errors, stderr=errors)
    try:
        while witness.poll() is None:
            now_s = time.monotonic() - started
            if now_s < plan.seconds:
                disturber.tick(now_s)
            else:
                disturber.mend()
            if now_s > decide_at and plan.sends == "load":
                decide_at = now_s + DECIDE_EVERY_S
                aside.decide(pick_scans(ground.settings, 2))
            ground.supervisor.tick()
            time.sleep(TICK_S)
            if now_s > plan.seconds + WITNESS_TIMEOUT_S:
                raise Unavailable("the witness gets no answers any more")
    finally:
        disturber.mend()
        witness.terminate()
        with suppress(subprocess.TimeoutExpired):  # nobody looks after the gate here, and it may wait for its answer
            witness.wait(WITNESS_ENDS_S)
        witness.kill()
        witness.wait()
    if witness.returncode:
        raise Unavailable(f"the witness failed: {path.with_suffix('.err').read_text()[-500:]}")
    return disturber.done


def _settle(ground: Ground, timeout_s: float) -> None:
    """Look after the processes until everything that was sent is folded, traced and told.

    Twice in a row, with nothing new on the topics: the first look may come before the relay's last word is read.
    """
    deadline = time.monotonic() + timeout_s
    look_at, before = 0.0, None
    while True:
        ground.supervisor.tick()
        if time.monotonic() > look_at:
            ends = _settled_at(ground.settings)
            if ends is not None and ends == before:
                return
            look_at, before = time.monotonic() + 1.0, ends
        if time.monotonic() > deadline:
            raise Unavailable(f"not all is folded after {timeout_s:.0f} s; see {ground.settings.home / 'logs'}")
        time.sleep(TICK_S)


def _settled_at(settings: Settings) -> dict[tuple[str, int], int] | None:
    """Return where the topics end, if all up to there is done; else nothing."""
    try:
        ends = beside.ends_of(settings, SOURCES)
        at = {
            (topic, one): position
            for topic, one, position in ask(settings, "select topic, partition, next_offset from position")
        }
        ((still_open,),) = ask(settings, OPEN)
    except Exception as error:
        if isinstance(error, JejakError) or type(error).__module__.partition(".")[0] in {"psycopg2", "kafka"}:
            return None  # somebody is still getting up
        raise
    return ends if not still_open and all(at.get(place, 0) >= end for place, end in ends.items()) else None


def _read(ground: Ground) -> Stored:
    stored = read_stored(ground.settings)
    stored.topic_visits = beside.read_visits(ground.settings)
    stored.topic_hours = beside.read_hours(ground.settings, oracle.Hour.FIELDS)
    stored.topic_alerts = beside.read_alert_ids(ground.settings)
    return stored
