"""`jejak schemas`: what other programs need to read our topics."""

import json
from pathlib import Path
from typing import Any

import click

from schemas.errors import BadInput
from schemas.export import asyncapi, json_schemas
from schemas.version import VERSION


@click.group()
def schemas() -> None:
    """Shapes of the events, for other programs."""


@schemas.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def export(folder: Path) -> None:
    """Write one JSON Schema per event and asyncapi.json to DIR, e.g. `jejak schemas export out`."""
    if folder.exists() and not folder.is_dir():
        raise BadInput("is a file", field="DIR")
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in json_schemas().items():
        _write(folder / f"{name}.schema.json", schema)
    _write(folder / "asyncapi.json", asyncapi(VERSION))
    click.echo(f"{len(json_schemas())} events and asyncapi.json in {folder}")


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
