"""Carries out a schedule on a running installation, and remembers what was done when."""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import psutil

from ops.chaos.ground import DISK_BYTES, Ground, resize, used_bytes
from ops.chaos.schedule import Fault
from ops.processes import kill_tree

SPARE_BYTES: Final = 16 * 4096  # so that the file system is full a moment later, not already too large
POISON_AT_ONCE: Final = 2_000


@dataclass
class Done:
    """A fault as it happened, in wall-clock time."""

    at: float
    kind: str
    target: str
    until: float
    how: str = ""


@dataclass
class Disturber:
    """Does what is due; the thread that calls `tick` is the one the processes belong to."""

    ground: Ground
    faults: Sequence[Fault]
    poison: Callable[[int], None]
    seed: int
    done: list[Done] = field(default_factory=list)
    _undo: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _next: int = 0

    def __post_init__(self) -> None:
        self._rng = Random(f"{self.seed}|disturber")  # noqa: S311 — a simulation

    def tick(self, now_s: float) -> None:
        """Begin and end what is due at this time of the run."""
        while self._next < len(self.faults) and self.faults[self._next].at_s <= now_s:
            fault = self.faults[self._next]
            self._next += 1
            self._begin(fault, now_s)
        self._end([undo for undo in self._undo if undo[0] <= now_s])

    def mend(self) -> None:
        """End everything that still lasts."""
        self._next = len(self.faults)
        self._end(list(self._undo))

    def _end(self, undo: Sequence[tuple[float, Callable[[], None]]]) -> None:
        for one in undo:
            self._undo.remove(one)
            one[1]()

    def _begin(self, fault: Fault, now_s: float) -> None:
        step = {
            "kill": self._kill,
            "stop": self._stop,
            "net": self._net,
            "disk": self._fill,
            "rebalance": self._grow,
            "poison": self._poison,
        }[fault.kind]
        for target in fault.targets:
            at = time.time()
            undo = step(target, fault)
            if undo is None:
                continue
            self.done.append(Done(at, fault.kind, target, at + fault.lasts_s, fault.how))
            self._undo.append((now_s + fault.lasts_s, undo))

    def _kill(self, target: str, _: Fault) -> Callable[[], None] | None:
        """Kill -9; of PostgreSQL all of it, only its first process, or one session."""
        process = self.ground.child(target).process
        if process is None or process.poll() is not None:
            return None  # it is down already
        sessions = psutil.Process(process.pid).children() if target == "PostgreSQL" else []
        how = self._rng.choice(("all", "first", "session")) if sessions else "first"
        if how == "all":
            kill_tree(process.pid)
        elif how == "session":
            with suppress(psutil.NoSuchProcess):
                self._rng.choice(sessions).kill()
        else:
            process.kill()
        return _nothing

    def _stop(self, target: str, _: Fault) -> Callable[[], None] | None:
        """SIGSTOP to the process and its children, SIGCONT later."""
        process = self.ground.child(target).process
        if process is None or process.poll() is not None:
            return None
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(process.pid)
            family = [root, *root.children(recursive=True)]
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGSTOP)
            return lambda: _continue(family)
        return None

    def _net(self, target: str, fault: Fault) -> Callable[[], None] | None:
        wire = self.ground.wires[target]
        if fault.how == "cut":
            wire.cut()
        else:
            wire.freeze(asking=fault.how == "freeze")
        return wire.mend

    def _fill(self, _: str, __: Fault) -> Callable[[], None] | None:
        disk = self.ground.disk
        if disk is None:
            return None
        for spare in (SPARE_BYTES, 16 * SPARE_BYTES, 256 * SPARE_BYTES):  # others write while we count
            if resize(disk, used_bytes(disk) + spare):
                return lambda: _empty(self.ground)
        return None

    def _grow(self, _: str, __: Fault) -> Callable[[], None] | None:
        """Let more workers join, and leave again."""
        for service in self.ground.extra:
            if service.process is None or service.process.poll() is not None:
                service.start()
        return self._shrink

    def _shrink(self) -> None:
        for service in self.ground.extra:
            service.ask_to_stop()

    def _poison(self, _: str, fault: Fault) -> Callable[[], None] | None:
        left = int(fault.how)
        while left > 0:
            self.poison(min(left, POISON_AT_ONCE))
            left -= POISON_AT_ONCE
        return _nothing


def _continue(family: Sequence[psutil.Process]) -> None:
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGCONT)


def _empty(ground: Ground) -> None:
    assert ground.disk is not None
    assert resize(ground.disk, DISK_BYTES), "the small disk cannot be made large again"


def _nothing() -> None:
    """There is nothing to undo."""
