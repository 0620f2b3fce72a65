"""Files of records that several commands bring in, as CSV or FHIR, and what they say of each record."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from schemas.errors import BadInput

SOME_BAD = 1


def read_records(path: Path | None, fhir: Path | None) -> bytes:
    """Return what a command is to bring in: of its two files there is one.

    Raises:
        BadInput: there are both or none, or it cannot be read.
    """
    if (path is None) == (fhir is None):
        raise BadInput("either a CSV file or a FHIR bundle is needed", field="--fhir")
    try:
        return (path or fhir or Path()).read_bytes()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field="FILE") from error


def tell(results: Sequence[Mapping[str, Any]], statuses: Sequence[str]) -> None:
    """Name every bad record on stderr, count all by status on stdout, and end with 1 where any was bad."""
    for one in results:
        if one["status"] == "bad":
            place = f"line {one['line']}" if "line" in one else f"entry {one['entry']}"
            click.echo(f"jejak: {place}, field {one['field']}: {one['reason']}", err=True)
    counted = Counter(one["status"] for one in results)
    click.echo(", ".join(f"{counted[status]} {status}" for status in statuses))
    if counted["bad"]:
        sys.exit(SOME_BAD)
