"""Settings: one sentence each, and nothing misspelt goes unnoticed."""

import re
from pathlib import Path

import pytest

import schemas
from schemas.errors import InvalidSettings
from schemas.settings import Settings, environment_name, load_settings, setting_docs


def test_no_environment_gives_the_defaults() -> None:
    assert load_settings({"PATH": "/bin"}) == Settings()


def test_an_unknown_jejak_name_is_an_error_that_names_it() -> None:
    with pytest.raises(InvalidSettings, match="JEJAK_KAFKAA"):
        load_settings({"JEJAK_KAFKAA": "localhost:9092"})


@pytest.mark.parametrize(
    ("name", "text"),
    [("JEJAK_PORT", "70000"), ("JEJAK_PORT", "http"), ("JEJAK_DEMO", "perhaps"), ("JEJAK_LOG_LEVEL", "loud")],
)
def test_a_malformed_value_is_an_error_that_names_its_setting(name: str, text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({name: text})
    assert caught.value.field == name


def test_every_setting_has_one_sentence() -> None:
    docs = setting_docs()
    assert set(docs) == {environment_name(field) for field in Settings.__struct_fields__}
    assert all(doc.endswith(".") for doc in docs.values())


def test_every_setting_is_read_somewhere() -> None:
    root = Path(schemas.__file__).parents[1]
    rooms = ("ops", "portal", "streams", "producers", "tracing")
    code = "".join(path.read_text() for room in rooms for path in (root / room).rglob("*.py"))
    assert not [field for field in Settings.__struct_fields__ if not re.search(rf"\.{field}\b", code)]
