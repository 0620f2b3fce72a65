"""DuckDB: one range join; its optimiser chooses how."""

import duckdb
import numpy as np

from bench.trace.answer import RULE, Answer, folder_of_task

ASK = """
    with own as (
        select c."case", v.visit, v.person, v.facility,
            greatest(c.start, v.check_in) as since, least(c."end", v.check_out) as until
        from cases c join visits v using (person)
        where c.start < v.check_out and v.check_in < c."end"
    )
    select o."case", o.visit, v.visit, greatest(o.since, v.check_in) as begin, least(o.until, v.check_out) as stop
    from own o join visits v on v.facility = o.facility and v.check_in < o.until and v.check_out > o.since
    where v.person <> o.person and o.since < o.until
        and least(o.until, v.check_out) - greatest(o.since, v.check_in) >= ?
"""


def main() -> None:
    """Answer."""
    answer, folder = Answer(), folder_of_task()
    database = duckdb.connect()
    with answer.part("load"):
        for name in ("visits", "cases"):
            database.execute(f"create table {name} as from read_parquet('{folder / name}.parquet')")
    with answer.part("ask"):
        found = database.execute(ASK, [RULE.minutes_us]).fetchnumpy()
    answer.give([np.asarray(column) for column in found.values()])


if __name__ == "__main__":
    main()
