"""The Compose file: valid by the specification, closed by default, and every command of ours in it really starts."""

import copy
import json
import re
import subprocess
import tomllib
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ops.commands.secrets import make_secrets
from ops.embedded.postgres import _configuration
from ops.services import service_groups
from schemas.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load(
    re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text())  # as where nothing is set
)
SPECIFICATION: dict[str, Any] = json.loads((ROOT / "tests/ops/data/compose-spec.json").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KAFKA_FILES = "./secrets/kafka"
ONCE = {"migrate", "topics", "operator"}  # end by themselves
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("jejak:")}


def faults(document: object) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(SPECIFICATION).iter_errors(document)]


def test_the_file_is_what_the_specification_says() -> None:
    assert faults(COMPOSE) == []


def test_a_misspelled_key_would_be_found() -> None:
    wrong = copy.deepcopy(COMPOSE)
    wrong["services"]["gate"]["depend_on"] = {}
    assert len(faults(wrong)) == 1


def test_each_service_of_ours_is_there() -> None:
    assert set(OURS) == {*ONCE, "gate", "relay", "visits", "traces", "standing", "plausibility", "retention"}
    assert set(SERVICES) - set(OURS) == {"kafka-1", "kafka-2", "kafka-3", "postgres"}


def test_the_processes_are_those_of_jejak_up() -> None:
    def kind(words: Sequence[str]) -> tuple[str, ...]:
        return tuple(takewhile(lambda word: not word.startswith("--slot"), words))

    up = {kind(service.argv[3:]) for group in service_groups(Settings()) for service in group}
    assert {kind(OURS[name]["command"]) for name in set(OURS) - ONCE} == up


def test_the_database_is_set_as_the_embedded_one_is_but_for_its_size() -> None:
    embedded = dict(re.findall(r"^(\w+) = '?([^'\n]*?)'?(?:  #.*)?$", _configuration(5432), re.MULTILINE))
    given = dict(word.split("=") for word in SERVICES["postgres"]["command"] if "=" in word)
    sizes = {"shared_buffers", "max_wal_size"}
    assert {name: value for name, value in given.items() if embedded[name] != value}.keys() == sizes
    assert given.keys() >= {name for name in embedded if name.startswith("log_min_error") or "_parameter_" in name}
    assert given.keys() >= {"log_min_messages", "log_statement", "log_error_verbosity", "autovacuum_naptime", "jit"}


def test_images_are_pinned_to_a_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_the_image_holds_the_rooms_and_nothing_hidden() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = project["tool"]["uv"]["build-backend"]["module-name"]
    copied = re.findall(r"^COPY (\S+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(copied) == {*rooms, "requirements/run.txt"} - {"bench"}  # measurements run in a clone
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} >= set(copied)


def test_only_the_gate_is_reached_from_outside_and_only_from_this_machine() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gate"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["gate"]["ports"])
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert all(service["networks"] == ["inside"] for name, service in SERVICES.items() if name != "gate")


def test_every_service_is_checked_waits_and_drops_its_rights() -> None:
    for name, service in SERVICES.items():
        assert (name in ONCE) != ("healthcheck" in service), name
        assert service["cap_drop"] == ["ALL"], name
        assert name.startswith(("kafka", "postgres")) or service["depends_on"], name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name


def test_secret_files_are_those_that_the_command_makes(tmp_path: Path) -> None:
    make_secrets(Settings(secrets=str(tmp_path)))
    made = {f"./secrets/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if path.is_file()}
    files = {secret["file"] for secret in COMPOSE["secrets"].values()}
    assert files <= made
    assert all(file.startswith(KAFKA_FILES) for file in made - files)  # which `topics` mounts as one folder
    used = {secret["source"] for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert [name for name, service in SERVICES.items() if any("/secrets" in one for one in service["volumes"])] == [
        "topics"
    ]


def test_a_service_holds_no_other_services_password() -> None:
    for name in ("gate", "relay", "visits", "traces", "standing", "plausibility", "retention"):
        files = {secret["target"] for secret in OURS[name]["secrets"]}
        of_kafka = set() if name == "retention" else {f"/run/secrets/kafka/{name}"}
        assert {file for file in files if "/kafka/" in file} == of_kafka
        assert {file for file in files if "/database/" in file} == {f"/run/secrets/database/jejak_{name}"}
        assert name == "gate" or not any("/vault/" in file for file in files)


def test_no_environment_holds_a_password_and_ours_holds_settings_only() -> None:
    for service in SERVICES.values():
        names = set(service["environment"])
        assert not {name for name in names if "PASSWORD" in name} - {"POSTGRES_PASSWORD_FILE"}
    for service in OURS.values():
        settings = load_settings(service["environment"])
        assert settings.private_network
        assert settings.public_url == f"http://{SERVICES['gate']['ports'][0].rpartition(':')[0]}"
        assert settings.replication == len([name for name in SERVICES if name.startswith("kafka-")])


@pytest.mark.parametrize("script", sorted((ROOT / "ops/compose").glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_plain_shell(script: Path) -> None:
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert any(volume.startswith(f"./ops/compose/{script.name}:") for volume in mounts)
