"""The gate as one ASGI application: the desks behind one door. Building it opens nothing."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from portal import alerts, facilities, health, results, scans, traces
from portal.desk import Desk
from portal.openapi import openapi_config
from portal.problems import answer_bug, answer_http_error, answer_jejak_error
from portal.watch import Watched
from schemas.errors import JejakError

DESKS = (
    scans.post_scans,
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
    health.healthz,
    health.readyz,
    health.metrics,
)


def build_app(desk: Desk) -> ASGIApp:
    """Return the gate that works with `desk`; whoever opened the desk closes it."""
    app = Litestar(
        route_handlers=DESKS,
        state=State({"desk": desk}),
        openapi_config=openapi_config(),
        exception_handlers={JejakError: answer_jejak_error, HTTPException: answer_http_error, Exception: answer_bug},
        request_max_body_size=desk.settings.body_limit,
        logging_config=None,
        debug=False,
    )
    return Watched(app, desk.measures)
