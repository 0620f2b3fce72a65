"""`jejak registry`: vaccination certificates from other registers' files."""

import csv
import getpass
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from ops.embedded import running_settings
from ops.files import read_records, tell
from ops.store import transaction
from portal.identity import open_vault
from portal.registry.importing import Result, batches, good, judge, results_of
from portal.registry.store import Source
from portal.registry.taking import take
from portal.store import ROLE
from schemas.errors import BadInput
from schemas.settings import Settings


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
    data = read_records(path, fhir)
    source: Source = "csv" if path is not None else "fhir"
    results = _take(running_settings(settings), source, data)
    if results_path is not None:
        _write(results_path, source, results)
    tell(msgspec.to_builtins(results), ("new", "changed", "known", "withdrawn", "bad"))


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


def _write(path: Path, source: Source, results: list[Result]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["line" if source == "csv" else "entry", "status", "field", "reason"])
            for one in results:
                writer.writerow([one.line if source == "csv" else one.entry, one.status, one.field, one.reason])
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", field="--results") from error
