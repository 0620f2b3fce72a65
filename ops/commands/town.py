"""`jejak town`: a day or a month of the synthetic town, as files or through the gate."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import click

from ops.embedded import running_settings
from ops.sending import send_and_tell
from ops.store import OPERATOR, transaction
from portal.facility_file import put_all, read_facilities
from producers.gate_client import open_gate
from producers.gate_scans import BATCH_SCANS, GateScan
from producers.town.files import gate_scan, write_facilities, write_scans, write_subjects
from producers.town.people import Town, build_town
from producers.town.places import TIME_ZONE
from producers.town.scanning import TownScan, town_scans
from schemas.errors import BadInput
from schemas.settings import Settings


@click.command()
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 366), help="How many days.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Another number, another town.")
@click.option("--people", default=20_000, show_default=True, type=click.IntRange(1, 1_000_000), help="Inhabitants.")
@click.option("--facilities", default=400, show_default=True, type=click.IntRange(1, 5_000), help="Facilities.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day; default: so that the last is yesterday.")
@click.option("--out", type=click.Path(path_type=Path), metavar="SCANS.csv", help="Write scans, facilities, subjects.")
@click.option("--send", is_flag=True, help="Send through the gate (an import key, unless no scan is over 30 days old).")
@click.option("--register", is_flag=True, help="Put the town's facilities into the register first.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="API key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def town(
    settings: Settings,
    *,
    days: int,
    seed: int,
    people: int,
    facilities: int,
    start: datetime | None,
    out: Path | None,
    send: bool,
    register: bool,
    gate: str,
    key_file: str,
) -> None:
    """Simulate the town, e.g. `jejak town --days 30 --out SCANS.csv` or `jejak town --register --send`.

    The same seed, sizes and start give the same scans, ids included. Beside SCANS.csv go facilities.csv and
    subjects.csv.
    """
    if not (out or send or register):
        raise BadInput("is needed: --out SCANS.csv, --send or --register", field="--out")
    made = build_town(seed=seed, people=people, facilities=facilities)
    first = start.date() if start else datetime.now(ZoneInfo(TIME_ZONE)).date() - timedelta(days=days)
    with ExitStack() as stack:
        client = stack.enter_context(open_gate(settings, gate, key_file)) if send else None
        if register:
            click.echo(f"{_register(settings, made)} facilities registered")
        if out:
            _write(out, made, town_scans(made, first, days))
        if client:
            send_and_tell(client, _batches(made, town_scans(made, first, days)))


def _write(out: Path, made: Town, scans: Iterator[TownScan]) -> None:
    def tell(rows: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{rows:,} scans written", nl=False, err=True)

    facilities, subjects = out.with_name("facilities.csv"), out.with_name("subjects.csv")
    if out.name in {facilities.name, subjects.name}:
        raise BadInput(f"{out.name} is the name of another of the files", field="--out")
    counts = write_facilities(facilities, made), write_subjects(subjects, made)
    rows = write_scans(out, made, scans, progress=tell)
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    click.echo(f"{rows:,} scans, {counts[0]:,} facilities, {counts[1]:,} subjects")


def _register(settings: Settings, made: Town) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "facilities.csv"
        write_facilities(path, made)
        rows = read_facilities(path)
    with transaction(running_settings(settings), OPERATOR) as conn:
        put_all(conn, rows)
    return len(rows)


def _batches(made: Town, scans: Iterator[TownScan]) -> Iterator[list[GateScan]]:
    bodies = (gate_scan(made, scan) for scan in scans)
    while batch := list(islice(bodies, BATCH_SCANS)):
        yield batch
