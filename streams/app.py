"""The worker: one Faust app, one agent, one consumer group, a database thread or two. It only adapts.

`run_worker` builds and runs it until SIGTERM (returns) or until the handler, Kafka or the database ends it (raises
`StopWorker`; the process ends with its exit code and a supervisor decides). Nothing of record is kept in Faust:
no tables, no web, no topics of its own.
"""

import asyncio
import gc
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from itertools import count, cycle
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

import faust
import structlog
from faust.types.auth import SASLMechanism

from producers.client import client_config
from schemas.errors import JejakError, StopWorker
from schemas.settings import Settings
from schemas.topics import group_of
from streams.batches import Batch, BatchSchema, BatchTransport, Log, Partition
from streams.failpoints import arm, reach
from streams.intake import Intake, rounds
from streams.metrics import write_metrics
from streams.readiness import Readiness
from streams.watchdog import STALL_S, Progress, watch

STOP_TIMEOUT_S: Final = 10.0
GC_THRESHOLD: Final = 100_000
BEAT_S: Final = 0.2
AWAY_S: Final = 0.1  # between two looks for a broker that is away
AWAY_MAX_S: Final = 1.0
JOIN_MAX_S: Final = 30.0
METRICS_EVERY: Final = 25  # beats: 5 s
STEP_S: Final = 5.0
FETCH_BYTES: Final = 4 * 1024 * 1024  # per partition: so that a batch can reach `batch_max`
_log = structlog.get_logger(__name__)


ApplyAll: TypeAlias = Callable[[Sequence[Batch]], None]
Step: TypeAlias = Callable[[], bool]


class Handler(Protocol):
    """What a worker does; `streams.store.BatchStore` is one. Called in the first database thread, never at once."""

    progress: Progress

    def positions(self, log: Log) -> Mapping[Partition, int]:
        """Return where to begin reading each assigned partition; one left out begins at the log's start."""

    def apply(self, batch: Batch) -> None:
        """Fold a batch; it is acked when this returns."""


