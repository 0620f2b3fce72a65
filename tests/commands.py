"""What tests of several rooms need: `jejak` run as its user runs it, and waiting for what other processes do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from ops import services
from schemas.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """Return an environment that says these settings and nothing else of ours."""
    return services.environment(settings, os.environ)


def jejak(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *words],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
