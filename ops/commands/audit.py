"""`jejak audit`: what is stored and told, computed again and compared. 0: all is well; 1: something differs."""

import time
from contextlib import closing
from typing import Final

import click
import msgspec

from ops.audit.findings import CHECKS, Difference, Findings
from ops.audit.run import audit as run_audit
from ops.audit.watch import Watch
from ops.commands.up import stoppable, tell
from ops.embedded import running_settings
from ops.options import Number
from schemas.errors import Unavailable
from schemas.settings import Settings

DIFFERS: Final = 1
TELL_EVERY_S: Final = 5.0


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(CHECKS)), help="Run this check; may be given again.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per difference, and one for the whole at the end."
)
@click.option(
    "--watch",
    "every_s",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Begin again so long after each end; never exits by itself.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9464,
    show_default=True,
    help="With --watch: where Prometheus reads, on this machine only; 0 takes a free one.",
)
@click.option(
    "--wait",
    "wait_s",
    type=Number(min=0),
    default=30.0,
    show_default=True,
    help="Seconds the relay is given for what waits.",
)
@click.pass_context
def audit(
    ctx: click.Context, only: tuple[str, ...], every_s: int | None, port: int, wait_s: float, *, as_json: bool
) -> None:
    """Compute everything again and compare, e.g. `jejak audit --only visits`.

    Reads one snapshot of the database and the topics, changes nothing, and prints each row that differs. Exit 1 when
    there is one.
    """
    settings = running_settings(ctx.obj)
    checks = only or tuple(CHECKS)
    if every_s is None:
        findings = _once(settings, checks, wait_s, as_json=as_json)
        ctx.exit(DIFFERS if findings.differences else 0)
    with stoppable(), closing(Watch(port)) as watch:
        tell(f"audit: metrics at {watch.url}")
        while True:
            try:
                watch.show(_once(settings, checks, wait_s, as_json=as_json))
            except Unavailable as error:
                tell(f"audit: {error}; tried again in {every_s} s")
            time.sleep(every_s)


def _once(settings: Settings, checks: tuple[str, ...], wait_s: float, *, as_json: bool) -> Findings:
    began = time.monotonic()
    findings = Findings(checks, _print_json if as_json else _print)
    run_audit(settings, findings, wait_s=wait_s, say=_Progress())
    _print_end(findings, time.monotonic() - began, as_json=as_json)
    return findings


class _Progress:
    """Passes a line on when the last one is old enough."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, line: str) -> None:
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            self._told_at = time.monotonic()
            tell(f"audit: {line}")


def _print(found: Difference) -> None:
    click.echo(f"{found.check}: {found.row}: {found.what}")


def _print_json(found: Difference) -> None:
    click.echo(msgspec.json.encode(found).decode())


def _print_end(findings: Findings, seconds: float, *, as_json: bool) -> None:
    if as_json:
        whole = {"checks": findings.checks, "differences": findings.differences, "seconds": round(seconds, 3)}
        click.echo(msgspec.json.encode(whole).decode())
        return
    for name, check in findings.checks.items():
        note = f" ({check.note})" if check.note else ""
        click.echo(f"{name:<13} {check.compared:>12,} compared, {check.differences:>8,} differ{note}")
    click.echo("all is well" if not findings.differences else f"{findings.differences:,} differences")
