"""`jejak up`: everything an installation needs, in the foreground, kept running until Ctrl-C or SIGTERM."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click
import httpx

from ops.embedded import Servers, embedded_servers
from ops.migrate import migrate
from ops.services import gate_url, service_groups
from ops.store import areas_of_facilities
from ops.supervisor import Service, Supervisor
from ops.topics import make_topics
from schemas.errors import Unavailable
from schemas.settings import Settings

__all__ = ["gate_url", "prepare", "running_installation", "stoppable", "up"]
READY_TIMEOUT_S = 60.0


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run broker, database, gate, workers and relay here; what dies is started again.

    Servers named by JEJAK_KAFKA and JEJAK_DATABASE are used instead of embedded ones.
    """
    with stoppable(), running_installation(settings, tell) as (servers, supervisor):
        tell(f"ready: {gate_url(servers.settings)} — Ctrl-C stops everything")
        supervisor.run(until=lambda: False)


@contextmanager
def running_installation(settings: Settings, say: Callable[[str], None]) -> Iterator[tuple[Servers, Supervisor]]:
    """Run servers and services; yields once the gate is ready to serve. All is stopped at the end, in order.

    The caller goes on to call `Supervisor.tick` or `run`, or nothing that dies is started again.

    Raises:
        Unavailable: a service refuses to run, or the gate is not ready in time.
    """
    with embedded_servers(settings, say) as servers:
        prepare(servers.settings, say)
        groups = service_groups(servers.settings)
        supervisor = Supervisor([*groups, list(servers.daemons.values())], say)
        try:
            supervisor.start()
            say("starting " + ", ".join(service.name for group in reversed(groups) for service in group))
            wait_ready(servers.settings, supervisor)
            yield servers, supervisor
        finally:
            supervisor.stop()


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring tables, topics, users and access rules to what this version needs."""
    done = migrate(settings)
    if done:
        say(f"tables: ran {', '.join(done)}")
    new = make_topics(settings, areas_of_facilities(settings))
    if new:
        say(f"topics: made {len(new)}")


def wait_ready(settings: Settings, supervisor: Supervisor, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Look after the services until the gate says that it can serve."""
    deadline = time.monotonic() + timeout_s
    reached = False

    def is_over() -> bool:
        nonlocal reached
        reached = _answers(settings)
        return reached or time.monotonic() > deadline

    supervisor.run(until=is_over)
    if isinstance(supervisor.refused, Service):
        words = supervisor.refused.last_words().removeprefix("jejak: ")
        raise Unavailable(f"{supervisor.refused.name} does not run: {words}")
    if not reached:
        raise Unavailable(f"the gate is not ready after {timeout_s:.0f} s; see {settings.home / 'logs'}")
    supervisor.is_ready = True


@contextmanager
def stoppable(*, unfinished: bool = False) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end the block, quietly; later ones do not disturb the stopping.

    `unfinished`: it was stopped before it had done what it was asked for, and the process says so by its exit code.
    """
    asked = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        tell("stopped")
        if unfinished:
            raise click.Abort from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(line: str) -> None:
    """Print a progress line where it does not mix with answers."""
    click.echo(f"jejak: {line}", err=True)


def _answers(settings: Settings) -> bool:
    try:
        return httpx.get(f"{gate_url(settings)}/readyz", timeout=2).is_success
    except (httpx.HTTPError, Unavailable):
        return False
