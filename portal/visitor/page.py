"""The visitor's page: what a poster's link opens, and the app around it, which goes on working without signal.

It holds nothing of a person: what is the visitor's own stays in his browser. One worker keeps it for times without
signal; its scope is `/q`, the posters' links and no other page.
"""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from litestar import Response, get
from litestar.response import Template

from portal.posters.check import PATH, Refusal, Shown, posters_of
from portal.regions import choices_in
from portal.web.pages import STATIC, WebRequest, language_of, page
from portal.web.words import all_words, say

APP: Final = PATH.rstrip("/")
FOLDER: Final = STATIC / "visitor"
WORKERS: Final = ("background.js", "sw.js")  # served here, for a worker's address limits what it may keep
SHARED: Final = ("jejak.css", "icon.svg", "qr.min.js")
MANIFEST: Final = "/visitor/manifest.webmanifest"
WORDS: Final = ("visit.", "form.not_right", "form.empty", "form.wrong", "why.phone", "error.429")


@get(APP)
async def get_app(request: WebRequest) -> Template:
    """Show the app: what an icon on the telephone opens, and what is kept for times without signal."""
    return _page(request, None)


@get(APP + "/{token:str}")
async def get_poster(request: WebRequest, token: str) -> Template:
    """Show what a poster's link opens; a browser without scripts is told which gate it is and what to do."""
    found = await posters_of(request).check(token, datetime.now(UTC))
    return _page(request, found)


@get(MANIFEST)
async def get_manifest(request: WebRequest) -> Response[bytes]:
    """Return what a browser needs to put the app among the others."""
    language = language_of(request)
    manifest = {
        "name": f"Jejak · {say(language, 'visit.title')}",
        "short_name": "Jejak",
        "description": say(language, "visit.what"),
        "lang": language,
        "id": APP,
        "start_url": APP,
        "scope": APP,
        "display": "standalone",
        "background_color": "#f4f6f7",
        "theme_color": "#0b5d66",
        "icons": [{"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any maskable"}],
    }
    return Response(json.dumps(manifest).encode(), media_type="application/manifest+json")


@get("/visitor/background.js")
async def get_background() -> Response[bytes]:
    """Return the worker of browsers that let one import modules."""
    return _script((FOLDER / "background.js").read_bytes())


@get("/visitor/sw.js")
async def get_worker() -> Response[bytes]:
    """Return the worker, with the files it keeps and their version before it."""
    head = f"const VERSION = {json.dumps(version())};\nconst FILES = {json.dumps([APP, MANIFEST, *_files()])};\n"
    return _script(head.encode() + (FOLDER / "sw.js").read_bytes())


ROUTES: Final[tuple[Any, ...]] = (get_app, get_poster, get_manifest, get_background, get_worker)


@cache
def modules() -> tuple[str, ...]:
    """Return the names of the page's scripts; they are fetched side by side, not one after another."""
    return tuple(sorted(path.name for path in FOLDER.glob("*.js") if path.name not in WORKERS))


@cache
def version() -> str:
    """Return what changes with any file of the page."""
    words = STATIC.parent.glob("catalogue/*.toml")
    parts = [*FOLDER.iterdir(), *(STATIC / name for name in SHARED), *STATIC.parent.glob("templates/**/*.html"), *words]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(parts))).hexdigest()[:12]


def _files() -> list[str]:
    own = [f"/static/visitor/{name}" for name in ("visitor.css", *modules())]
    return [*own, *(f"/static/{name}" for name in SHARED)]


def _page(request: WebRequest, found: Shown | Refusal | None) -> Template:
    language = language_of(request)
    form, choices = choices_in({})
    shown = page(
        request,
        "visitor/page",
        status=200,
        is_poster=found is not None,
        gate=None if found is None else found.gate,
        doubt=found.why if isinstance(found, Refusal) else "",
        form=form,
        modules=modules(),
        words={key: text[language] for key, text in all_words().items() if key.startswith(WORDS)},
        **choices,
    )
    shown.headers |= {"Jejak-Visitor": version(), "Content-Language": language}
    return shown


def _script(text: bytes) -> Response[bytes]:
    return Response(text, media_type="text/javascript", headers={"Service-Worker-Allowed": APP})
