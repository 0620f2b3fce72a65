"""`jejak vault`: its keys changed while gates work; two ids of one human joined, and parted again."""

import getpass
from functools import partial

import click

from ops.embedded import running_settings
from ops.reasons import Reason
from ops.store import OPERATOR, transaction
from portal.joins import joins
from portal.joins.store import every as every_join
from portal.privacy.identifiers import person_of, read_identifiers
from portal.store import Connection
from portal.vault.key_files import key_folder, make_key, read_keys
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


@vault.command("join")
@click.option("--reason", type=Reason(), required=True, help="How it is known that they are one human.")
@click.pass_obj
def join(settings: Settings, reason: str) -> None:
    """Ask for two ids of one human to be joined, e.g. `jejak vault join --reason "KITAS became NIK" < identifiers`.

    Standard input has two lines, each a type and a value. A second person approves: `jejak vault approve NUMBER`.
    """
    settings = running_settings(settings)
    with transaction(settings, OPERATOR) as conn:
        one, other = _two_persons(conn, settings)
        number = joins.ask_to_join(conn, one, other, who=getpass.getuser(), reason=reason)
    click.echo(f"join {number} waits for a second person: jejak vault approve {number}")


@vault.command("unjoin")
@click.option("--reason", type=Reason(), required=True, help="Why they are two humans after all.")
@click.pass_obj
def unjoin(settings: Settings, reason: str) -> None:
    """Ask for a join to be undone, e.g. `jejak vault unjoin --reason "two brothers" < identifiers`.

    Standard input as for join. A second person approves; a join that nobody has approved yet is undone at once.
    """
    settings = running_settings(settings)
    with transaction(settings, OPERATOR) as conn:
        one, other = _two_persons(conn, settings)
        found = joins.ask_to_part(conn, one, other, who=getpass.getuser(), reason=reason)
    click.echo(f"join {found.join_id}: {found.state}")


@vault.command("approve")
@click.argument("number", type=click.IntRange(min=1))
@click.pass_obj
def approve(settings: Settings, number: int) -> None:
    """Approve a join, or undoing one, that somebody else asked for, e.g. `jejak vault approve 7`."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        found = joins.approve(conn, number, who=getpass.getuser())
    click.echo(f"join {found.join_id}: {found.state}")


@vault.command("joins")
@click.pass_obj
def list_joins(settings: Settings) -> None:
    """List all joins with where they stand; no identifier is shown."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        for one in every_join(conn):
            click.echo(f"{one.join_id}\t{one.state}\t{one.asked_at:%Y-%m-%d}\t{one.asked_by}\t{one.reason}")


def _two_persons(conn: Connection, settings: Settings) -> tuple[str, str]:
    keys = read_keys(keys_known(conn), key_folder(settings))
    subjects = read_identifiers(click.get_text_stream("stdin"), 2, demo=settings.demo)
    one, other = (person_of(conn, keys, subject) for subject in subjects)
    return one, other
