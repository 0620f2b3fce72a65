"""Is the process alive, can it do its work, and its numbers. No key is needed; `/metrics` beyond loopback needs one."""

import asyncio
import ipaddress
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from portal.desk import check_installation, desk_of
from portal.keys import Keyring
from schemas.errors import JejakError

PROBE_TIMEOUT_S: Final = 2.0
METRICS_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    alive: bool = True


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests can be served, and why not."""

    ready: bool
    reasons: list[str]


@get("/healthz")
async def healthz() -> Health:
    """Say that the process lives; asks nobody else."""
    return Health()


@get("/readyz")
async def readyz(request: Request[Any, Any, State]) -> Response[Readiness]:
    """Say whether broker and database answer and are this installation's; 503 with the reasons if not."""
    desk = desk_of(request)
    reasons = [*await _broker_reasons(desk.settings.kafka)]
    try:
        await asyncio.wait_for(desk.read(check_installation, desk.settings), PROBE_TIMEOUT_S)
    except JejakError as error:
        reasons.append(str(error))
    except TimeoutError:
        reasons.append("the database does not answer")
    return Response(Readiness(ready=not reasons, reasons=reasons), status_code=503 if reasons else 200)


@get("/metrics", media_type=METRICS_TYPE)
async def metrics(request: Request[Any, Any, State]) -> Response[bytes]:
    """Return the process's numbers for Prometheus: on loopback, or with any API key."""
    desk = desk_of(request)
    if not _is_local(request):
        keyring: Keyring = desk.keyring
        await keyring.identify(request.headers.get("authorization"), _address(request))
    return Response(desk.measures.text(), media_type=METRICS_TYPE)


async def _broker_reasons(servers: str) -> list[str]:
    """Return why not one of the brokers can be reached; that it lets us in was seen when the gate started."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), PROBE_TIMEOUT_S)
        except (OSError, TimeoutError, ValueError):
            continue
        writer.close()
        return []
    return ["the broker does not answer"]


def _is_local(request: Request[Any, Any, State]) -> bool:
    """A proxy on this machine is not the caller: what it passes on counts as from outside."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(_address(request)).is_loopback
    except ValueError:
        return False


def _address(request: Request[Any, Any, State]) -> str:
    return request.client.host if request.client else ""
