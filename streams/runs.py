"""Runs of traces inside a worker: what they tell goes to the outbox in the order of the runs, and is counted.

All that one case's runs tell leaves by one source, whichever worker ran it: so no older alert, and no older advice to
the gates, is published after a newer one.
"""

import gc
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from schemas.events import Alert
from schemas.partition import partition_of
from streams.failpoints import reach, reach_commit
from streams.metrics import TRACE_ALERTS, TRACE_SECONDS
from streams.store import Source, write_outbox
from tracing.job import Message, Run, Then, run_trace
from tracing.rows import undashed
from tracing.store import Connection, Cursor

TRACE: Final = "trace"


def source_of(person: str, partitions: int) -> Source:
    """Return by which source leaves what is told of this person's cases."""
    return Source(TRACE, partition_of(undashed(person), partitions))


def put_out(source: Source, cur: Cursor, messages: Sequence[Message]) -> None:
    """Leave a run's messages for the relay, in their order."""
    for topic, some in groupby(messages, key=itemgetter(0)):
        write_outbox(cur, source, topic, [(one.partition, one.key, one.value) for one in some])


def run_one(conn: Connection, case_id: str, rule: str, source: Source, also: Then | None = None) -> Run:
    """Run a trace and leave what it tells; `also` runs in its transaction, after that."""

    def then(cur: Cursor, messages: Sequence[Message]) -> None:
        reach("run done")
        put_out(source, cur, messages)
        reach("alerts left")
        if also is not None:
            also(cur, messages)
        reach_commit(conn)

    run = run_trace(conn, case_id, rule, then=then)
    reach("committed")
    TRACE_SECONDS.observe(run.run_ms / 1000)
    count_alerts(run.alerts)
    gc.collect(0)  # a graph is a ring of references, and a worker's collector comes too seldom to keep it small
    return run


def count_alerts(alerts: Sequence[Alert]) -> None:
    """Count alerts that were written."""
    for alert in alerts:
        TRACE_ALERTS.labels(alert.data.action).inc()
