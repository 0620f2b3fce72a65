"""`jejak secrets`: every password and key of an installation, in files, before its servers first start."""

from collections.abc import Iterable

import click

from ops.commands.topics import read_areas
from ops.secrets import ensure_secret
from ops.store import OWNER, SERVICE_ROLES, SUPERUSER
from portal.posters.keys import PosterKeys
from portal.vault.key_files import key_folder, make_keys
from portal.web.secret_box import open_secret_box, portal_secrets
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import SERVICES, office_of, office_user

BROKER_FILES = ("admin", "controller", "cluster")  # cluster: the id that three brokers of one cluster share


@click.command()
@click.option("--areas", default="", metavar="CODES", help="Health offices' users too: codes like 36,36.71, or all.")
@click.pass_obj
def secrets(settings: Settings, areas: str) -> None:
    """Make the password and key files that are missing, e.g. `JEJAK_SECRETS=secrets jejak secrets --areas 36,36.71`.

    What is there stays: run it again after an upgrade. Lose the folder, and vault and dead letters cannot be read.
    """
    try:
        number = make_secrets(settings, read_areas(areas))
    except OSError as error:
        raise Unavailable(f"cannot write in {settings.secrets_dir}: {error.strerror}") from error
    click.echo(f"{number} files in {settings.secrets_dir}, readable by you alone")


def make_secrets(settings: Settings, areas: Iterable[str] = ()) -> int:
    """Make every file that is missing; return how many there are now."""
    users = (*BROKER_FILES, *SERVICES, *(office_user(office_of(area)) for area in areas))
    for user in users:
        ensure_secret(settings, "kafka", user)
    for role in (SUPERUSER, OWNER, *SERVICE_ROLES):
        ensure_secret(settings, "database", role)
    ensure_secret(settings, "seal", "dead-letters")
    make_keys(key_folder(settings))
    open_secret_box(settings)
    PosterKeys(portal_secrets(settings)).newest()
    return sum(path.is_file() for path in settings.secrets_dir.rglob("*"))
