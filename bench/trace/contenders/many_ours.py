"""Ours: the arrays of the trace of files, sorted once."""

import numpy as np
from pyarrow import parquet

from bench.trace.answer import RULE, Answer, folder_of_task
from bench.trace.town import read_visits, some_of
from tracing.exposure import Cases, find_exposures, others_of
from tracing.filetrace.decision import Town


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        visits, asked = read_visits(folder), parquet.read_table(folder / "cases.parquet")
        person, start, end = (asked.column(name).to_numpy() for name in ("person", "start", "end"))
    with answer.part("prepare"):
        town, others = Town(visits), others_of(RULE, visits)
        by_person = town.everybody
    with answer.part("ask"):
        group, row = town.visits_between(by_person, person, start, end, 0)
        mine = some_of(visits, row)
        found = find_exposures(RULE, mine, Cases(group, start[group], end[group]), others)
        rows = (group[found.visit], row[found.visit], found.other, found.start, found.end)
    answer.give([np.asarray(column) for column in rows])


if __name__ == "__main__":
    main()
