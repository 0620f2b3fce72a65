"""`jejak vault`: its keys changed while gates work; two ids of one human joined, and parted again."""

import getpass
from functools import partial

import click

from ops.embedded import running_settings
from ops.store import OPERATOR, transaction
from portal.vault.key_files import key_folder, make_key
from portal.vault.rotation import rotate as rotate_key
from portal.vault.store import Purpose
from portal.vault.store import keys as keys_known
from schemas.settings import Settings


@click.group()
def vault() -> None:
    """Change the vault's keys; join two ids of one human."""


@vault.command("keys")
@click.pass_obj
def show_keys(settings: Settings) -> None:
    """List the keys that are in use, coming or going, by purpose and version."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        for key in keys_known(conn):
            click.echo(f"{key.purpose}-{key.version} {key.state}")


@vault.command("rotate")
@click.option("--index", "purpose", flag_value="index", help="The key that persons are found by.")
@click.option("--master", "purpose", flag_value="master", help="The key that wraps each person's own.")
@click.option("--only-make", is_flag=True, help="Make the new key's file, to be copied to other gates' machines first.")
@click.pass_obj
def rotate(settings: Settings, purpose: str | None, *, only_make: bool) -> None:
    """Put a new key in the place of one in use, e.g. `jejak vault rotate --index`; gates go on taking scans.

    Killed, it goes on where it was when it is run again. At the end the old key's file ends in `.retired`.
    """
    if purpose is None:
        raise click.UsageError("say --index or --master")
    name: Purpose = "index" if purpose == "index" else "master"
    settings = running_settings(settings)
    transact, folder = partial(transaction, settings, OPERATOR), key_folder(settings)
    if only_make:
        with transact() as conn:
            version = 1 + max((key.version for key in keys_known(conn) if key.purpose == name), default=0)
        make_key(folder, name, version)
        click.echo(f"made {name}-{version}")
        return
    old = rotate_key(name, transact, folder, getpass.getuser(), click.echo)
    click.echo(f"old key: {old.name}; destroy it when no backup from before is left")
