"""Whose area it is: an office opens the pages of its own area and of what lies in it, the ministry those of all.

What lies elsewhere is answered as what is not there.
"""

from typing import Any, Final

from litestar.response import Template

from portal.accounts.guard import account_of, signed_in
from portal.keys import EVERYWHERE, covers
from portal.regions import name_of
from portal.web.pages import WebRequest, page
from schemas.errors import NotFound

OFFICES: Final = signed_in("office")
OVERSEERS: Final = signed_in("office", "ministry")
PROVINCE_LENGTH: Final = 2


def area_asked(request: WebRequest) -> str:
    """Return the area that the page is about: the account's own, or the one asked for if it lies in it.

    Raises:
        NotFound: it lies elsewhere, or there is none.
    """
    own = account_of(request).area
    asked = request.query_params.get("wilayah", "") or own
    known = asked == EVERYWHERE or bool(name_of(asked) and len(asked) in {PROVINCE_LENGTH, 5})
    if not known or not (asked == own or covers(own, asked)):
        raise NotFound("no such area")
    return asked


def way_to(own: str, area: str) -> list[str]:
    """Return the areas from one's own down to this one."""
    steps = [EVERYWHERE, area[:PROVINCE_LENGTH], area] if area != EVERYWHERE else [EVERYWHERE]
    found = list(dict.fromkeys(step for step in steps if step == own or covers(own, step)))
    return found or [area]


def is_district(area: str) -> bool:
    """Say whether an area is a district or city."""
    return area != EVERYWHERE and len(area) > PROVINCE_LENGTH


def office_page(request: WebRequest, name: str, *, status: int = 200, **context: Any) -> Template:  # noqa: ANN401 — what a template is given
    """Return a page of an office; its template may ask `named(area)` and `office_name(office)`."""
    return page(
        request,
        f"offices/{name}",
        status=status,
        named=lambda code: "" if code == EVERYWHERE else name_of(code),
        office_name=lambda office: name_of(".".join(filter(None, (office[1:3], office[3:])))) or office,
        has_alerts=account_of(request).role == "office",
        **context,
    )
