"""Ours in one process: `overlaps.Together` on arrays, every pair of different persons kept.

As for the sweep in C, the spans are sorted and the memory for the answer is touched before; not timed with it.
"""

import numpy as np

from bench.trace.answer import RULE, Answer, folder_of_task, mixed_sum
from bench.trace.pairs import read_week
from tracing.overlaps import Together


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        spans, person = read_week(folder)
    with answer.part("prepare"):
        together = Together(spans, RULE.minutes_us, person)
        kept = [np.full(together.size, -1, dtype=np.int32) for _ in range(2)]
    with answer.part("ask"):
        done = 0
        for some in together.pairs():
            for side, places in zip(kept, some, strict=True):
                side[done : done + places.size] = places
            done += some[0].size
    sides = [together.rows[side] for side in kept]
    answer.say(done, f"{mixed_sum([np.minimum(*sides), np.maximum(*sides)]):016x}")


if __name__ == "__main__":
    main()
