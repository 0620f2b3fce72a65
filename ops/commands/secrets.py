"""`jejak secrets`: every password and key of an installation, in files, before its servers first start."""

import click

from ops.secrets import ensure_secret
from ops.store import OWNER, SERVICE_ROLES, SUPERUSER
from portal import identity
from schemas.errors import BadInput, Unavailable
from schemas.settings import Settings
from schemas.topics import SERVICES, office_of, office_user

BROKER_FILES = ("admin", "controller", "cluster")  # cluster: the id that three brokers of one cluster share


@click.command()
@click.option("--areas", multiple=True, metavar="CODE", help="Also for this health office's Kafka user; repeatable.")
@click.pass_obj
def secrets(settings: Settings, areas: tuple[str, ...]) -> None:
    """Make the password and key files that are missing, e.g. `JEJAK_SECRETS=secrets jejak secrets --areas 36.71`.

    What is there stays: run it again after an upgrade. Lose the folder, and vault and dead letters cannot be read.
    """
    try:
        number = make_secrets(settings, areas)
    except OSError as error:
        raise Unavailable(f"cannot write in {settings.secrets_dir}: {error.strerror}") from error
    click.echo(f"{number} files in {settings.secrets_dir}, readable by you alone")


def make_secrets(settings: Settings, areas: tuple[str, ...] = ()) -> int:
    """Make every file that is missing; return how many there are now."""
    users = (*BROKER_FILES, *SERVICES, *(office_user(_office(area)) for area in areas))
    for user in users:
        ensure_secret(settings, "kafka", user)
    for role in (SUPERUSER, OWNER, *SERVICE_ROLES):
        ensure_secret(settings, "database", role)
    ensure_secret(settings, "seal", "dead-letters")
    identity.make_keys(settings.secrets_dir / "vault")
    return sum(path.is_file() for path in settings.secrets_dir.rglob("*"))


def _office(area: str) -> str:
    try:
        return office_of(area)
    except ValueError as error:
        raise BadInput(str(error), field="areas") from error
