"""What other programs read of us is valid and complete."""

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from ops.cli import cli
from schemas import topics
from schemas.events import Scan
from schemas.export import asyncapi, json_schemas

DATA = Path(__file__).parent / "data"
EXAMPLES = Path(topics.__file__).parent / "examples"


def test_the_asyncapi_document_is_valid_asyncapi_3() -> None:
    spec = json.loads((DATA / "asyncapi-3.0.0.json").read_text())
    jsonschema.Draft7Validator(spec).validate(asyncapi("0.1.0"))


def test_every_topic_and_event_stands_in_the_asyncapi_document() -> None:
    document = asyncapi("0.1.0")
    assert {channel["address"] for channel in document["channels"].values()} == {
        *(topic.name for topic in topics.TOPICS),
        "alert.{office}",
    }
    assert set(document["components"]["messages"]) == set(json_schemas())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda path: path.name)
def test_every_example_fits_exactly_one_published_schema(path: Path) -> None:
    example = json.loads(path.read_text())
    fitting = [
        name for name, schema in json_schemas().items() if jsonschema.Draft202012Validator(schema).is_valid(example)
    ]
    assert len(fitting) == 1


def test_the_published_schema_refuses_a_scan_with_a_nik() -> None:
    example = json.loads((EXAMPLES / "scan.v1" / "scan-1.json").read_text())
    schema = jsonschema.Draft202012Validator(json_schemas()[Scan.__name__])
    assert schema.is_valid(example)
    assert not schema.is_valid(example | {"nik": "3671010101900001"})


def test_the_command_writes_what_the_functions_make(tmp_path: Path) -> None:
    made = CliRunner().invoke(cli, ["schemas", "export", str(tmp_path / "out")])
    assert made.exit_code == 0, made.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"asyncapi.json", *(f"{name}.schema.json" for name in json_schemas())}
