"""`jejak relay`: publishes the outbox; `jejak up` starts and restarts it."""

import click

from ops.embedded import running_settings
from ops.processes import begin_service
from schemas.settings import Settings


@click.command()
@click.pass_obj
def relay(settings: Settings) -> None:
    """Publish what the folds leave in the outbox, until stopped. Several relays share the work."""
    from streams import relay as outgoing

    settings = running_settings(settings)
    begin_service(settings.log_level)
    outgoing.run(settings, settings.home / "run" / "metrics" / "relay.prom")
