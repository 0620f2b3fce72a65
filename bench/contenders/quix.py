"""Quix Streams: an application that updates dicts, without its state store (which is slower: a store per key)."""

from pathlib import Path
from typing import Any

import msgspec
from quixstreams import Application
from quixstreams.kafka import ConnectionConfig

from bench.contract import Stopwatch, Task, read_task, say
from bench.work import FewFields, Tally


def main() -> None:
    """Run until all records are counted."""
    task = read_task()
    watch = Stopwatch(task.events)
    tally = Tally()
    decoder = msgspec.json.Decoder(FewFields)
    app = Application(
        broker_address=_connection(task),
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
        commit_interval=5.0,
        state_dir=str(Path(task.folder) / "state"),
        consumer_extra_config={"fetch.message.max.bytes": 4 << 20, "check.crcs": False},
    )
    topic = app.topic(task.topic, key_deserializer="bytes", value_deserializer="bytes")

    def count(body: Any) -> None:  # noqa: ANN401 — Quix's signature
        watch.start()
        tally.add((decoder.decode(body),))
        if watch.count(1):
            app.stop()

    app.dataframe(topic).update(count)
    app.run()
    Path(task.out).write_text("\n".join(tally.lines()))
    say(watch)


def _connection(task: Task) -> ConnectionConfig:
    return ConnectionConfig(
        bootstrap_servers=task.kafka,
        security_protocol="sasl_plaintext",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=task.user,
        sasl_password=(Path(task.secrets) / "kafka" / task.user).read_text().strip(),
    )


if __name__ == "__main__":
    main()
