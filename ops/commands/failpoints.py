"""`jejak failpoints`: a process dies at every named place and at many statements, by seed; then all is compared."""

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from ops.commands.up import stoppable, tell
from ops.options import Number
from schemas.settings import Settings


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many, each another town.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first.")
@click.option(
    "--statements", type=click.IntRange(min=0), default=12, show_default=True, help="Deaths at numbered statements."
)
@click.option("--minutes", type=Number(min=0.1), help="Begin no other seed after so long.")
@click.pass_context
def failpoints(context: click.Context, seeds: int, seed: int, statements: int, minutes: float | None) -> None:
    """Let processes die at every named place of the workers and the relay, e.g. `jejak failpoints --seeds 50`.

    Two installations get the same records, in one of them somebody dies at each place. Afterwards they are compared
    row by row, and the audit runs. Exit 1 when anything differs. Runs on servers of its own.
    """
    from ops.chaos.points.run import Verdict, prepare, run_seed
    from ops.chaos.points.seed import named
    from ops.embedded import embedded_servers
    from ops.log import set_up_logs
    from ops.migrate import migrate
    from ops.topics import make_topics

    set_up_logs("ERROR")  # what the dying say would be all there is to see
    verdict, began = Verdict(), time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="jejak-failpoints-"))
    home.chmod(0o755)  # PostgreSQL may run as another account, which must pass; what is inside is private
    own = msgspec.structs.replace(Settings(), home=home / "home", demo=True)
    try:
        with stoppable(unfinished=True), embedded_servers(own, tell) as servers:
            migrate(servers.settings)
            make_topics(servers.settings)
            prepare(servers.settings)
            for number in range(seed, seed + seeds):
                run_seed(servers.settings, number, datetime.now(UTC), statements, verdict)
                tell(f"seed {number}: {len(verdict.deaths):,} deaths so far, {len(verdict.differences)} differences")
                if minutes is not None and time.monotonic() - began > minutes * 60:
                    break
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for line in verdict.differences:
        click.echo(line)
    for name, times in named(verdict.deaths):
        click.echo(f"{times:6,} × {name}")
    click.echo(f"{verdict.seeds} seeds, {len(verdict.deaths):,} deaths: {len(verdict.differences)} rows differ")
    if verdict.differences:
        context.exit(1)
