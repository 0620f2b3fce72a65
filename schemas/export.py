"""JSON Schema per event and one AsyncAPI 3 document, made from the events and the table of topics."""

from typing import Any

import msgspec

from schemas import topics
from schemas.topics import Topic

_REF = "#/components/schemas/{name}"


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return one self-contained JSON Schema (2020-12) per event, by the event's name."""
    return {
        kind.__name__: {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(kind)
        for topic in _all_topics()
        for kind in topic.events
    }


def asyncapi(version: str) -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics.

    Args:
        version: of the product.
    """
    kinds = [kind for topic in _all_topics() for kind in topic.events]
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Jejak topics",
            "version": version,
            "description": "Scans in, visits and counts out, notices to health offices. All values are JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in _all_topics()},
        "operations": {name: made for topic in _all_topics() for name, made in _operations(topic).items()},
        "components": {
            "schemas": components,
            "messages": {kind.__name__: _message(kind) for kind in kinds},
        },
    }


def _all_topics() -> tuple[Topic, ...]:
    return (*topics.TOPICS, msgspec.structs.replace(topics.alert_topic("d3671"), name="alert.{office}"))


def _channel_id(topic: Topic) -> str:
    return topic.name.replace("{", "").replace("}", "").replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    made: dict[str, Any] = {
        "address": topic.name,
        "description": f"{topic.doc} Key: {topic.key}.",
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in topic.events},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    **({} if topic.compacted else {"retention.ms": topic.retention_days * topics.DAY_MS}),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }
    if "{office}" in topic.name:
        made["parameters"] = {"office": {"description": "p36 for a province, d3671 for a district or city"}}
    return made


def _operations(topic: Topic) -> dict[str, dict[str, Any]]:
    channel = {"$ref": f"#/channels/{_channel_id(topic)}"}
    made = {
        f"{writer}_writes_{_channel_id(topic)}": {"action": "send", "channel": channel, "title": f"{writer} writes"}
        for writer in topic.writers
    }
    readers = topic.readers or ("office",)
    return made | {
        f"{reader}_reads_{_channel_id(topic)}": {"action": "receive", "channel": channel, "title": f"{reader} reads"}
        for reader in readers
    }


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "title": (kind.__doc__ or kind.__name__).splitlines()[0],
        "contentType": "application/json",
        "payload": {"$ref": _REF.format(name=kind.__name__)},
    }
