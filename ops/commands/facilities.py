"""`jejak facilities`: the register of hospitals, puskesmas, clinics and laboratories."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ops.embedded import running_settings
from ops.store import OPERATOR, transaction
from portal import store
from portal.facility_file import put_all, read_facilities
from schemas.settings import Settings


@click.group()
def facilities() -> None:
    """Import and list facilities."""


@facilities.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.pass_obj
def take(settings: Settings, path: Path) -> None:
    """Add or change facilities: columns facility_id, name, kind, owner, time_zone, district. All rows or none.

    Kind and time zone never change: a facility that moves gets a new id.
    """
    rows = read_facilities(path)
    with transaction(running_settings(settings), OPERATOR) as conn:
        put_all(conn, rows)
    click.echo(f"{len(rows)} facilities")


@facilities.command("list")
@click.pass_obj
def show(settings: Settings) -> None:
    """List all facilities."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        rows = store.list_facilities(conn)
    table = Table("id", "name", "kind", "owner", "time zone", "district")
    for row in rows:
        table.add_row(row.facility_id, row.name, row.kind, row.owner, row.time_zone, row.district)
    Console().print(table, markup=False)
