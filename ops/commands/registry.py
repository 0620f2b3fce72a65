"""`jejak registry`: vaccination certificates from other registers' files."""

import csv
import getpass
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from ops.embedded import running_settings
from ops.store import transaction
from portal.identity import open_vault
from portal.registry.importing import Result, batches, good, judge, results_of
from portal.registry.store import Source
from portal.registry.taking import take
from portal.store import ROLE
from schemas.errors import BadInput
from schemas.settings import Settings

SOME_BAD = 1


@click.group()
def registry() -> None:
    """Import records of vaccinations, e.g. `jejak registry import RECORDS.csv`."""


@registry.command("import")
@click.argument("path", metavar="[FILE.csv]", required=False, type=click.Path(path_type=Path))
@click.option("--fhir", type=click.Path(path_type=Path), metavar="BUNDLE.json", help="A FHIR R4 bundle instead.")
@click.option(
    "--results", "results_path", type=click.Path(path_type=Path), metavar="FILE", help="Also write each row's result."
)
@click.pass_obj
def take_file(settings: Settings, path: Path | None, fhir: Path | None, results_path: Path | None) -> None:
    """Take every good record of a file and name every bad one, e.g. `jejak registry import RECORDS.csv`.

    Bad ones go to stderr, by line and field and never with a value; with any, the exit code is 1. The same file again
    changes nothing.
    """
    if (path is None) == (fhir is None):
        raise BadInput("either a CSV file or a FHIR bundle is needed", field="--fhir")
    source: Source = "csv" if path is not None else "fhir"
    results = _take(running_settings(settings), source, _read(path or fhir))
    if results_path is not None:
        _write(results_path, source, results)
    for one in results:
        if one.status == "bad":
            place = f"line {one.line}" if source == "csv" else f"entry {one.entry}"
            click.echo(f"jejak: {place}, field {one.field}: {one.reason}", err=True)
    counted = Counter(one.status for one in results)
    click.echo(", ".join(f"{counted[name]} {name}" for name in ("new", "changed", "known", "withdrawn", "bad")))
    if counted["bad"]:
        sys.exit(SOME_BAD)


def _take(settings: Settings, source: Source, data: bytes) -> list[Result]:
    results: list[Result] = []
    judged = judge(source, data, datetime.now(UTC), demo=settings.demo)
    for group in batches(judged):
        outcomes = []
        if records := good(group):
            with transaction(settings, ROLE) as conn:
                outcomes = take(conn, open_vault(conn, settings), records, getpass.getuser(), source)
        results += results_of(source, group, outcomes)
    return results


def _read(path: Path | None) -> bytes:
    assert path is not None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field="FILE") from error


def _write(path: Path, source: Source, results: list[Result]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["line" if source == "csv" else "entry", "status", "field", "reason"])
            for one in results:
                writer.writerow([one.line if source == "csv" else one.entry, one.status, one.field, one.reason])
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--results") from error
