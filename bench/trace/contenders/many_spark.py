"""Spark: ours, with the cores that the second argument says."""

import sys

import pyarrow as pa
from pyarrow import parquet

from bench.trace.answer import RULE, Answer, folder_of_task
from bench.trace.town import read_visits, some_of
from ops.spark import spark_session
from tracing.bulk import engine
from tracing.exposure import Cases, case_spans
from tracing.filetrace.decision import Town


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        visits, asked = read_visits(folder), parquet.read_table(folder / "cases.parquet")
        person, start, end = (asked.column(name).to_numpy() for name in ("person", "start", "end"))
        town = Town(visits)
        group, row = town.visits_between(town.only(person), person, start, end, 0)
        mine = some_of(visits, row)
        spans = case_spans(RULE, mine, Cases(group, start[group], end[group]))
    with answer.part("prepare"):
        context = spark_session(cores=int(sys.argv[2]), memory="3g")
        session = context.__enter__()
        frame = session.read.parquet(str(folder / "visits.parquet"))
        few = engine.Asked(type(spans)(*(column[:1] for column in spans)), group[:1], mine.person[:1])
        engine.met(frame.limit(1), few, RULE).toArrow()  # Java and the workers are warm, as everybody else is
    with answer.part("ask"):
        met = engine.met(frame, engine.Asked(spans, group, mine.person), RULE).toArrow()
    one = met.column("one").to_numpy()
    columns: list[pa.Array] = [met.column(name).to_numpy() for name in ("visit", "start", "end")]
    context.__exit__(None, None, None)
    answer.give([group[one], row[one], *columns])


if __name__ == "__main__":
    main()
