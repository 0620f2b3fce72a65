"""`jejak retention`: what is over its time goes; what is due, and where the horizon stands."""

import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Final

import click
import structlog

from ops.embedded import running_settings
from ops.processes import begin_service
from ops.store import OPERATOR, transaction
from schemas.errors import JejakError
from schemas.settings import Settings
from streams.metrics import write_metrics
from streams.readiness import Readiness
from streams.retention import store
from streams.retention.run import Report, Say, day_of, read_goal, run

LEFT: Final = 1
DAYS_MIN: Final = 30  # the gate takes in what is so old: less would let go what is still to come
EVERY: Final = timedelta(days=1)
TICK_S: Final = 10.0
AGAIN_S: Final = 60.0
NAME: Final = "retention"
_log = structlog.get_logger(__name__)

_days = click.option(
    "--days",
    type=click.IntRange(min=DAYS_MIN),
    help="Keep scans and visits for so long, whatever `retention_days` of the dated settings says.",
)


@click.group()
def retention() -> None:
    """Let go what is over its time, and leave what scans and counts to come need of it."""


@retention.command("run")
@_days
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--daily", is_flag=True, help="A day after the last run, and every day; never exits by itself.")
@click.pass_obj
def run_now(settings: Settings, days: int | None, *, dry_run: bool, daily: bool) -> None:
    """Move the horizon and let go what is before it, e.g. `jejak retention run --dry-run`.

    Can be killed and run again at any time. Exit 1 when somebody's visits are not what his scans say: he keeps
    everything, and `jejak audit` names the rows.
    """
    settings = running_settings(settings)
    if daily:
        begin_service(settings.log_level)
        _every_day(settings, days)
        return
    if dry_run:
        _say_what_would_go(settings, days)
        return
    from ops.commands.up import stoppable, tell

    with stoppable(unfinished=True):
        report = run(settings, datetime.now(UTC), days, tell)
        _print(report)
        if report.step.left:
            sys.exit(LEFT)


@retention.command("status")
@_days
@click.pass_obj
def status(settings: Settings, days: int | None) -> None:
    """Say where the horizon is, where it is to be, and what has gone so far."""
    settings, now = running_settings(settings), datetime.now(UTC)
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        goal, horizons, ran_at = read_goal(cur, now, days), store.read_horizons(cur), store.read_ran_at(cur)
        gone, waiting = store.read_totals(cur), store.count_due(cur)
    known = [at for at in horizons.values() if at is not None]
    click.echo(f"horizon     {day_of(min(known)) if known else 'none: nothing has gone yet'}")
    held = f", held back by an open trace of day zero {goal.held_since}" if goal.held_since else ""
    click.echo(f"to be       {day_of(goal.horizon)}, {goal.days} days back{held}")
    click.echo(f"last run    {ran_at:%Y-%m-%dT%H:%M:%SZ}")
    click.echo(f"gone        {gone.scans:,} scans, {gone.decisions:,} decisions, {gone.visits:,} visits")
    click.echo(f"dead        {gone.letters:,} letters gone; the others go {store.LETTER_DAYS} days after they came")
    if waiting:
        click.echo(f"under way   {waiting:,} persons have still to be looked at: run it again")


def _say_what_would_go(settings: Settings, days: int | None) -> None:
    now = datetime.now(UTC)
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cur:
        goal = read_goal(cur, now, days)
        old = store.count_old(cur, goal.horizon)
        others = store.count_aged(cur, now)
    rows = ", ".join(f"{number:,} {name}" for name, number in (old | others).items())
    click.echo(f"before {day_of(goal.horizon)}: {rows}; nothing was changed")


def _print(report: Report) -> None:
    step = report.step
    click.echo(
        f"horizon {day_of(report.goal.horizon)}: {step.scans:,} scans, {step.decisions:,} decisions and"
        f" {step.visits:,} visits of {step.persons:,} persons gone; {report.weeks} weeks of visits dropped"
    )
    click.echo(
        f"{report.letters:,} dead letters, {report.audit_rows:,} rows of the audit, {report.requests:,} requests gone;"
        f" {report.erasures:,} erasures carried out"
    )
    if report.step.left:
        click.echo(f"{report.step.left:,} persons keep everything: run `jejak audit --only visits`", err=True)


def _every_day(settings: Settings, days: int | None) -> None:
    """Run a day after the last run ended, until SIGTERM; what goes wrong is tried again."""
    readiness = Readiness(settings, NAME)
    metrics_file: Path = settings.home / "run" / "metrics" / f"{NAME}.prom"
    asked, again_at = Event(), 0.0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())

    def alive(_: str) -> None:
        write_metrics(metrics_file)
        if asked.is_set():
            raise SystemExit  # between two steps: the next run goes on

    while not asked.is_set():
        write_metrics(metrics_file)
        if time.monotonic() >= again_at:
            try:
                _run_if_due(settings, days, alive)
                readiness.say("")
            except JejakError as error:
                readiness.say("waits for the database")
                _log.warning("retention waits", error=type(error).__name__)
            again_at = time.monotonic() + AGAIN_S
        asked.wait(TICK_S)


def _run_if_due(settings: Settings, days: int | None, alive: Say) -> None:
    now = datetime.now(UTC)
    with store.opened(settings) as conn, conn, conn.cursor() as cur:
        if now - store.read_ran_at(cur) < EVERY:
            return
    report = run(settings, now, days, alive)
    step = report.step
    _log.info("retention ran", records=step.scans + step.decisions)
    if step.left:
        _log.error("stored visits are not what the scans say: `jejak audit`", records=step.left)
