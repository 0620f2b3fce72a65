"""All pages as parts of the one application: their routes, templates, files, and the guard against forged forms."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Router
from litestar.config.csrf import CSRFConfig
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from portal.accounts import home, login
from portal.epidemiology import handing, traces
from portal.officer import desk as officer_desk
from portal.officer import late, phones
from portal.offices import alerts, facilities
from portal.places import details, doors, overview, staff
from portal.plausibility import pages as flags
from portal.registration import apply, verify
from portal.registry import rule_page
from portal.visitor import page as visitor_page
from portal.web.pages import STATIC, answer_error
from portal.web.secret_box import SecretBox
from schemas.errors import JejakError

CSRF_COOKIE: Final = "__Host-csrf"
NO_FORMS: Final = [  # keys and signatures, not cookies
    *("^/v1/", "^/visitor/", "^/schema", "^/healthz", "^/readyz", "^/metrics", "^/static/"),
]


def routes() -> Sequence[Any]:
    """Return every page's route, and the files that pages are made of."""
    return (
        Router(
            path="/",
            route_handlers=[
                *login.ROUTES,
                *home.ROUTES,
                *apply.ROUTES,
                *verify.ROUTES,
                *overview.ROUTES,
                *doors.ROUTES,
                *details.ROUTES,
                *staff.ROUTES,
                *rule_page.ROUTES,
                *visitor_page.ROUTES,
                *flags.ROUTES,
                *officer_desk.ROUTES,
                *late.ROUTES,
                *phones.ROUTES,
                *alerts.ROUTES,
                *facilities.ROUTES,
                *traces.ROUTES,
                *handing.ROUTES,
            ],
            exception_handlers={JejakError: answer_error, HTTPException: answer_error, Exception: answer_error},
            include_in_schema=False,
        ),
        create_static_files_router(path="/static", directories=[STATIC], include_in_schema=False),
    )


def csrf_config(box: SecretBox) -> CSRFConfig:
    """Return how a form proves that it came from a page of ours: a signed cookie, and the same in the form."""
    return CSRFConfig(
        secret=box.key_for("csrf").hex(),
        cookie_name=CSRF_COOKIE,
        cookie_secure=True,
        cookie_httponly=True,
        cookie_samesite="lax",
        exclude=NO_FORMS,
    )