class Pump(faust.App):  # type: ignore[misc] # Faust is read untyped
    """A Faust app that keeps nothing on disk and remembers why it must end."""

    failure: BaseException | None = None
    servers: Sequence[str] = ()
    joined_at = 0.0  # when it last had its partitions, or no broker to ask
    away = False  # no broker listened when it was last looked for
    folded: asyncio.Event  # since the last step began
    handler: Handler
    readiness: Readiness
    database: Sequence[ThreadPoolExecutor]  # one thread each

    def _create_directories(self) -> None:
        """None: there are no tables."""

    async def in_database_thread(self, call: Callable[[Any], Any], given: object, number: int = 0) -> Any:  # noqa: ANN401 — what `call` returns
        """Run `call(given)` in the thread of that number; an error of it ends the worker."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.database[number], call, given)
        except Exception as error:
            self.failure = self.failure or error
            raise

    def why_not_ready(self) -> str:
        """Return what keeps this worker from its work; empty: nothing does."""
        waits_for = self.handler.progress.waits_for()
        if waits_for:
            return f"waits for {waits_for}"
        if self.away:
            return "waits for Kafka: no broker listens"
        if self._assignment is None or self.rebalancing:
            return "waits for Kafka to deal out partitions"
        still_s = self.handler.progress.stalled_s()
        return f"records wait and nothing is folded for {still_s:.0f} s" if still_s > STALL_S / 2 else ""

    def check_joined(self) -> None:
        """End a worker to whom no partitions are dealt out: where aiokafka's coordinator failed, nothing would come.

        It does so when the group still knows this slot with topics that it no longer reads; a later start does not.
        """
        joined = self._assignment is not None and not self.rebalancing
        if joined or self.away or self.handler.progress.is_excused():
            self.joined_at = monotonic()
        elif monotonic() - self.joined_at > JOIN_MAX_S:
            self.failure = self.failure or StopWorker(f"Kafka dealt out no partitions for {JOIN_MAX_S:g} s")

    def lag(self) -> int:
        """Return how many records of the assigned partitions wait; none while partitions are being dealt out."""
        if self.rebalancing or not self._assignment:
            return 0
        done = self.handler.progress.done
        try:
            ends = {tp: self.consumer.highwater(tp) for tp in self._assignment if tp in done}
        except AssertionError:  # aiokafka's word for a partition that was just taken away
            return 0
        return sum(max(0, end - done[tp]) for tp, end in ends.items() if end is not None)


def build_app(
    settings: Settings,
    name: str,
    topics: Sequence[str],
    handler: Handler,
    slot: int,
    *,
    batch_max: int = 0,
    apply_all: Sequence[ApplyAll] = (),
) -> Pump:
    """Return the app of worker `slot` of service `name` (also its Kafka user); call it inside a running loop.

    Args:
        settings: where Kafka is, and how large a batch may be.
        name: of the service, e.g. `visits`; the consumer group is `jejak.<name>`.
        topics: what it reads, all in the same way.
        handler: folds the batches.
        slot: the worker's number from 0; the same slot gets its partitions back after a restart.
        batch_max: records per batch; 0 takes the setting's.
        apply_all: each folds batches of several partitions together, in a thread and on a connection of its own,
            never a partition that another has in hand; without any they are folded one by one.
    """
    kafka = client_config(settings, name)
    app = Pump(
        group_of(name),
        broker=[f"aiokafka://{server}" for server in kafka["bootstrap_servers"]],
        broker_client_id=f"{kafka['client_id']}-{slot}",
        broker_credentials=faust.SASLCredentials(
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            mechanism=SASLMechanism.SCRAM_SHA_512,
            ssl_context=ssl.create_default_context(cafile=kafka["ssl_cafile"]) if kafka["ssl_cafile"] else None,
        ),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        broker_commit_interval=1.0,
        consumer_group_instance_id=f"{group_of(name)}-{slot}",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=4,  # batches, each of up to `batch_max` records
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )
    app.folded, app.joined_at = asyncio.Event(), monotonic()
    app.handler, app.servers = handler, kafka["bootstrap_servers"]
    app.database = [ThreadPoolExecutor(1, thread_name_prefix="database") for _ in apply_all or "1"]

    async def positions(log: Log) -> Mapping[Partition, int]:
        found: Mapping[Partition, int] = await app.in_database_thread(handler.positions, log)
        return found

    app.transport = BatchTransport(
        app, positions, batch_max=batch_max or settings.batch_max, linger_s=settings.linger_ms / 1000
    )

    @app.agent(app.topic(*topics, schema=BatchSchema()), name=name, concurrency=1)  # type: ignore[untyped-decorator] # Faust is read untyped
    async def fold(stream: Any) -> None:  # noqa: ANN401 — a Faust stream
        intake = Intake(batch_max or settings.batch_max)
        folding = [
            asyncio.ensure_future(_fold(app, stream, intake, number, one))
            for number, one in enumerate(apply_all or [None])
        ]
        try:
            async for event in stream.noack().events():
                await intake.put(event)
        finally:
            for one in folding:
                one.cancel()

    return app


def run_worker(
    settings: Settings,
    name: str,
    topics: Sequence[str],
    handler: Handler,
    slot: int,
    *,
    batch_max: int = 0,
    apply_all: Sequence[ApplyAll] = (),
    step: Step | None = None,
) -> None:
    """Run the worker until SIGTERM or SIGINT; `step` is work besides.

    A step is taken in the first database thread when something was folded, every 5 s, and after each that says that
    more is left; what waits to be folded meanwhile comes between two steps.

    Raises:
        StopWorker: it must end with that exit code: 1 for anything of Kafka's or Faust's.
    """
    # A batch is tens of thousands of short-lived objects without cycles: looking for some costs a fifth of the fold.
    arm(settings.failpoint)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)

    async def run() -> None:
        metrics_file = settings.home / "run" / "metrics" / f"{name}-{slot}.prom"
        app = build_app(settings, name, topics, handler, slot, batch_max=batch_max, apply_all=apply_all)
        app.readiness = Readiness(settings, f"{name}-{slot}")
        await _run(app, f"{name}-{slot}", metrics_file, step)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


async def _fold(app: Pump, stream: Any, intake: Intake, number: int, apply_all: ApplyAll | None) -> None:  # noqa: ANN401 — a Faust stream
    """Fold what waits in the thread of that number, for ever; an error ends the worker by way of `app.failure`."""
    while True:
        events = await intake.take()
        reach("batches taken")
        batches = [event.value for event in events]
        if apply_all is None:
            for batch in batches:
                await app.in_database_thread(app.handler.apply, batch, number)
        else:
            for together in rounds(batches):
                await app.in_database_thread(apply_all, together, number)
        app.folded.set()
        for event in events:
            await stream.ack(event)
        intake.done(events)
        reach("acked")


async def _run(app: Pump, name: str, metrics_file: Path, step: Step | None) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, asked.set)
    watch(app.handler.progress, name)
    starting = asyncio.ensure_future(_start(app))
    _log.info("worker starts", worker=name)
    stepping = asyncio.ensure_future(_steps(app, step)) if step else None
    async for _ in _beats(app, metrics_file):
        ended = app.should_stop or (starting.done() and starting.exception() is not None)
        if asked.is_set() or app.failure or ended:
            break
    # A service that crashed on purpose still has children to stop; one that hangs must not keep us.
    stopping: Coroutine[Any, Any, None] = app.stop()
    with suppress(Exception):
        await asyncio.wait_for(stopping, STOP_TIMEOUT_S)
    starting.cancel()
    if stepping is not None:
        stepping.cancel()
    for thread in app.database:
        thread.shutdown(wait=True)  # a transaction in hand is finished: committed, or it was never there
    _log.info("worker ends", worker=name)
    if isinstance(app.failure, StopWorker | JejakError):
        raise app.failure
    if app.failure:
        raise StopWorker(f"a bug ended the worker: {type(app.failure).__name__}") from app.failure
    if not asked.is_set():
        reason = app.crash_reason or (starting.done() and not starting.cancelled() and starting.exception())
        raise StopWorker(f"Kafka ended the worker: {type(reason).__name__}")


async def _start(app: Pump) -> None:
    """Start the app once a broker listens: without one it would end us, and to come again costs seconds of imports."""
    for server in cycle(app.servers):
        host, _, port = server.rpartition(":")
        with suppress(OSError):  # of which a timeout is one
            async with asyncio.timeout(AWAY_MAX_S):
                _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            break
        if not app.away:
            _log.warning("no broker listens")
        app.away = True
        await asyncio.sleep(AWAY_S)
    app.away = False
    await app.start()


async def _steps(app: Pump, step: Step) -> None:
    """Take steps for ever; an error ends the worker by way of `app.failure`."""
    while True:
        app.folded.clear()
        if not await app.in_database_thread(lambda _: step(), None):
            with suppress(TimeoutError):
                async with asyncio.timeout(STEP_S):
                    await app.folded.wait()


async def _beats(app: Pump, metrics_file: Path) -> AsyncIterator[None]:
    for number in count():
        app.handler.progress.beat(app.lag())
        app.readiness.say(app.why_not_ready())
        app.check_joined()
        yield
        if number % METRICS_EVERY == 0:
            with suppress(OSError):  # a home that cannot be written must not stop the fold
                write_metrics(metrics_file)
        await asyncio.sleep(BEAT_S)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, about 1.5 times as fast, where it is installed."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory
