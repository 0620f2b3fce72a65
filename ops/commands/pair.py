"""`jejak pair`: visits and counts of a file of scans, without any server."""

import sys
from pathlib import Path

import click

from tracing.pair import pair as pair_files


@click.command()
@click.option("--scans", "scans_path", required=True, type=click.Path(path_type=Path), help="S.csv, one scan a row.")
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Folder of the results.")
@click.option("--timezone", "time_zone", default="Asia/Jakarta", show_default=True, help="Of every facility.")
def pair(scans_path: Path, out_dir: Path, time_zone: str) -> None:
    """Pair the scans of a file into visits.csv and counts.csv, e.g. `jejak pair --scans S.csv --out results`."""
    at_terminal = sys.stderr.isatty()

    def tell(rows: int) -> None:
        click.echo(f"\r{rows:,} scans read", nl=False, err=True)

    try:
        done = pair_files(scans_path, out_dir, time_zone, progress=tell if at_terminal else None)
    finally:
        if at_terminal:
            click.echo("\r\033[K", nl=False, err=True)  # so that an error stands alone on its line
    click.echo(
        f"{done.scans:,} scans of {done.persons:,} persons: {done.visits:,} visits, {done.hours:,} hours of facilities"
    )
