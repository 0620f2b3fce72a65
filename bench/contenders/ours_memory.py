"""Ours in memory: the product's worker with its batch transport, and dicts instead of the database."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zlib import crc32

from bench.contract import Stopwatch, read_task, say
from bench.work import Tally
from streams.app import run_worker
from streams.batches import Batch, Log, Partition
from streams.watchdog import Progress

SLOTS: Final = 1_000


class MemoryFold:
    """A handler of the worker that counts in dicts."""

    def __init__(self, watch: Stopwatch) -> None:
        self.progress = Progress()
        self.tally = Tally()
        self._watch = watch

    def positions(self, log: Log) -> Mapping[Partition, int]:
        """Begin at the beginning."""
        self._watch.start()
        self.progress.done = dict(log.starts)
        return log.starts

    def apply(self, batch: Batch) -> None:
        """Count a batch."""
        self.tally.add_bodies([record.value for record in batch.records if record.value is not None])
        self.progress.made()
        self.progress.done[batch.topic, batch.partition] = batch.records[-1].offset + 1
        if self._watch.count(len(batch)):
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run until all records are counted."""
    task = read_task()
    watch = Stopwatch(task.events)
    fold = MemoryFold(watch)
    # The group's member before us may still be known with another topic's partitions: be another one then.
    run_worker(task.settings(), task.user, [task.topic], fold, crc32(task.topic.encode()) % SLOTS)
    Path(task.out).write_text("\n".join(fold.tally.lines()))
    say(watch)


if __name__ == "__main__":
    main()
