"""`jejak migrate`: roles, database and tables brought to what this version needs."""

import click

from ops.embedded import running_settings
from ops.migrate import migrate as bring_up
from schemas.settings import Settings


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Make or update the database's roles and tables; may be run again. Stop the services before an upgrade."""
    done = bring_up(running_settings(settings))
    click.echo(f"ran {', '.join(done)}" if done else "nothing to do: the tables are the newest")
