"""`jejak plausibility`: flags scans that cannot be; `jejak up` starts and restarts it."""

import signal
import threading
from contextlib import closing
from time import monotonic

import click
import structlog

from ops.embedded import running_settings
from ops.processes import begin_service
from ops.slots import held_slot
from portal.plausibility.watch import ROLE, USER, Watcher
from portal.store import open_pool
from producers.follower import follow_rounds
from producers.sender import Sender
from schemas.errors import DatabaseAway, Unavailable
from schemas.settings import Settings
from schemas.topics import SCAN, group_of
from streams.metrics import FLAGS, write_metrics
from streams.readiness import Readiness

PAUSE_S = 0.5
METRICS_S = 5.0
_log = structlog.get_logger(__name__)


@click.command()
@click.pass_obj
def plausibility(settings: Settings) -> None:
    """Flag scans that cannot be, until stopped: they are out of tracing until a person clears them.

    Ends with 71 (database or Kafka away): start it again. Several share the work.
    """
    settings = running_settings(settings)
    begin_service(settings.log_level)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    with held_slot(settings, USER, None) as slot:
        run(settings, f"{USER}-{slot}", asked)


def run(settings: Settings, name: str, asked: threading.Event) -> None:
    """Watch until asked to stop.

    Raises:
        DatabaseAway: database or Kafka stayed away longer than a worker waits.
    """
    readiness = Readiness(settings, name)
    away_since: float | None = None
    while not asked.is_set():
        try:
            with Sender(settings, USER) as sender, closing(open_pool(settings, 1, ROLE)) as pool:
                watcher = Watcher(pool, sender, settings.partitions, lambda reason: FLAGS.labels(reason).inc())
                _log.info("plausibility starts")
                away_since = None
                readiness.say("")
                watch(settings, watcher, name, asked)
        except Unavailable as error:
            away_since = away_since or monotonic()
            readiness.say("waits for Kafka or the database")
            _log.warning("plausibility waits", error=type(error.__cause__ or error).__name__)
            if monotonic() - away_since > settings.database_wait_s:
                raise DatabaseAway(str(error)) from error
            asked.wait(PAUSE_S)


def watch(settings: Settings, watcher: Watcher, name: str, asked: threading.Event) -> None:
    """Judge all that comes, and what people revoke, until asked to stop.

    Raises:
        Unavailable: database or broker do not answer; what was not finished is judged again.
    """
    written_at = 0.0
    rounds = follow_rounds(settings, SCAN.name, USER, group=group_of(USER), stop=asked.is_set)
    with closing(rounds):
        for records in rounds:
            if records and not watcher.take(records, asked.is_set):
                return  # not committed: it comes again
            watcher.follow_revocations()
            if monotonic() - written_at >= METRICS_S:
                write_metrics(settings.home / "run" / "metrics" / f"{name}.prom")
                written_at = monotonic()
