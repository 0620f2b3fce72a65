"""confluent-kafka and dicts: the same decoding and counting as ours, without Faust."""

from contextlib import closing
from pathlib import Path

from bench.contenders.librdkafka import batches
from bench.contract import Stopwatch, read_task, say
from bench.work import Tally


def main() -> None:
    """Run until all records are counted."""
    task = read_task()
    watch = Stopwatch(task.events)
    tally = Tally()
    with closing(batches(task, watch.start)) as source:  # type: ignore[type-var] # a generator has close
        for messages in source:
            tally.add_bodies([message.value() for message in messages])
            if watch.count(len(messages)):
                break
    Path(task.out).write_text("\n".join(tally.lines()))
    say(watch)


if __name__ == "__main__":
    main()
