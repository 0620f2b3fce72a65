"""`jejak accounts`: people who sign in: invited with a link that lasts a day, listed, begun again, closed."""

import getpass
from datetime import UTC, datetime

import click

from ops.demo.accounts import demo_code
from ops.embedded import running_settings
from ops.services import gate_url
from ops.store import OPERATOR, transaction
from portal.accounts import store
from portal.accounts.accounts import ROLES, checked_email, invite, renew
from portal.store import append_audit
from schemas.errors import NotFound
from schemas.settings import Settings


@click.group()
def accounts() -> None:
    """Invite, list, renew and close accounts, e.g. `jejak accounts invite --role ministry --email a@b.id --name A`."""


@accounts.command("invite")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--area", default="", help="Of an office or epidemiologist: 36 a province, 36.71 a district, or all.")
@click.option("--facility", "facilities", multiple=True, help="Of a manager or officer; can be repeated.")
@click.pass_obj
def invite_somebody(
    settings: Settings, email: str, name: str, role: str, area: str, facilities: tuple[str, ...]
) -> None:
    """Make an account and print the link that activates it; it lasts 24 hours and works once."""
    settings = running_settings(settings)
    with transaction(settings, OPERATOR) as conn:
        link = invite(
            conn,
            email=email,
            name=name,
            role=role,
            area=area,
            facilities=facilities,
            url=settings.public_url or gate_url(settings),
        )
    click.echo(link)


@accounts.command("list")
@click.pass_obj
def list_accounts(settings: Settings) -> None:
    """List the accounts, closed ones too."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        for one in store.list_accounts(conn):
            scope = one.area or ",".join(one.facilities)
            click.echo(f"{one.email}\t{one.role}\t{scope}\t{'active' if one.is_active else 'not active'}\t{one.name}")


@accounts.command("code")
@click.argument("email")
@click.pass_obj
def code(settings: Settings, email: str) -> None:
    """Print a fresh code of a demo account's second factor; of any other account it is refused."""
    settings = running_settings(settings)
    click.echo(demo_code(settings, checked_email(email), datetime.now(UTC)))


@accounts.command("renew")
@click.argument("email")
@click.pass_obj
def renew_somebody(settings: Settings, email: str) -> None:
    """Take an account's password and second factor away, also of a closed one, and print a link as for a new one.

    For who lost the telephone that gives the codes. Make sure first who asks.
    """
    settings = running_settings(settings)
    with transaction(settings, OPERATOR) as conn:
        link = renew(conn, email, settings.public_url or gate_url(settings), getpass.getuser())
    click.echo(link)


@accounts.command("close")
@click.argument("email")
@click.pass_obj
def close(settings: Settings, email: str) -> None:
    """Close an account and end its sessions."""
    with transaction(running_settings(settings), OPERATOR) as conn:
        found = store.find_account(conn, checked_email(email))
        if found is None:
            raise NotFound("no account of that address")
        store.close_account(conn, found[0].account_id, datetime.now(UTC))
        append_audit(conn, getpass.getuser(), "account closed", found[0].account_id)
    click.echo("closed")
