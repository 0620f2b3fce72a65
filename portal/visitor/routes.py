"""What a visitor's phone calls: JSON below `/visitor/`, without a key of ours; its own signature says who asks."""

from typing import Any, Final

from litestar import Request, Response, post
from litestar.datastructures import State

from portal.openapi import refusals, with_body
from portal.visitor import binding, gates, owners, syncing
from portal.visitor.limited import What
from portal.visitor.shapes import (
    ClaimAnswer,
    ClaimBody,
    ConfirmAnswer,
    ConfirmBody,
    DeviceBody,
    EraseAnswer,
    GateAnswer,
    GateBody,
    GateRefusal,
    MeAnswer,
    OfficerCodeAnswer,
    OtpAnswer,
    ScansAnswer,
    ScansBody,
    read,
)
from portal.visitor.store import Device
from portal.visitor.visitors import Visitors, visitors_of

PhoneRequest = Request[Any, Any, State]


@post("/visitor/gate", status_code=200, operation_class=with_body(GateBody), responses=refusals())
async def post_gate(request: PhoneRequest) -> Response[GateAnswer | GateRefusal]:
    """Say what a poster stands for, before anybody confirms that he is there."""
    answer = await gates.look(_asked(request), read(GateBody, await request.body()))
    return Response(answer, status_code=422 if isinstance(answer, GateRefusal) else 200)


@post("/visitor/claim", status_code=200, operation_class=with_body(ClaimBody), responses=refusals(409))
async def post_claim(request: PhoneRequest) -> ClaimAnswer:
    """Take who a phone's owner says he is: it proves nothing, and the answer is the same whoever he is."""
    visitors = _asked(request)
    visitors.limited.take("claim", _address(request))
    return await owners.claim(visitors, read(ClaimBody, await request.body()))


@post("/visitor/otp", status_code=202, operation_class=with_body(DeviceBody), responses=refusals())
async def post_otp(request: PhoneRequest) -> OtpAnswer:
    """Send a code to the number that the registry holds; the answer is the same if it holds none."""
    visitors, device = await _device(request, "code")
    return await binding.send_code(visitors, device)


@post("/visitor/otp/confirm", status_code=200, operation_class=with_body(ConfirmBody), responses=refusals())
async def post_confirm(request: PhoneRequest) -> ConfirmAnswer:
    """Bind the device by the code that was sent."""
    visitors, body = _asked(request), read(ConfirmBody, await request.body())
    device = await visitors.device_of(body, request.url.path)
    visitors.limited.take("confirm", device.device_id)
    return await binding.confirm(visitors, device, body.code)


@post("/visitor/officer-code", status_code=200, operation_class=with_body(DeviceBody), responses=refusals())
async def post_officer_code(request: PhoneRequest) -> OfficerCodeAnswer:
    """Give a code to show to an officer who sees the document."""
    visitors, device = await _device(request, "officer_code")
    return await binding.officer_code(visitors, device)


@post("/visitor/me", status_code=200, operation_class=with_body(DeviceBody), responses=refusals())
async def post_me(request: PhoneRequest) -> MeAnswer:
    """Say what a bound device may know of its owner; of any other nothing."""
    visitors, device = await _device(request, "ask")
    return await owners.me(visitors, device)


@post("/visitor/scans", status_code=200, operation_class=with_body(ScansBody), responses=refusals(413))
async def post_scans(request: PhoneRequest) -> ScansAnswer:
    """Take what was scanned, oldest first, up to 100 at once; each has its own answer."""
    visitors, body = _asked(request), read(ScansBody, await request.body())
    visitors.limited.take("scans", body.device_id)
    return await syncing.take(visitors, body)


@post("/visitor/erase", status_code=200, operation_class=with_body(DeviceBody), responses=refusals())
async def post_erase(request: PhoneRequest) -> EraseAnswer:
    """Forget the device and what was claimed; whom it is bound to is erased as by his own request."""
    visitors, device = await _device(request, "ask")
    return await owners.erase(visitors, device)


ROUTES: Final[tuple[Any, ...]] = (
    post_gate,
    post_claim,
    post_otp,
    post_confirm,
    post_officer_code,
    post_me,
    post_scans,
    post_erase,
)


async def _device(request: PhoneRequest, what: What) -> tuple[Visitors, Device]:
    """Return the device that signed a request; only what it signed counts, so that nobody uses up another's tries."""
    visitors, body = _asked(request), read(DeviceBody, await request.body())
    device = await visitors.device_of(body, request.url.path)
    visitors.limited.take(what, device.device_id)
    return visitors, device


def _asked(request: PhoneRequest) -> Visitors:
    visitors = visitors_of(request)
    visitors.limited.address(_address(request))
    return visitors


def _address(request: PhoneRequest) -> str:
    return request.client.host if request.client else ""
