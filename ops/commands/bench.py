"""`jejak bench`: measurements against what an engineer would pick instead; figures in bench/results, a page in docs.

Everything runs on servers of its own in a temporary folder, which is removed at the end, also after Ctrl-C.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from ops.commands.up import stoppable
from schemas.errors import Unavailable

if TYPE_CHECKING:
    from bench.figures import Report


@click.group()
def bench() -> None:
    """Measure the pipeline against its peers, on this machine."""
    if find_spec("bench") is None:
        raise Unavailable("measurements run in a clone of the project: the image does not hold them")


@bench.command()
@click.option("--scans", type=click.IntRange(min=2_000), default=200_000, show_default=True, help="1,000,000 in full.")
@click.option("--pairs", type=click.IntRange(min=1), default=5, show_default=True, help="How often each is run.")
@click.option("--facilities", type=click.IntRange(min=1), default=300, show_default=True)
@click.option(
    "--only", multiple=True, metavar="NAME", help="A contender or group: memory, slow, tables, durable, sinks."
)
def streams(scans: int, pairs: int, facilities: int, only: tuple[str, ...]) -> None:
    """Fold the same scans with everybody in turn; equal results are checked by hash."""
    from bench.figures import Report, machine
    from bench.place import running_place
    from bench.streams import Plan, check_names, goals, run

    check_names(only)

    def start(name: str) -> Report:
        return Report(command=name, at=_now(), machine=machine())

    with stoppable(unfinished=True), running_place(os.environ, _teller()) as place:
        reports = run(place, Plan(scans, pairs, facilities, only), start)
        for name, ratio in goals().items():
            click.echo(f"{name}: {'–' if ratio is None else ratio}")
        for report in reports:
            for name, reason in report.not_run.items():
                click.echo(f"{name}: not run: {reason}")


@bench.command()
@click.option("--rate", type=click.IntRange(min=1), default=2_222, show_default=True, help="Scans a second.")
@click.option("--seconds", type=click.IntRange(min=5), default=60, show_default=True)
def latency(rate: int, seconds: int) -> None:
    """Send scans at a steady rate into the topic; from acknowledged to committed and visible."""
    from bench.latency import Plan, run
    from bench.place import running_place

    with _measured("latency") as (report, say), running_place(os.environ, say) as place:
        run(place, Plan(rate, seconds), report)


@bench.command()
@click.option(
    "--scans", type=click.IntRange(min=2_000), default=50_000, show_default=True, help="Folded at each point."
)
@click.option("--pairs", type=click.IntRange(min=1), default=3, show_default=True, help="How often each is run.")
def growth(scans: int, pairs: int) -> None:
    """Grow facilities, persons and history, and add a second worker."""
    from bench.growth import Plan, run
    from bench.place import running_place

    with _measured("growth") as (report, say), running_place(os.environ, say) as place:
        run(place, Plan(scans, pairs), report)


@bench.command()
@click.option("--seconds", type=click.IntRange(min=2), default=15, show_default=True, help="Of each step.")
def gate(seconds: int) -> None:
    """Ask the gate at constant rates, single scans and a hundred to a request, until it no longer keeps up."""
    from bench.front import running_front
    from bench.gate import Plan, run

    with _measured("gate") as (report, say):
        epoch_ms = time.time_ns() // 1_000_000
        with running_front(epoch_ms, say, everything=False) as front:
            run(front, Plan(seconds), report, say)


@bench.command(name="peak-day")
@click.option("--rate", type=click.IntRange(min=10), default=2_222, show_default=True, help="Scans a second.")
@click.option("--seconds", type=click.IntRange(min=10), default=60, show_default=True, help="3,600 is the whole day.")
@click.option("--batch", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Scans in a request.")
def peak_day(rate: int, seconds: int, batch: int) -> None:
    """Send 8,000,000 scans through the gate in an hour, or a slice of it, with everything on this machine."""
    from bench.front import running_front
    from bench.peak import Plan, run

    with _measured("peak-day") as (report, say):
        epoch_ms = time.time_ns() // 1_000_000
        with running_front(epoch_ms, say, everything=True) as front:
            run(front, Plan(rate, seconds, batch), report, say)


@bench.command()
@click.option("--rate", type=click.IntRange(min=10), default=500, show_default=True, help="Scans a second.")
@click.option("--minutes", type=click.IntRange(min=1), default=30, show_default=True)
@click.option("--persons", type=click.IntRange(min=1_000), default=100_000, show_default=True, help="Who come in turn.")
def steady(rate: int, minutes: int, persons: int) -> None:
    """Send at a constant rate with everything on, and watch what every process keeps in memory."""
    from bench.front import running_front
    from bench.steady import Plan, run

    with _measured("steady") as (report, say):
        epoch_ms = time.time_ns() // 1_000_000
        with running_front(epoch_ms, say, everything=True) as front:
            run(front, Plan(rate, minutes, persons), report, say)


@bench.command()
@click.option("--positives", type=click.IntRange(min=1), default=60, show_default=True, help="In each round.")
@click.option("--rate", type=click.IntRange(min=10), default=2_222, show_default=True, help="Scans a second.")
def notice(positives: int, rate: int) -> None:
    """Report positives, alone and beside scans at a constant rate; until the health office has read the alert."""
    from bench.front import running_front
    from bench.notice import Plan, run

    with _measured("notice") as (report, say):
        epoch_ms = time.time_ns() // 1_000_000
        with running_front(epoch_ms, say, everything=True) as front:
            run(front, Plan(positives, rate), report, say)


@bench.command()
@click.option(
    "--visits", type=click.IntRange(min=20_000), default=200_000, show_default=True, help="10,000,000 in full."
)
@click.option("--cases", type=click.IntRange(min=1), default=1_000, show_default=True, help="At once; 10,000 in full.")
@click.option("--traces", type=click.IntRange(min=10), default=100, show_default=True, help="One after the other.")
@click.option("--pairs", type=click.IntRange(min=1), default=3, show_default=True, help="How often each is run.")
@click.option("--only", multiple=True, type=click.Choice(["online", "many", "pairs", "growth"]), help="A group.")
def trace(visits: int, cases: int, traces: int, pairs: int, only: tuple[str, ...]) -> None:
    """Trace the same cases with everybody in turn: online, many at once, all pairs of a week, and as visits grow."""
    from bench.figures import Report, machine
    from bench.trace.run import Plan, run

    def start(name: str) -> Report:
        return Report(command=name, at=_now(), machine=machine())

    with stoppable(unfinished=True):
        for found in run(Plan(visits, cases, traces, pairs, only), start, _teller(), os.environ):
            for name, reason in found.not_run.items():
                click.echo(f"{name}: not run: {reason}")


@bench.command()
def report() -> None:
    """Write docs/performance.md and its plots from bench/results."""
    from bench.report import write_page

    for path in write_page():
        click.echo(path)


@contextmanager
def _measured(command: str) -> "Iterator[tuple[Report, Callable[[str], None]]]":
    """Yield a report to fill and a way to tell progress; the report is written at the end unless it is interrupted."""
    from bench.figures import Report, machine, write_report

    begin, say = time.monotonic(), _teller()
    report = Report(command=command, at=_now(), machine=machine())
    with stoppable(unfinished=True):
        yield report, say
        report.seconds = round(time.monotonic() - begin, 1)
        say(f"written to {write_report(report)}")


def _teller() -> Callable[[str], None]:
    """Return a way to tell progress, with the seconds since now."""
    begin = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - begin:7.1f} s  {line}", err=True)

    return say


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
