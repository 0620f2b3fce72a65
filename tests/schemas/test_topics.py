"""The table of topics and the partition function."""

import tomllib
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from schemas import topics
from schemas.partition import partition_of
from schemas.version import VERSION


@given(st.text(min_size=1).filter(lambda s: s.isprintable()), st.integers(1, 1024))
def test_a_key_lives_where_crc32_of_its_utf8_says(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == crc32(key.encode("utf-8")) % partitions


def test_partition_of_never_changes() -> None:
    assert [partition_of(key, 12) for key in ("5f1d3b0c9e7a4c2d8b6f0a1e2d3c4b5a", "PKM-CIPONDOH", "é")] == [11, 1, 2]


@pytest.mark.parametrize(("area", "office"), [("36", "p36"), ("36.71", "d3671"), ("3671", "d3671")])
def test_an_area_code_names_its_office(area: str, office: str) -> None:
    assert topics.office_of(area) == office


@pytest.mark.parametrize("area", ["", "3", "367", "36.71.01", "ab", "³⁶", "all"])
def test_no_other_text_names_an_office(area: str) -> None:
    with pytest.raises(ValueError, match="area"):
        topics.office_of(area)


def test_scans_are_stamped_by_the_log_and_statuses_are_compacted() -> None:
    assert topics.SCAN.config()["message.timestamp.type"] == "LogAppendTime"
    assert {topic.name for topic in topics.TOPICS if topic.compacted} == {"facility-count.v1", "person-status.v1"}


def test_the_package_names_the_version_and_the_requirements_of_their_one_place() -> None:
    root = Path(schemas.__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = (root / "requirements" / "run.in").read_text().splitlines()
    assert project["version"] == VERSION
    assert project["dependencies"] == [line for line in wanted if line and not line.startswith("#")]
