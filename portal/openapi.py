"""The API's description: Litestar's OpenAPI, the bodies of `portal/bodies.py` in it, and a page without any script.

Nothing on the page comes from outside, so the content policy stays `default-src 'self'`.
"""

from dataclasses import dataclass
from html import escape
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.openapi import OpenAPIConfig, ResponseSpec
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
from portal.problems import Problem
from portal.visitor import shapes

JSON: Final = "application/json"
BODIES: Final = (
    bodies.ScanBody,
    bodies.ScanBatch,
    bodies.ScanDecisionBody,
    bodies.ScanDecisionBatch,
    bodies.TestResultBody,
    bodies.TraceBody,
    bodies.ApprovalBody,
    bodies.DecisionBody,
    bodies.JudgementBody,
    *shapes.BODIES,
)
KEY: Final = "key"
NEEDS_KEY: Final[list[dict[str, list[str]]]] = [{KEY: []}]
_REFUSALS: Final = {
    401: "No API key that counts.",
    403: "The key may not do this.",
    404: "Not here, or not for this caller.",
    409: "What is stored forbids it.",
    413: "More than a request may hold.",
    422: "A field is wrong: `field` and `reason` say which and why.",
    429: "Too many requests; Retry-After says how many seconds to wait.",
    503: "Broker or database away; send all again after Retry-After seconds, with the same ids.",
}
_PREFIX: Final = "#/components/schemas/"
_BATCHES: Final[dict[type[msgspec.Struct], type[msgspec.Struct]]] = {
    bodies.ScanBatch: bodies.ScanBody,
    bodies.ScanDecisionBatch: bodies.ScanDecisionBody,
}


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """Return how a path below /v1 says no: with a `Problem`, always."""
    return {
        status: ResponseSpec(Problem, description=_REFUSALS[status], generate_examples=False)
        for status in (401, 403, 422, 429, 503, *statuses)
    }


def with_body(*kinds: type[msgspec.Struct]) -> type[Operation]:
    """Return an operation whose body is one of `kinds` (a batch also as a plain array).

    The desks read raw bytes, so that one bad scan does not fail a thousand; Litestar cannot see what they hold.
    """
    choices: list[Reference | Schema] = [Reference(ref=_PREFIX + kind.__name__) for kind in kinds]
    for batch, one in _BATCHES.items():
        if batch in kinds:
            item = Reference(ref=_PREFIX + one.__name__)
            choices.append(Schema(type=OpenAPIType.ARRAY, items=item, max_items=1000))
    schema = choices[0] if len(choices) == 1 else Schema(one_of=choices)

    @dataclass
    class WithBody(Operation):
        def __post_init__(self) -> None:
            self.request_body = RequestBody(content={JSON: OpenAPIMediaType(schema=schema)}, required=True)

    return WithBody


def with_file(resource: str) -> type[Operation]:
    """Return an operation whose body is a file: CSV, or a FHIR R4 bundle of that resource."""
    entry = Schema(type=OpenAPIType.OBJECT, description=f"with a `resource`: {resource}, Patient, or any other")
    bundle = Schema(
        type=OpenAPIType.OBJECT,
        required=["resourceType"],
        properties={
            "resourceType": Schema(type=OpenAPIType.STRING, const="Bundle"),
            "entry": Schema(type=OpenAPIType.ARRAY, items=entry),
        },
    )
    kinds = {"text/csv": Schema(type=OpenAPIType.STRING), "application/fhir+json": bundle}

    @dataclass
    class WithFile(Operation):
        def __post_init__(self) -> None:
            content = {kind: OpenAPIMediaType(schema=schema) for kind, schema in kinds.items()}
            self.request_body = RequestBody(content=content, required=True)

    return WithFile


def openapi_config() -> OpenAPIConfig:
    """Return the description of the whole gate, served below /schema."""
    return OpenAPIConfig(
        title="Jejak gate",
        version="1",
        description="Scans, test results and traces of health facilities. Every path below /v1 needs an API key; below"
        " /visitor a telephone signs by itself.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[PagePlugin(path="/"), ShapesPlugin(path="/openapi.json")],
        components=Components(
            security_schemes={KEY: SecurityScheme(type="http", scheme="bearer", description="`jejak keys create`")},
        ),
    )


class ShapesPlugin(JsonRenderPlugin):
    """The description as JSON, with the bodies as msgspec describes them."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the description."""
        _, shapes = msgspec.json.schema_components(BODIES, ref_template=_PREFIX + "{name}")
        components = openapi_schema["components"]
        whole = openapi_schema | {"components": components | {"schemas": components["schemas"] | shapes}}
        return super().render(request, whole)


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
