"""The batch transport leans on the inside of pinned libraries: this fails when that inside moves.

Then read what changed against `streams/batches.py`, run the worker's tests, and write the new digests here.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher
from aiokafka.protocol.metadata import MetadataRequest, MetadataResponse_v2
from faust.app.base import App
from faust.streams import Stream
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types.tuples import ConsumerMessage, Message

from streams.batches import FETCH_WAIT_MS, Batch, BatchConsumer, BatchSchema, BatchTransport

INSIDE: list[tuple[Callable[..., Any] | type, str]] = [
    (Consumer.getmany, "4b168d84882a70d6"),
    (Consumer._wait_next_records, "6218e1969a636b3f"),
    (Consumer.perform_seek, "0e8c130ff4b0afd8"),
    (Consumer.ack, "5fcf41cf45153475"),
    (Consumer.commit, "a354437baaa08bf8"),
    (Consumer.force_commit, "cc094614d22c70fb"),
    (Consumer._commit_tps, "a20e230b05ae8b15"),
    (Consumer._filter_committable_offsets, "dc5e9baf5d994485"),
    (Consumer._should_commit, "5ce941793947ad42"),
    (Consumer._commit_offsets, "1a69799041188441"),
    (Consumer.on_partitions_revoked, "d04b7ae72c6fc206"),
    (Consumer._drain_messages, "44a2500309e83c63"),
    (Consumer.wait_empty, "e4662fe24f094819"),
    (AIOKafkaConsumerThread._seek_wait, "9d221e816d940467"),
    (AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1455a"),
    (AIOKafkaConsumerThread._create_worker_consumer, "c2701bfc3e6f6cad"),
    (AIOKafkaConsumerThread._ensure_consumer, "ff4a4c693b7ec63f"),
    (AIOKafkaConsumerThread.call_thread, "479edda75b54734b"),
    (AIOKafkaConsumerThread.earliest_offsets, "5d697cd768735af7"),
    (AIOKafkaConsumerThread.highwaters, "b49ed48ec1731816"),
    (AIOKafkaConsumerThread.highwater, "6f7dbe109ae6807f"),
    (Message.__init__, "afe1f75975597bc3"),
    (ConsumerMessage, "5edc45d571eb42a2"),
    (App._update_assignment, "39d9f315c1228325"),
    (Stream.noack, "921a6f5c674d32d4"),
    (Stream.ack, "32d7171a89b0931d"),
    (Stream.events, "c62f4dd3a73fe7aa"),
    (AIOKafkaClient.send, "246b277687d7b687"),
    (AIOKafkaClient.get_random_node, "0e2daf38b78e99a7"),
    (fetcher.Fetcher.fetched_records, "be4348896b9b66af"),
    (fetcher.FetchResult, "d7db13f06de8248c"),
]
# Whole files too: who calls what is replaced, and when, is theirs. A part above that failed says where to look first.
FILES = {
    "faust/_cython/streams.pyx": "0041622f4a251188",
    "faust/agents/agent.py": "c707f361cb6aa537",
    "faust/app/base.py": "badc50a8856d8025",
    "faust/channels.py": "c763074f68003a77",
    "faust/streams.py": "ecd5de976a16f796",
    "faust/tables/recovery.py": "e6cada29f7af6936",
    "faust/transport/conductor.py": "5d67a8115d0d5cb4",
    "faust/transport/consumer.py": "ea232dca6b71d51c",
    "faust/transport/drivers/aiokafka.py": "aed1bce0b0d98a0f",
    "faust/types/tuples.py": "dab9f2026d017e26",
    "mode/services.py": "6d28c502eed32e15",
    "mode/threads.py": "ed9113a0cc06ebdf",
    "mode/utils/futures.py": "ae0180e483ca33bb",
    "aiokafka/client.py": "d20532ad5b41aa62",
    "aiokafka/consumer/consumer.py": "24f84531f97fcfeb",
    "aiokafka/consumer/fetcher.py": "d7ee9eeb185c5c6e",
    "aiokafka/consumer/group_coordinator.py": "de3548a072bb0b22",
    "aiokafka/consumer/subscription_state.py": "1fe3b1b52e7b3838",
    "aiokafka/protocol/metadata.py": "e51ef8fd84f062df",
}


def test_the_libraries_are_the_ones_the_transport_was_read_against() -> None:
    found = [version(name) for name in ("faust-streaming", "mode-streaming", "aiokafka")]
    assert found == ["0.15.3", "0.7.1", "0.14.0"]


@pytest.mark.parametrize("name", FILES)
def test_no_file_around_the_transport_has_moved(name: str) -> None:
    package, _, path = name.partition("/")
    folder = Path(str(import_module(package).__file__)).parent
    assert sha256((folder / path).read_bytes()).hexdigest()[:16] == FILES[name]


@pytest.mark.parametrize(("part", "digest"), INSIDE, ids=lambda value: getattr(value, "__qualname__", ""))
def test_the_inside_the_transport_leans_on_has_not_moved(part: Callable[..., Any] | type, digest: str) -> None:
    assert sha256(inspect.getsource(part).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize(
    "name",
    [
        "getmany",
        "perform_seek",
        "ack",
        "on_partitions_revoked",
        "_new_offset",
        "_filter_tps_with_pending_acks",
        "_add_gap",
    ],
)
def test_what_the_transport_replaces_is_there_with_the_same_parameters(name: str) -> None:
    theirs, ours = getattr(Consumer, name), getattr(BatchConsumer, name)
    assert ours is not theirs
    assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters)


def test_the_answer_to_a_metadata_request_names_the_cluster() -> None:
    assert "cluster_id" in MetadataResponse_v2.SCHEMA.names
    assert MetadataRequest([]).API_KEY == 3


def test_the_broker_is_asked_again_after_a_tenth_of_a_second() -> None:
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(aiokafka.AIOKafkaConsumer)
    assert FETCH_WAIT_MS == 100


def test_a_batch_goes_through_undecoded() -> None:
    batch = Batch("scan.v1", 3, [])
    message = type("Message", (), {"value": batch})()
    assert BatchSchema().loads_value(None, message) is batch
    assert BatchTransport.Consumer is BatchConsumer
