"""Golden examples stay readable for ever: one file per event version, never changed, never removed."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

import schemas
from schemas import topics
from schemas.codec import Codec, encode

EXAMPLES = Path(schemas.__file__).parent / "examples"
SEALS = Path(__file__).parent / "data" / "examples.sha256"
CODECS = {topic.name: Codec(*topic.events) for topic in topics.TOPICS} | {
    "alert": Codec(*topics.alert_topic("d3671").events)
}


def _files() -> list[Path]:
    return sorted(EXAMPLES.glob("*/*.json"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_example_ever_written_is_still_read_and_keeps_its_meaning(path: Path) -> None:
    event = CODECS[path.parent.name].decode(path.read_bytes())
    written = json.loads(encode(event))
    assert {name: written[name] for name in json.loads(path.read_bytes())} == json.loads(path.read_bytes())


def test_no_example_was_changed_or_removed_and_each_new_one_is_sealed() -> None:
    sealed = dict(line.split()[::-1] for line in SEALS.read_text().splitlines())
    found = {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in _files()}
    assert found == sealed


def test_every_event_of_every_topic_has_an_example() -> None:
    shown: set[type[msgspec.Struct]] = {type(CODECS[p.parent.name].decode(p.read_bytes())) for p in _files()}
    assert shown == {kind for topic in (*topics.TOPICS, topics.alert_topic("p36")) for kind in topic.events}
