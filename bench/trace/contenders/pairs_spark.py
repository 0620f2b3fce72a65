"""Spark: ours, with the cores that the second argument says; the pairs are counted by the workers."""

import sys

from bench.trace.answer import RULE, Answer, folder_of_task, mixed_sum
from bench.trace.pairs import WEEK
from ops.spark import spark_session
from tracing.bulk import engine


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with spark_session(cores=int(sys.argv[2]), memory="3g") as session:
        with answer.part("prepare"):
            week = session.read.parquet(str(folder / "week.parquet"))
            engine.pairs(week.limit(10), WEEK, RULE).count()  # Java and the workers are warm, as everybody else is
        with answer.part("ask"):
            engine.pairs(week, WEEK, RULE).write.mode("overwrite").parquet(str(folder / "pairs"))
        found = session.read.parquet(str(folder / "pairs")).select("one_visit", "other_visit").toArrow()
        answer.say(found.num_rows, f"{mixed_sum([column.to_numpy() for column in found.columns]):016x}")


if __name__ == "__main__":
    main()
