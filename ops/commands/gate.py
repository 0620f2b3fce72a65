"""`jejak gate`: the HTTP gate as one process, on one address, until it is told to stop."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
import uvicorn

from ops.embedded import running_settings
from ops.processes import begin_service
from ops.secrets import write_private
from portal.app import build_app
from portal.desk import open_desk
from portal.logs import log
from schemas.errors import InvalidSettings
from schemas.network import is_loopback
from schemas.settings import Settings

BACKLOG = 2048
STOP_TIMEOUT_S = 15
GC_THRESHOLD = 20_000
SWITCH_S = 0.001


@click.command()
@click.pass_obj
def gate(settings: Settings) -> None:
    """Listen for scans, results and traces over HTTP; stops on Ctrl-C or SIGTERM."""
    settings = running_settings(settings)
    if not settings.database:
        raise InvalidSettings("no database: start `jejak up`, or name one", field="JEJAK_DATABASE")
    check_exposure(settings)
    begin_service(settings.log_level)
    with take_port(settings.host, settings.port) as taken, open_desk(settings, exposed=is_exposed(settings)) as desk:
        url = f"http://{_reachable(settings.host)}:{taken.getsockname()[1]}"
        config = uvicorn.Config(
            build_app(desk, url),
            loop="uvloop",
            http="httptools",
            ws="none",
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
        )
        _Server(config, url, settings.home / "run" / "gate.json").run([taken])


def check_exposure(settings: Settings) -> None:
    """Raise InvalidSettings where plain HTTP would leave this machine and nobody said that the network is private."""
    if not (is_loopback(settings.host) or settings.private_network):
        raise InvalidSettings(
            "beyond loopback the gate needs a private network with a TLS proxy: JEJAK_PRIVATE_NETWORK=true",
            field="JEJAK_HOST",
        )


def is_exposed(settings: Settings) -> bool:
    """Say whether the gate listens beyond this machine, or its servers are elsewhere."""
    brokers = [server.strip().rpartition(":")[0] for server in settings.kafka.split(",")]
    return not all(map(is_loopback, (settings.host, urlsplit(settings.database).hostname or "", *brokers)))


@contextmanager
def take_port(host: str, port: int) -> Iterator[socket.socket]:
    """Hold the address from before anything else is opened; nobody can connect until the server listens on it.

    Raises:
        InvalidSettings: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
            # Bound with SO_REUSEADDR, two sockets may hold one port until one of them listens.
            taken.listen(BACKLOG)
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.strerror != os.strerror(98):
                raise InvalidSettings(
                    "is no address of this machine that we may listen on", field="JEJAK_HOST"
                ) from error
            raise InvalidSettings(f"port {port} is in use; 0 takes a free one", field="JEJAK_PORT") from error
        yield taken


class _Server(uvicorn.Server):
    """Says where it listens once it does, and ends with exit 0 when told to stop."""

    def __init__(self, config: uvicorn.Config, url: str, record: Path) -> None:
        super().__init__(config)
        self._url = url
        self._record = record

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._record, msgspec.json.encode({"url": self._url, "pid": os.getpid()}).decode())
        log().info("listening", url=self._url, pid=os.getpid())
        _be_steady()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._record.unlink(missing_ok=True)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; unlike uvicorn's own, not raised again afterwards: to stop is no failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):
                loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _be_steady() -> None:
    """Keep the collector off what stays for good, and let the threads to Kafka wait less for the event loop.

    By default a thread that comes back from the network waits up to 5 ms for its turn, several times a record batch.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    sys.setswitchinterval(SWITCH_S)


def _reachable(host: str) -> str:
    """Return how commands on this machine reach a gate that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 — nothing is bound here
    return f"[{host}]" if ":" in host else host
