"""What a browser sends as a form: texts of bounded length, and paths that stay with us."""

import re
from typing import Final

from portal.web.pages import FormError, WebRequest

TEXT_MAX: Final = 2_000

_path = re.compile(r"/[A-Za-z0-9_.~/-]*")


async def form_of(request: WebRequest, *names: str, as_typed: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the named fields of a form, empty where they were not sent, without blanks around them.

    Args:
        request: with a body of a form.
        names: the fields; others are not looked at.
        as_typed: those whose blanks are kept.

    Raises:
        FormError: a field is longer than 2,000 characters or holds NUL.
    """
    sent = await request.form()
    form = {}
    for name in names:
        value = sent.get(name, "")
        text = value if isinstance(value, str) else ""
        if len(text) > TEXT_MAX or "\0" in text:
            raise FormError({name: "form.too_long"})
        form[name] = text if name in as_typed else text.strip()
    return form


def address_of(request: WebRequest) -> str:
    """Return the address that a request came from, as a proxy on this machine says it."""
    return request.client.host if request.client else ""


def path_inside(text: str) -> str:
    """Return a path of ours, to go to afterwards; empty for anything else, so that no link leads away."""
    return text if _path.fullmatch(text) and not text.startswith("//") else ""
