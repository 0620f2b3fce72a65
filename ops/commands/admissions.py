"""`jejak admissions`: what a hospital's own system knows of its inpatients, through the gate."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import click

from ops.files import read_records, tell
from portal.admissions.rows import OPTIONAL, REQUIRED
from portal.tables import Row, read_table
from producers.gate_client import GateClient, open_gate
from schemas.settings import Settings

PATH = "/v1/admissions"
COLUMNS = (*REQUIRED, *OPTIONAL)
ROWS = 500  # of one request


@click.group()
def admissions() -> None:
    """Import admissions, transfers, discharges and deaths, e.g. `jejak admissions import EVENTS.csv`."""


@admissions.command("import")
@click.argument("path", metavar="[FILE.csv]", required=False, type=click.Path(path_type=Path))
@click.option("--fhir", type=click.Path(path_type=Path), metavar="BUNDLE.json", help="A FHIR R4 bundle instead.")
@click.option("--gate", default="", metavar="URL", help="The gate; default: the one that runs here.")
@click.option("--key-file", default="", metavar="FILE", help="Import key; default: JEJAK_API_KEY_FILE.")
@click.pass_obj
def take_file(settings: Settings, path: Path | None, fhir: Path | None, gate: str, key_file: str) -> None:
    """Send every good record of a file and name every bad one, e.g. `jejak admissions import EVENTS.csv`.

    Bad ones go to stderr, by line and field and never with a value; with any, the exit code is 1. The same file again
    changes nothing; a corrected one takes back what it corrects.
    """
    data = read_records(path, fhir)
    with open_gate(settings, gate, key_file) as client:
        if path is not None:
            results = list(_rows(client, data))
        else:
            results = client.post_file(PATH, data, "application/fhir+json")["results"]
    tell(results, ("new", "changed", "known", "withdrawn", "ignored", "bad"))


def _rows(client: GateClient, data: bytes) -> Iterator[dict[str, Any]]:
    """Send a CSV file in parts; yield the results with the lines of the whole."""
    rows = list(read_table(data, required=REQUIRED, optional=OPTIONAL))
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        good = [row for row in part if row.fault is None]
        answer = client.post_file(PATH, _as_csv(good), "text/csv")["results"] if good else []
        said = iter(answer)
        for row in part:
            yield _bad(row) if row.fault is not None else next(said) | {"line": row.line}


def _as_csv(rows: list[Row]) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([row.cells[column] for column in COLUMNS] for row in rows)
    return text.getvalue().encode()


def _bad(row: Row) -> dict[str, Any]:
    assert row.fault is not None
    return {"line": row.line, "status": "bad", "field": row.fault.field, "reason": row.fault.reason}
