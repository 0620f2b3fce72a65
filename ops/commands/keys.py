"""`jejak keys`: who may call the gate. A key is shown once, when it is made."""

import time

import click
from rich.console import Console
from rich.table import Table

from ops.embedded import running_settings
from ops.store import OPERATOR, transaction
from portal import keys as desk
from portal import store
from schemas.settings import Settings

ALWAYS_WIDE = 160  # a key id cut off by a narrow terminal cannot be revoked


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.option("--role", required=True, type=click.Choice(desk.ROLES), help="What the key may do.")
@click.option("--facility", default="", metavar="ID", help="The facility it speaks for (gate, laboratory, import).")
@click.option("--area", default="", metavar="CODE", help="A province (36), a district (36.71) or all.")
@click.option("--name", required=True, metavar="PRINCIPAL", help="Whose it is; approvals need two different ones.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 3650), help="Days until it expires.")
@click.pass_obj
def create(settings: Settings, *, role: str, facility: str, area: str, name: str, days: int) -> None:
    """Make a key; stdout is the key alone, e.g. `jejak keys create --role gate --facility F1 --name "Gate 1"`."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        secret, row = desk.make_key(
            conn, role=role, principal=name, facility=facility, area=area, days=days, demo=settings.demo
        )
    click.echo(
        f"key {row.key_id} of {row.principal}, until {row.expires_at:%Y-%m-%d %H:%M} UTC; shown only now:", err=True
    )
    click.echo(secret)


@keys.command("list")
@click.pass_obj
def show(settings: Settings) -> None:
    """List all keys, without their secrets."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        rows = store.list_keys(conn)
    table = Table("key", "principal", "role", "facility", "area", "expires", "revoked", "demo")
    for row in rows:
        revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else ""
        expires = f"{row.expires_at:%Y-%m-%d %H:%M}"
        demo = "demo" if row.demo else ""
        table.add_row(row.key_id, row.principal, row.role, row.facility, row.area, expires, revoked, demo)
    Console(width=ALWAYS_WIDE).print(table, markup=False)


@keys.command()
@click.argument("key_id")
@click.pass_obj
def revoke(settings: Settings, key_id: str) -> None:
    """Revoke a key; when the command ends, no gate takes it any more."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        desk.revoke(conn, key_id)
    time.sleep(desk.CACHED_S)  # gates remember keys for so long
    click.echo("revoked")
