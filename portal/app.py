"""The gate as one ASGI application: the desks behind one door, for programs below /v1 and for people as pages."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from portal import alerts, facilities, health, results, scans, traces
from portal.accounts.accounts import Accounts
from portal.accounts.mail import sending_mail
from portal.admissions import admissions
from portal.desk import Desk
from portal.openapi import openapi_config
from portal.plausibility import decisions
from portal.registry import vaccinations
from portal.registry.registry import Registry
from portal.registry.statuses import following_statuses
from portal.scan_door import ScanDoor
from portal.vault.tending import tending_vault
from portal.visitor import routes as visitor
from portal.watch import Watched
from portal.web.pages import answer_error, templates
from portal.web.secret_box import open_secret_box
from portal.web.site import csrf_config, routes
from schemas.errors import JejakError

DESKS = (
    scans.post_scans,
    decisions.post_decisions,
    results.post_test_result,
    results.get_test_result,
    traces.post_trace,
    traces.list_traces,
    traces.get_trace,
    traces.post_approval,
    traces.post_decision,
    alerts.list_alerts,
    alerts.post_ack,
    alerts.post_judgement,
    facilities.get_occupancy,
    facilities.get_hours,
    vaccinations.post_vaccinations,
    admissions.post_admissions,
    *visitor.ROUTES,
    health.healthz,
    health.readyz,
    health.metrics,
)


def build_app(desk: Desk, url: str = "") -> ASGIApp:
    """Return the gate that works with `desk`; whoever opened the desk closes it.

    Args:
        desk: what every handler works with.
        url: how people reach the gate, for links in mail.

    Raises:
        InvalidSettings: the portal's key cannot be read or made.
    """
    box = open_secret_box(desk.settings)
    accounts, registry = Accounts(desk, box), Registry(desk)
    state = {"desk": desk, "accounts": accounts, "registry": registry, "box": box}
    app = Litestar(
        route_handlers=[*DESKS, *routes()],
        state=State(state | {"url": desk.settings.public_url or url}),
        openapi_config=openapi_config(),
        template_config=templates(),
        csrf_config=csrf_config(box),
        exception_handlers={JejakError: answer_error, HTTPException: answer_error, Exception: answer_error},
        request_max_body_size=desk.settings.body_limit,
        lifespan=[sending_mail, tending_vault, following_statuses],
        on_shutdown=[accounts.passwords.close],
        logging_config=None,
        debug=False,
    )
    return Watched(ScanDoor(app, desk), desk.measures)
