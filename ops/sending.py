"""Sends scans through the gate for a command: a progress line on a terminal, a summary, a clean end on Ctrl-C."""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from producers.gate_client import GateClient
from producers.gate_scans import GateScan, Sent, send_batches

INTERRUPTED = 130
TICK_S = 0.2


def send_and_tell(client: GateClient, batches: Iterable[list[GateScan]], total: int | None = None) -> Sent:
    """Send all batches and print one line of what became of them; exit 130 when interrupted."""
    sent = Sent()
    try:
        with _progress(sent, total):
            send_batches(client, batches, sent=sent)
    except KeyboardInterrupt:
        click.echo(f"stopped: {sent.line()}", err=True)
        sys.exit(INTERRUPTED)
    click.echo(sent.line())
    return sent


@contextmanager
def _progress(sent: Sent, total: int | None) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    columns = TextColumn("scans"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    done = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scans", total=total)

        def watch() -> None:
            while not done.wait(TICK_S):
                progress.update(task, completed=sent.accepted + sent.invalid)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
