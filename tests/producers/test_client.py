"""Who may reach which broker, before anything is sent."""

from pathlib import Path

import pytest

from producers.client import client_config
from schemas.errors import InvalidSettings
from schemas.settings import Settings


def with_password(home: Path, **changes: object) -> Settings:
    settings = Settings(home=home, **changes)  # type: ignore[arg-type]  # the tests' own keywords
    path = settings.secret_file("kafka", "gate")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a-password\n")
    return settings


@pytest.mark.parametrize("kafka", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.0.0.1:1, 127.0.0.2:2"])
def test_loopback_needs_no_tls(tmp_path: Path, kafka: str) -> None:
    config = client_config(with_password(tmp_path, kafka=kafka), "gate")
    assert config["security_protocol"] == "SASL_PLAINTEXT"
    assert config["sasl_mechanism"] == "SCRAM-SHA-512"


@pytest.mark.parametrize("kafka", ["10.0.0.1:9092", "kafka.example:9092", "127.0.0.1:9092,kafka.example:9092"])
def test_a_broker_beyond_loopback_without_tls_is_refused(tmp_path: Path, kafka: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        client_config(with_password(tmp_path, kafka=kafka), "gate")
    assert refused.value.field == "JEJAK_KAFKA"


def test_a_network_called_private_needs_no_tls(tmp_path: Path) -> None:
    config = client_config(with_password(tmp_path, kafka="kafka.example:9092", private_network=True), "gate")
    assert config["bootstrap_servers"] == ["kafka.example:9092"]


def test_a_ca_file_switches_tls_on(tmp_path: Path) -> None:
    config = client_config(with_password(tmp_path, kafka="kafka.example:9092", kafka_ca="ca.pem"), "gate")
    assert (config["security_protocol"], config["ssl_cafile"]) == ("SASL_SSL", "ca.pem")


@pytest.mark.parametrize("kafka", ["", " , ", "localhost", "localhost:", ":9092", "localhost:port", "localhost:²"])
def test_an_address_that_is_none_names_its_setting(tmp_path: Path, kafka: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        client_config(with_password(tmp_path, kafka=kafka), "gate")
    assert refused.value.field == "JEJAK_KAFKA"


def test_a_missing_or_empty_password_file_is_named(tmp_path: Path) -> None:
    settings = with_password(tmp_path, kafka="localhost:9092")
    with pytest.raises(InvalidSettings, match="no such file"):
        client_config(settings, "visits")
    settings.secret_file("kafka", "gate").write_text("\n")
    with pytest.raises(InvalidSettings, match="is empty"):
        client_config(settings, "gate")
