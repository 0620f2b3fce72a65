"""polars: both sides cut into days, joined on place and day, each overlap kept on the day on which it begins."""

import polars as pl

from bench.trace.answer import RULE, Answer, folder_of_task
from tracing.instants import DAY_US


def by_day(frame: pl.LazyFrame, start: str, end: str) -> pl.LazyFrame:
    """Return a row for each day that a span touches."""
    days = pl.int_ranges(pl.col(start) // DAY_US, (pl.col(end) - 1) // DAY_US + 1)
    return frame.with_columns(day=days).explode("day")


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    with answer.part("load"):
        visits, cases = (pl.read_parquet(folder / f"{name}.parquet") for name in ("visits", "cases"))
    with answer.part("prepare"):
        stays = visits.lazy().filter(pl.col("check_in") < pl.col("check_out"))
        others = by_day(stays, "check_in", "check_out").collect()
    with answer.part("ask"):
        own = cases.lazy().join(visits.lazy(), on="person")
        own = own.with_columns(
            since=pl.max_horizontal("start", "check_in"), until=pl.min_horizontal("end", "check_out")
        ).filter(pl.col("since") < pl.col("until"))
        kept = (
            by_day(own, "since", "until")
            .join(others.lazy(), on=["facility", "day"], suffix="_other")
            .with_columns(
                begin=pl.max_horizontal("since", "check_in_other"), stop=pl.min_horizontal("until", "check_out_other")
            )
            .filter(
                pl.col("person") != pl.col("person_other"),
                pl.col("begin") // DAY_US == pl.col("day"),
                pl.col("stop") - pl.col("begin") >= RULE.minutes_us,
            )
            .select("case", "visit", "visit_other", "begin", "stop")
            .collect()
        )
    answer.give([column.to_numpy() for column in kept])


if __name__ == "__main__":
    main()
