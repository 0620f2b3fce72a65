"""Bytewax: its Kafka source in large batches, keyed by facility, a stateful batch operator with sets.

One worker: Bytewax runs more than one as processes or threads that share Python's lock.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import cluster_main

from bench.contenders.librdkafka import login
from bench.contract import Stopwatch, read_task, say
from bench.work import FewFields, Tally

AT_ONCE = 10_000


class CountFacility(StatefulBatchLogic[FewFields, str, Tally]):  # type: ignore[misc] # Bytewax is read untyped
    """The tally of one facility; told when the topic has been read."""

    def __init__(self, state: Tally | None) -> None:
        self._tally = state or Tally()

    def on_batch(self, values: list[FewFields]) -> tuple[Iterable[str], bool]:
        """Count a batch."""
        self._tally.add(values)
        return (), False

    def on_eof(self) -> tuple[Iterable[str], bool]:
        """Give the result."""
        return list(self._tally.lines()), True

    def notify_at(self) -> datetime | None:
        """Never."""
        return None

    def snapshot(self) -> Tally:
        """Return the state; nothing asks, for recovery is off."""
        return self._tally


class Lines(StatelessSinkPartition[tuple[str, str]]):  # type: ignore[misc] # Bytewax is read untyped
    """Keeps the result lines."""

    def __init__(self, kept: list[str]) -> None:
        self._kept = kept

    def write_batch(self, items: list[tuple[str, str]]) -> None:
        """Keep lines."""
        self._kept.extend(line for _, line in items)


class LinesSink(DynamicSink[tuple[str, str]]):  # type: ignore[misc] # Bytewax is read untyped
    """The sink of result lines."""

    def __init__(self, kept: list[str]) -> None:
        self._kept = kept

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Lines:  # noqa: ARG002 — Bytewax's signature
        """Return the one partition."""
        return Lines(self._kept)


def main() -> None:
    """Run until all records are counted."""
    task = read_task()
    watch = Stopwatch(task.events)
    decoder = msgspec.json.Decoder(FewFields)
    kept: list[str] = []

    def decode(messages: list[Any]) -> list[tuple[str, FewFields]]:
        watch.start()
        scans = decoder.decode_lines(b"\n".join([message.value for message in messages]))
        return [(scan.facility_id, scan) for scan in scans]

    flow = Dataflow("bench")
    more = {name: value for name, value in login(task).items() if name != "bootstrap.servers"}
    source = KafkaSource([task.kafka], [task.topic], tail=False, batch_size=AT_ONCE, add_config=more)
    scans = op.flat_map_batch("decode", op.input("scans", flow, source), decode)
    lines = op.stateful_batch("count", scans, CountFacility)
    op.output("lines", lines, LinesSink(kept))
    cluster_main(flow, [], 0)
    watch.count(task.events)
    Path(task.out).write_text("\n".join(kept))
    say(watch)


if __name__ == "__main__":
    main()
