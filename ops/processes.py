"""Starting processes that cannot outlive us, and ending them.

The kernel tells a child when the *thread* that started it ends: start children in a thread that lives as long as
they should (the main thread).
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ops.log import set_up_logs

PR_SET_PDEATHSIG = 1
LOG_MAX_BYTES = 20 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@contextmanager
def open_log(path: Path) -> Iterator[int]:
    """Open a log file for appending, private, begun anew when it has grown large; yields its descriptor."""
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def last_line(path: Path) -> str:
    """Return the last line of a log that says anything."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


def spawn(
    argv: Sequence[str],
    *,
    log: int,
    env: Mapping[str, str],
    last_signal: signal.Signals,
    cwd: Path | None = None,
    uid: int | None = None,
    gid: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, output to `log`; when we are gone it gets `last_signal`.

    Its own session, because Ctrl-C at the terminal is ours to pass on in our order.
    """
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(env),
        cwd=cwd,
        user=uid,
        group=gid,
        extra_groups=[] if uid is not None else None,
        start_new_session=True,
        preexec_fn=_die_with_parent(last_signal),  # noqa: PLW1509 — one prctl and one getppid, no lock taken
    )


def is_same_process(pid: int, started: float, tolerance_s: float = 0.5) -> bool:
    """Say whether the process that had this pid and start time still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) <= tolerance_s and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants at once."""
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=5)


def _die_with_parent(last_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def in_child() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0)
            if os.getppid() != parent:  # we died between fork and prctl
                os._exit(1)

    return in_child


def begin_service(level: str) -> None:
    """Make this process one of our services: what it writes is its owner's alone, its logs hold only listed fields."""
    os.umask(0o077)
    set_up_logs(level)
