"""The batch transport: Faust as the pump, one event per fetched batch of one partition instead of one per record.

Faust keeps its consumer group, agents and rebalancing; its cost per record is paid once per batch. It changes what
Faust does in five places: what is delivered (`getmany`), where reading begins (`perform_seek`: where the database
stands, not where Kafka was told), what an ack means (`ack`, a whole range), what may be committed (`_new_offset`, in
the order of delivery), and how long a request for records may wait at the broker (`FetchThread`). It leans on the
inside of the pinned faust-streaming and aiokafka; `tests/streams/test_batches.py` fails when that moves.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias

import faust
from aiokafka.protocol.metadata import MetadataRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.futures import notify

from streams.failpoints import reach
from streams.ranges import Ranges

FETCH_WAIT_MS: Final = 100  # how long the broker may hold a request when it has nothing
Partition: TypeAlias = tuple[str, int]  # topic, partition; Faust's TP is one


class Record(Protocol):
    """One record of the log, as aiokafka hands it over: raw bytes."""

    offset: int
    timestamp: int  # milliseconds since 1970
    key: bytes | None
    value: bytes | None


class Batch:
    """Records of one partition in the order of the log, as fetched."""

    __slots__ = ("end", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Record], end: int = -1) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records
        self.end = end  # of the log, when it was fetched; -1: not known

    def __len__(self) -> int:
        return len(self.records)


class Log:
    """What the broker says of the assigned partitions: whose log it is, and where each begins and ends."""

    __slots__ = ("cluster_id", "ends", "starts")

    def __init__(self, cluster_id: str, starts: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        self.cluster_id = cluster_id
        self.starts = starts
        self.ends = ends


class BatchSchema(faust.Schema):  # type: ignore[misc] # Faust is read untyped
    """Hands the batch through: the agent decodes it in one go, and no decode error is acked behind its back."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:  # noqa: ANN401 — Faust's signature
        """Return no key: a batch has as many as it has records."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ANN401, ARG002 — Faust's signature
        """Return the batch itself."""
        return message.value


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc] # Faust is read untyped
    """Asks the broker more often than Faust does.

    A partition whose records are being folded is not in the request that waits at the broker meanwhile: its next
    records wait for that request, which is 1.5 s in Faust.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 — Faust's signature
        consumer = super()._create_worker_consumer(transport)
        assert consumer._fetch_max_wait_ms  # noqa: SLF001 — Faust has no setting for it
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 — Faust has no setting for it
        return consumer


class BatchConsumer(driver.Consumer):  # type: ignore[misc] # Faust is read untyped
    """Delivers batches; a batch is a message whose offset is that of its last record."""

    transport: "BatchTransport"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 — Faust's signature
        self._ranges: Ranges[TP] = Ranges()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 — Faust's signature
        """Yield what was fetched, each partition's records as batches of at most `batch_max`."""
        fetched, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not fetched or self.should_stop:
            return
        reach("records fetched")
        if not self.flow_active:
            # A rebalance began while we fetched. What we drop here must be fetched again; if a partition went away
            # meanwhile the seek fails, and what was dropped shows as a gap (70), never as a loss.
            with suppress(Exception):
                await self.perform_seek()
            return
        for tp, records in fetched.items():
            for message in self._messages(tp, records):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return  # rebalancing: reading begins anew at the database's position
                if active is None or tp in active or tp in self._buffered_partitions:
                    self._ranges.deliver(tp, message.offset)
                    yield tp, message
        if sum(map(len, fetched.values())) < self.transport.batch_max // 10:
            # At a low rate, let the next batch grow rather than pay its cost record by record.
            await self.sleep(self.transport.linger_s)

    async def perform_seek(self) -> None:
        """Begin reading where the database stands; where it knows nothing, at the beginning of the log."""
        self._ranges.forget_all()
        assigned = self.assignment()
        if not assigned:
            return
        log = Log(
            await self._thread.call_thread(self._cluster_id),
            await self.earliest_offsets(*assigned),
            await self.highwaters(*assigned),
        )
        known = await self.transport.positions(log)
        reach("positions known")
        wanted = {tp: known.get(tp, log.starts[tp]) for tp in assigned}
        await self.seek_wait(wanted)
        self._committed_offset.update(wanted)
        reach("reading begun")

    def ack(self, message: Any) -> bool:  # noqa: ANN401 — Faust's message
        """Mark the batch as done."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        self._ranges.ack(message.tp, message.offset)
        notify(self._waiting_for_ack)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what is no longer ours, after what is in hand is done."""
        await super().on_partitions_revoked(revoked)
        self._ranges.forget(revoked)

    def _messages(self, tp: TP, records: Sequence[Record]) -> Iterator[Any]:
        size, end = self.transport.batch_max, self.highwater(tp)
        for first in range(0, len(records), size):
            part = records[first : first + size]
            last = part[-1]
            yield ConsumerMessage(
                tp.topic,
                tp.partition,
                last.offset,
                last.timestamp / 1000.0,
                None,
                None,
                None,
                Batch(tp.topic, tp.partition, part, -1 if end is None else end),
                None,
                0,
                0,
                tp,
                generation_id=self.app.consumer_generation_id,
            )

    async def _cluster_id(self) -> str:
        client = self._thread._ensure_consumer()._client  # noqa: SLF001 — aiokafka reads the id and forgets it
        answer = await client.send(client.get_random_node(), MetadataRequest([]))
        return str(answer.cluster_id)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> list[TP]:  # noqa: ANN401 — Faust's signature
        return [tp for tp in self._ranges.partitions() if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        return self._ranges.take(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: whether offsets were skipped is for the database to say."""


class BatchTransport(driver.Transport):  # type: ignore[misc] # Faust is read untyped
    """Faust's aiokafka transport with `BatchConsumer` in it."""

    Consumer = BatchConsumer
    driver_version = f"batches+{driver.Transport.driver_version}"

    def __init__(
        self,
        app: Any,  # noqa: ANN401 — a Faust app
        positions: Callable[[Log], Awaitable[Mapping[Partition, int]]],
        *,
        batch_max: int,
        linger_s: float,
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.positions = positions
        self.batch_max = batch_max
        self.linger_s = linger_s
