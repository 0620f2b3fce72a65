"""librdkafka reading the topic and doing nothing with it: the limit of any consumer on this machine."""

from contextlib import closing

from bench.contenders.librdkafka import batches
from bench.contract import Stopwatch, read_task, say


def main() -> None:
    """Run until all records are read."""
    task = read_task()
    watch = Stopwatch(task.events)
    with closing(batches(task, watch.start)) as source:  # type: ignore[type-var] # a generator has close
        for messages in source:
            if watch.count(len(messages)):
                break
    say(watch)


if __name__ == "__main__":
    main()
