"""The services beside a gate that a desk's test needs: what folds scans, and what watches for those that cannot be."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.settings import Settings
from tests.commands import environment


@contextmanager
def running(settings: Settings, *commands: tuple[str, ...]) -> Iterator[None]:
    """Run `jejak` with each of these words until the block ends."""
    settings.home.joinpath("logs").mkdir(exist_ok=True)
    started = []
    try:
        for words in commands:
            with settings.home.joinpath("logs", f"{words[-1]}.log").open("ab") as log:
                argv = [sys.executable, "-m", "ops.cli", *words]
                started.append(subprocess.Popen(argv, env=environment(settings), stdout=log, stderr=log))
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)
