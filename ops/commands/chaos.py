"""`jejak chaos`: an installation of its own, everything in it killed by seed, and an oracle that compares."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import click
import msgspec

from ops.chaos.page import page_of
from ops.chaos.report import report_of
from ops.chaos.run import Order, run_chaos
from ops.chaos.schedule import KINDS
from ops.commands.up import stoppable, tell
from ops.options import Number
from schemas.errors import BadInput
from schemas.settings import Settings

REPORTS: Final = ("report.json", "report.html")
BATCH_MOST: Final = 900  # scans of a request, to which some are added; the gate takes 1,000


@click.command()
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed, the same faults."
)
@click.option("--minutes", type=Number(min=0.3), default=3.0, show_default=True, help="Minutes of load.")
@click.option("--faults", default=",".join(KINDS), show_default=True, metavar="KIND,…", help="Which faults, by name.")
@click.option("--scans", type=click.IntRange(min=0), default=0, help="Stop the load after so many accepted scans.")
@click.option("--rate", type=click.IntRange(min=1), default=500, show_default=True, help="Scans a second, at most.")
@click.option(
    "--kills", type=click.IntRange(min=0), default=0, help="At least so many kills, closer together if need be."
)
@click.option(
    "--poison", type=click.IntRange(min=1), default=1_000, show_default=True, help="Unusable records, in all."
)
@click.option("--positives", type=click.IntRange(min=0), default=6, show_default=True, help="Cases flagged at the end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("chaos"),
    show_default=True,
    metavar="DIR",
    help="Folder for the witness logs, report.json and report.html.",
)
@click.option("--keep", is_flag=True, help="Keep the installation's folder, to look at it.")
@click.pass_obj
def chaos(
    settings: Settings,
    *,
    seed: int,
    minutes: float,
    faults: str,
    scans: int,
    rate: int,
    kills: int,
    poison: int,
    positives: int,
    out: Path,
    keep: bool,
) -> None:
    """Kill, stop, cut and poison an installation by seed, e.g. `jejak chaos --seed 7 --minutes 3 --faults kill,net`.

    A witness writes down what the gate promised; an oracle of its own code then compares every row. Exit 1 when
    anything differs.
    """
    kinds = read_kinds(faults)
    if kills and "kill" not in kinds:
        raise BadInput("goes with kill among --faults", field="--kills")
    make_room(out)
    order = Order(
        seed=seed,
        seconds=minutes * 60,
        kinds=kinds,
        out=out,
        kills_min=kills,
        scans_per_s=rate,
        scans_max=scans,
        batch_max=min(BATCH_MOST, max(40, rate // 5)),
        poison=poison,
        wards=positives,
    )
    home = Path(tempfile.mkdtemp(prefix="jejak-chaos-"))
    home.chmod(0o755)  # PostgreSQL may run as another account, which must pass; what is inside is private
    try:
        with stoppable(unfinished=True):
            verdict, facts = run_chaos(msgspec.structs.replace(settings, home=home / "home"), order, tell)
            report = report_of(verdict, facts)
            (out / REPORTS[0]).write_text(json.dumps(report, indent=1))
            (out / REPORTS[1]).write_text(page_of(report))
            click.echo(summary_of(report))
            for line in verdict.differences:
                click.echo(line)
            if verdict.differences:
                click.get_current_context().exit(1)
    finally:
        if keep:
            tell(f"the installation is kept in {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def read_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of faults named.

    Raises:
        BadInput: one is none of them, or none is named.
    """
    kinds = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not kinds or not set(kinds) <= set(KINDS):
        raise BadInput(f"is none of {', '.join(KINDS)}", field="--faults")
    return kinds


def make_room(out: Path) -> None:
    """Make the folder of the report, without that of an earlier run: it would be taken for this one's.

    Raises:
        BadInput: nothing can be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in REPORTS:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--out") from error
    if not os.access(out, os.W_OK):
        raise BadInput("cannot be written", field="--out")


def summary_of(report: dict[str, object]) -> str:
    """Return the run in one line."""
    verdict, witness, kills, recovery = (report[name] for name in ("verdict", "witness", "kills", "recovery_s"))
    assert isinstance(verdict, dict)
    assert isinstance(witness, dict)
    assert isinstance(kills, dict)
    assert isinstance(recovery, dict)
    return (
        f"{witness['scans_accepted']:,} scans accepted, {sum(kills.values())} kills:"
        f" {verdict['lost']} lost, {verdict['double']} double, {verdict['wrong']} wrong;"
        f" recovery p50 {recovery['p50']} s, p95 {recovery['p95']} s, most {recovery['max']} s"
    )
