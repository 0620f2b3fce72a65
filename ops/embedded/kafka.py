"""An Apache Kafka of our own: one KRaft node, loopback only, SCRAM for clients, access rules that deny by default."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ops.embedded.daemon import Daemon
from ops.embedded.jars import fetch_jars
from ops.embedded.node import ADMIN, CONTROLLER, Node
from ops.embedded.training import STARTED, quick_start_cache
from ops.secrets import ensure_secret
from schemas.settings import Settings


def prepare_kafka(settings: Settings, home: Path, ports: tuple[int, int], say: Callable[[str], None]) -> Daemon:
    """Fetch the jars, write the configuration, format the storage the first time; return the broker, not started."""
    node = Node(
        folder=home / "kafka",
        jars=fetch_jars(say),
        ports=ports,
        admin=ensure_secret(settings, "kafka", ADMIN),
        controller=ensure_secret(settings, "kafka", CONTROLLER),
    )
    node = replace(node, cache=quick_start_cache(node, say))
    return Daemon(
        name="Kafka",
        argv=node.write(),
        port=ports[0],
        log=home / "logs" / "kafka.log",
        record=home / "run" / "kafka.json",
        stop_signal=signal.SIGTERM,
        is_ready=lambda daemon: STARTED in daemon.new_log(),
        before_start=node.clear_temporary,
    )
