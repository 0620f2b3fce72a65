"""Ours in one process: `overlaps.pairs_within` on arrays, every pair of different persons kept."""

import numpy as np

from bench.trace.answer import RULE, Answer, folder_of_task, mixed_sum
from bench.trace.pairs import read_week
from tracing.overlaps import pairs_within


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        spans, person = read_week(folder)
    with answer.part("ask"):
        kept = []
        for one, other in pairs_within(spans, RULE.minutes_us):
            different = person[one] != person[other]
            kept.append((one[different], other[different]))
    sides = [np.concatenate([some[side] for some in kept]) for side in (0, 1)]
    answer.say(sides[0].size, f"{mixed_sum([np.minimum(*sides), np.maximum(*sides)]):016x}")


if __name__ == "__main__":
    main()
