"""Who is measured, and how each is run: as its own experts would run it. The settings stand in the results."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from bench.tools import PYTHON, Say, java_command, lacks_module, prepare_java, prepare_python

Group = Literal["memory", "slow", "tables", "durable", "sinks"]
HEAP: Final = "1536m"
READING: Final = "max.poll.records 5,000, 4 MiB a partition and fetch"
STREAMS: Final = (
    f"Processor API, 2 threads, no repartition topic, 64 MiB cache, ParallelGC, heap {HEAP}, {READING}, "
    "producer linger 20 ms and 256 KiB batches"
)
LIBRDKAFKA: Final = "consume(10,000), 4 MiB fetches, 256 MiB read ahead, no CRC check"


class Contender(NamedTuple):
    """One way of doing the work."""

    name: str  # in results
    title: str  # in the page
    group: Group
    settings: str
    module: str = ""  # in bench.contenders
    arguments: tuple[str, ...] = ()
    java: str = ""  # the name the Java peers know it by
    needs: str = ""  # a package outside the product
    has_result: bool = True

    def command(self) -> list[str]:
        """Return its command, but for the task."""
        if self.java:
            return java_command(self.java, heap=HEAP)
        python = str(PYTHON) if self.needs else sys.executable
        return [python, "-m", f"bench.contenders.{self.module}", *self.arguments]


OURS_MEMORY: Final = "ours-memory"
OURS_DURABLE: Final = "ours-durable"
OURS_SLICE: Final = "ours-durable-slice"
CONFLUENT_COPY: Final = "confluent-copy"
STREAMS_MEMORY: Final = "kafka-streams-memory"
STREAMS_JDBC: Final = "kafka-streams-jdbc"
RAW_READ: Final = "librdkafka-raw"
FAUST_TAKE: Final = "faust-take"
BYTEWAX: Final = "bytewax"

CONTENDERS: Final = (
    Contender(
        RAW_READ,
        "librdkafka raw read (the limit)",
        "memory",
        LIBRDKAFKA,
        "raw_read",
        needs="confluent_kafka",
        has_result=False,
    ),
    Contender(
        "confluent-dicts",
        "confluent-kafka + dicts",
        "memory",
        f"{LIBRDKAFKA}; our decoding and counting",
        "confluent_dicts",
        needs="confluent_kafka",
    ),
    Contender(
        "java-consumer",
        "plain Java consumer + HashMap",
        "memory",
        f"one thread, ParallelGC, heap {HEAP}, {READING}, Jackson streaming",
        java="plain",
    ),
    Contender(
        OURS_MEMORY,
        "**ours in memory** (Faust, batch transport)",
        "memory",
        "the product's worker, batches of 5,000, uvloop",
        "ours_memory",
    ),
    Contender(STREAMS_MEMORY, "Kafka Streams, memory, no changelog", "memory", STREAMS, java="memory"),
    Contender(
        "kafka-streams-changelog",
        "Kafka Streams, memory + changelog",
        "memory",
        f"{STREAMS}, at_least_once",
        java="changelog",
    ),
    Contender(
        BYTEWAX,
        "Bytewax",
        "memory",
        "KafkaSource in batches of 10,000, flat_map_batch, stateful_batch by facility, one worker",
        "bytewax_flow",
        needs="bytewax",
    ),
    Contender(
        "quix-dicts",
        "Quix Streams, dicts",
        "slow",
        "no state store, commit every 5 s, bytes deserializers, no CRC check",
        "quix",
        needs="quixstreams",
    ),
    Contender("ours-memory-slow", "**ours in memory**, the same slice", "slow", "as above", "ours_memory"),
    Contender(
        FAUST_TAKE,
        "stock Faust, `take` + dicts",
        "slow",
        "take(5,000, within 0.1 s), uvloop, 4 MiB fetches, buffer of 40,000",
        "stock_faust",
        ("take",),
    ),
    Contender(
        "faust-tables",
        "stock Faust Tables",
        "tables",
        "three Tables, memory store, changelog, uvloop",
        "stock_faust",
        ("tables",),
    ),
    Contender(
        OURS_DURABLE,
        "**ours durable**: the visits worker",
        "durable",
        "the product's worker, batches of 5,000, two transactions at once",
    ),
    Contender(
        CONFLUENT_COPY,
        "confluent-kafka + psycopg2 COPY, our transaction",
        "durable",
        f"{LIBRDKAFKA}, but 5,000 at a time, each a transaction; one thread, none of the supervision",
        "confluent_copy",
        needs="confluent_kafka",
    ),
    Contender(OURS_SLICE, "**ours durable**, the same slice", "sinks", "as above"),
    Contender(
        STREAMS_JDBC,
        "Kafka Streams + changelog + JDBC sink",
        "sinks",
        f"{STREAMS}, at_least_once; reWriteBatchedInserts, custom plans, 5,000 a commit or 1 s, idempotent upserts",
        java="jdbc",
    ),
    Contender(
        "kafka-streams-jdbc-exact",
        "the same, exactly_once_v2",
        "sinks",
        f"{STREAMS}, exactly_once_v2; the same sink",
        java="jdbc-exactly-once",
    ),
)


def missing(contenders: Sequence[Contender], say: Say) -> Mapping[str, str]:
    """Prepare what the contenders need; return those that cannot run, with the reason."""
    no_python = prepare_python(say) if any(one.needs for one in contenders) else ""
    no_java = prepare_java(say) if any(one.java for one in contenders) else ""
    reasons = {}
    for one in contenders:
        if one.java and no_java:
            reasons[one.name] = no_java
        if one.needs and (reason := no_python or lacks_module(one.needs)):
            reasons[one.name] = reason
    return reasons
