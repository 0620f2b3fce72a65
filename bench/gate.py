"""`jejak bench gate`: what the gate takes at a constant rate, single scans and a hundred to a request."""

from typing import Any, Final, NamedTuple

from bench.figures import Report
from bench.front import Front
from bench.tools import Say

SINGLE_RATES: Final = (500, 1_000, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000)
BATCH_RATES: Final = (50, 100, 200, 400, 600, 800, 1_000, 1_200)
BATCH: Final = 100
KEPT: Final = 0.97  # of the offered rate must be answered, or the gate is past its limit
WARM_UP_S: Final = 2.0
PERSONS: Final = 20_000


class Plan(NamedTuple):
    """How long each step lasts."""

    seconds: int


def run(front: Front, plan: Plan, report: Report, say: Say) -> None:
    """Climb until the gate no longer keeps up; figures are kept in the report."""
    known = front.make_known(PERSONS)
    say(f"{PERSONS:,} persons known to the vault ({known.achieved * 1_000:,.0f} scans/s, a thousand to a request)")
    report.data |= {"persons": PERSONS, "seconds_a_step": plan.seconds, "batch": BATCH}
    report.data["single"] = _climb(front, plan, SINGLE_RATES, 1, say)
    report.data["batched"] = _climb(front, plan, BATCH_RATES, BATCH, say)


def _climb(front: Front, plan: Plan, rates: tuple[int, ...], batch: int, say: Say) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for rate in rates:
        before = front.cpu_s()
        answer = front.send(
            rate=rate,
            requests=int(rate * (plan.seconds + WARM_UP_S)),
            batch=batch,
            persons=PERSONS,
            warm_up_s=WARM_UP_S,
        )
        used = {name: round(seconds - before.get(name, 0), 2) for name, seconds in front.cpu_s().items()}
        kept = answer.achieved >= KEPT * rate and answer.answers == {"200": answer.sent}
        steps.append(
            {
                "scans_s": rate * batch,
                "achieved_scans_s": round(answer.achieved * batch),
                "kept": kept,
                "answers": answer.answers,
                "latency_ms": answer.latency_ms,
                "cpu_s": used,
                "generator_cpu_s": answer.cpu_s,
            }
        )
        achieved = f"{answer.achieved * batch:,.0f} answered/s"
        say(f"{rate * batch:,} scans/s, {batch} a request: {achieved}, {answer.latency_ms}")
        if not kept:
            break
    return steps
