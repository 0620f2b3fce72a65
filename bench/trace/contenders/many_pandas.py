"""pandas: both sides cut into days, merged on place and day, each overlap kept on the day on which it begins.

A merge on the place alone has too many rows for any memory, one on the place and the day of check-in misses a third.
"""

import numpy as np
import pandas as pd

from bench.trace.answer import RULE, Answer, folder_of_task
from tracing.instants import DAY_US


def by_day(frame: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    """Return a row for each day that a span touches."""
    first, last = frame[start] // DAY_US, (frame[end] - 1) // DAY_US
    count = (last - first + 1).to_numpy()
    cut = frame.loc[frame.index.repeat(count)]
    step = np.arange(len(cut)) - np.repeat(np.cumsum(count) - count, count)
    return cut.assign(day=np.repeat(first.to_numpy(), count) + step)


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        visits, cases = (pd.read_parquet(folder / f"{name}.parquet") for name in ("visits", "cases"))
    with answer.part("prepare"):
        others = by_day(visits[visits.check_in < visits.check_out], "check_in", "check_out")
    with answer.part("ask"):
        own = cases.merge(visits, on="person")
        own["since"], own["until"] = own[["start", "check_in"]].max(axis=1), own[["end", "check_out"]].min(axis=1)
        own = by_day(own[own.since < own.until], "since", "until")
        met = own.merge(others, on=["facility", "day"], suffixes=("", "_other"))
        met["begin"] = met[["since", "check_in_other"]].max(axis=1)
        met["stop"] = met[["until", "check_out_other"]].min(axis=1)
        kept = met[
            (met.person != met.person_other)
            & (met.begin // DAY_US == met.day)
            & (met.stop - met.begin >= RULE.minutes_us)
        ]
    answer.give([kept[name].to_numpy() for name in ("case", "visit", "visit_other", "begin", "stop")])


if __name__ == "__main__":
    main()
