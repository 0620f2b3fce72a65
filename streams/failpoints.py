"""Named places in the workers and the relay at which a test lets the process die, as by `kill -9`.

`reach` costs a comparison; unless the setting JEJAK_FAILPOINT names a place, nothing happens anywhere. A name stands
for the moment after it happened, so it is also the moment before what comes next. `statement:7` is the moment after
the seventh statement that a watched connection sent, whatever it was: so no statement is forgotten.
"""

import os
import signal
from threading import Thread
from time import sleep
from typing import Any, Final, NoReturn

from tracing.store import Connection, Cursor

FOLD: Final = (
    "positions locked",
    "records read",
    "states read",
    "scans copied",
    "scans staged",
    "decisions staged",
    "history read",
    "visits deleted",
    "visits inserted",
    "states written",
    "counts added",
    "outbox written",
    "dead letters written",
    "positions moved",
    "commit sent",
    "committed",
)
WORKER: Final = ("positions known", "reading begun", "records fetched", "batches taken", "acked")  # in its loop
TRACES: Final = (
    "positions locked",
    "statuses ended",
    "fact stored",
    "trace opened",
    "run done",
    "alerts left",
    "positions moved",
    "commit sent",
    "committed",
)
STANDING: Final = ("positions locked", "positions moved", "run done", "alerts left", "commit sent", "committed")
RELAY: Final = ("rows taken", "events sent", "events confirmed", "rows marked")
RETENTION: Final = (
    "horizon moved",
    "due found",
    "positions locked",
    "history read",
    "scans dropped",
    "visits dropped",
    "carries written",
    "totals written",
    "due done",
    "commit sent",
    "committed",
)
STATEMENT: Final = "statement"
NAMES: Final = frozenset((*FOLD, *WORKER, *TRACES, *STANDING, *RELAY, *RETENTION, STATEMENT))
ANSWER_S: Final = 0.001  # about what a commit takes: it may be answered or not, we never saw it


class _Watched(Cursor):
    """A cursor whose every statement is a place."""

    def execute(self, *args: Any) -> None:  # noqa: ANN401 — psycopg2's
        """Execute, and die here if this is the place."""
        super().execute(*args)
        reach(STATEMENT)

    def copy_expert(self, *args: Any) -> None:  # noqa: ANN401 — psycopg2's
        """Copy, and die here if this is the place."""
        super().copy_expert(*args)
        reach(STATEMENT)


class _Armed:
    name = ""
    left = 0


def arm(place: str) -> None:
    """Let this process die when it reaches a place, `name` or `name:3` for the third time; empty: never."""
    name, _, number = place.partition(":")
    assert not name or name in NAMES, "is no failpoint"
    _Armed.name, _Armed.left = name, int(number or 1)


def reach(name: str) -> None:
    """Die here if this is the place."""
    if name == _Armed.name and _is_now():
        _die()


def watch_statements(conn: Connection) -> None:
    """Let every statement of this connection be a place, if one is armed; else nothing is watched and costs."""
    if _Armed.name == STATEMENT:
        conn.cursor_factory = _Watched


def reach_commit(conn: Connection) -> None:
    """Send a commit and die before its answer is read, if this is the place."""
    if _Armed.name == "commit sent" and _is_now():
        Thread(target=conn.commit, daemon=True).start()
        sleep(ANSWER_S)
        _die()


def _is_now() -> bool:
    _Armed.left -= 1
    return _Armed.left == 0


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")
