"""`jejak posters`: the posters that hang at a facility's gates, and the keys that sign them."""

import click

from ops.embedded import running_settings
from ops.services import gate_url
from ops.store import OPERATOR, transaction
from portal.posters import gates
from portal.posters.keys import PosterKeys, add_key
from portal.web.secret_box import portal_secrets
from schemas.settings import Settings


@click.group()
def posters() -> None:
    """List posters and make a new signing key, e.g. `jejak posters list RS-A`."""


@posters.command("list")
@click.argument("facility")
@click.pass_obj
def list_posters(settings: Settings, facility: str) -> None:
    """List the posters that count at a facility now: gate, name, version, and the link in the QR code."""
    settings = running_settings(settings)
    keys = PosterKeys(portal_secrets(settings))
    with transaction(settings, OPERATOR) as conn:
        for one in gates.sheets_of(conn, keys, facility, settings.public_url or gate_url(settings)):
            click.echo(f"{one.code}\t{one.kind.value}\t{one.name}\tv{one.version}\t{one.link}")


@posters.command("new-key")
@click.pass_obj
def new_key(settings: Settings) -> None:
    """Make the next key: versions made from now on are signed by it, older posters stay good.

    Take a key's file away to end every poster it signed, and issue these again.
    """
    click.echo(add_key(portal_secrets(running_settings(settings))))
