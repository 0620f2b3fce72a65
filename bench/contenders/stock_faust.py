"""Stock Faust, with uvloop: `take` and dicts; with the argument `tables`, Tables (memory store, changelog)."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import faust
import msgspec
import uvloop
from faust.types.auth import SASLMechanism

from bench.contract import Stopwatch, Task, read_task, say
from bench.work import FewFields, Tally
from ops.topics import admin_client

TAKE: Final = 5_000
WITHIN_S: Final = 0.1
TABLES: Final = ("hours", "inside", "seen")


def main() -> None:
    """Run until all records are counted."""
    task = read_task()
    if "tables" in sys.argv[1:-1]:
        _make_changelogs(task)
    uvloop.install()
    lines = asyncio.run(_run(task, tables="tables" in sys.argv[1:-1]))
    Path(task.out).write_text("\n".join(lines))


async def _run(task: Task, *, tables: bool) -> Iterable[str]:
    watch = Stopwatch(task.events)
    app = _app(task)
    over = asyncio.Event()
    count = _tables(app) if tables else _dicts(app)
    topic = app.topic(task.topic, value_type=bytes, value_serializer="raw", key_serializer="raw")

    @app.agent(topic, concurrency=1)  # type: ignore[untyped-decorator] # Faust is read untyped
    async def fold(stream: Any) -> None:  # noqa: ANN401 — a Faust stream
        if tables:
            async for body in stream:
                watch.start()
                count.add([body])
                if watch.count(1):
                    over.set()
        else:
            async for bodies in stream.take(TAKE, within=WITHIN_S):
                count.add(bodies)
                if watch.count(len(bodies)):
                    over.set()

    starting = asyncio.ensure_future(app.start())
    if not tables:
        app.on_partitions_assigned.connect(lambda *_, **__: watch.start(), weak=False)
    await over.wait()
    await app.stop()
    starting.cancel()
    say(watch)
    lines: Iterable[str] = count.lines()
    return lines


def _make_changelogs(task: Task) -> None:
    """Make the changelogs before the app asks for them: it can wait for ever for topics it has just made itself."""
    names = [f"{task.group}-{table}-changelog" for table in TABLES]
    options = {"num_partitions": task.partitions, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}}
    with admin_client(task.settings()) as admin:
        admin.create_topics(dict.fromkeys(names, options))
        admin.wait_for_topics(names)


def _app(task: Task) -> Any:  # noqa: ANN401 — a Faust app
    password = (Path(task.secrets) / "kafka" / task.user).read_text().strip()
    return faust.App(
        task.group,
        broker=f"aiokafka://{task.kafka}",
        broker_credentials=faust.SASLCredentials(
            username=task.user, password=password, mechanism=SASLMechanism.SCRAM_SHA_512
        ),
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        stream_buffer_maxsize=8 * TAKE,
        topic_replication_factor=1,
        topic_partitions=task.partitions,
        topic_disable_leader=True,
        datadir=str(Path(task.folder) / "faust"),
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )


class _Dicts:
    def __init__(self) -> None:
        self._tally = Tally()
        self.add = self._tally.add_bodies
        self.lines = self._tally.lines


class _Tables:
    """Counts, who is inside, and who was seen, each a Table: every change goes to a changelog."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 — a Faust app
        hours, inside, seen = TABLES
        self._hours = app.Table(hours, default=lambda: [0, 0, 0])
        self._inside = app.Table(inside, default=int)
        self._seen = app.Table(seen, default=bool)
        self._decoder = msgspec.json.Decoder(FewFields)

    def add(self, bodies: list[bytes]) -> None:
        for scan in map(self._decoder.decode, bodies):
            if not scan.admitted:
                continue
            key = f"{scan.facility_id}|{scan.at[:13]}"
            cells = list(self._hours[key])
            if scan.gate in {"entrance", "exit"}:
                entered = scan.gate == "entrance"
                cells[0 if entered else 1] += 1
                self._inside[scan.facility_id] += 1 if entered else -1
            seen = f"{key}|{scan.person_id}"
            if not self._seen[seen]:
                self._seen[seen] = True
                cells[2] += 1
            self._hours[key] = cells

    def lines(self) -> list[str]:
        hours = [f"{key}|{ins}|{outs}|{seen}" for key, (ins, outs, seen) in self._hours.items()]
        return hours + [f"{facility}|{number}" for facility, number in self._inside.items()]


def _dicts(_: Any) -> Any:  # noqa: ANN401 — a Faust app
    return _Dicts()


def _tables(app: Any) -> Any:  # noqa: ANN401 — a Faust app
    return _Tables(app)


if __name__ == "__main__":
    main()
