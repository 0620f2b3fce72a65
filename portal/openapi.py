"""The API's description: Litestar's OpenAPI, the bodies of `portal/bodies.py` in it, and a page without any script.

Nothing on the page comes from outside, so the content policy stays `default-src 'self'`.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)

from portal import bodies

JSON: Final = "application/json"
BODIES: Final = (
    bodies.ScanBody,
    bodies.ScanBatch,
    bodies.TestResultBody,
    bodies.TraceBody,
    bodies.ApprovalBody,
    bodies.DecisionBody,
)
KEY: Final = "key"
_PREFIX: Final = "#/components/schemas/"


def with_body(*kinds: type[msgspec.Struct]) -> type[Operation]:
    """Return an operation whose body is one of `kinds` (a batch also as a plain array).

    The desks read raw bytes, so that one bad scan does not fail a thousand; Litestar cannot see what they hold.
    """
    choices: list[Reference | Schema] = [Reference(ref=_PREFIX + kind.__name__) for kind in kinds]
    if bodies.ScanBatch in kinds:
        scan = Reference(ref=_PREFIX + bodies.ScanBody.__name__)
        choices.append(Schema(type=OpenAPIType.ARRAY, items=scan, max_items=1000))
    schema = choices[0] if len(choices) == 1 else Schema(one_of=choices)

    class WithBody(Operation):
        def __post_init__(self) -> None:
            self.request_body = RequestBody(content={JSON: OpenAPIMediaType(schema=schema)}, required=True)

    return WithBody


def openapi_config() -> OpenAPIConfig:
    """Return the description of the whole gate, served below /schema."""
    return OpenAPIConfig(
        title="Jejak gate",
        version="1",
        description="Scans, test results and traces of health facilities. Every path below /v1 needs an API key.",
        path="/schema",
        render_plugins=[PagePlugin(path="/"), JsonRenderPlugin(path="/openapi.json")],
        components=Components(
            schemas=_schemas(BODIES),
            security_schemes={KEY: SecurityScheme(type="http", scheme="bearer", description="`jejak keys create`")},
        ),
    )


class PagePlugin(OpenAPIRenderPlugin):
    """A plain page: each path, what it does, and where the exact shapes are."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 — Litestar's signature
        """Return the page."""
        rows = "".join(
            f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
            f"<td>{escape(operation.get('description', operation.get('summary', '')))}</td></tr>"
            for path, methods in sorted(openapi_schema["paths"].items())
            for method, operation in methods.items()
            if method in {"get", "post"}
        )
        info = openapi_schema["info"]
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title></head>'
            f"<body><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}"
            ' Shapes: <a href="/schema/openapi.json">openapi.json</a>.</p>'
            "<table><thead><tr><th>Method<th>Path<th>What it does</tr></thead>"
            f"<tbody>{rows}</tbody></table></body></html>"
        ).encode()


def _schemas(kinds: Sequence[type[msgspec.Struct]]) -> dict[str, Schema]:
    _, components = msgspec.json.schema_components(kinds, ref_template=_PREFIX + "{name}")
    return {name: _Verbatim(schema) for name, schema in components.items()}


class _Verbatim(Schema):
    """A JSON Schema that msgspec has written, passed on as it is."""

    def __init__(self, written: dict[str, Any]) -> None:
        super().__init__()
        self._written = written

    def to_schema(self) -> dict[str, Any]:
        """Return it."""
        return self._written
