"""How every client of ours reaches Kafka: addresses, SCRAM password from its file, TLS.

Loads no Kafka library: a worker has another one, and starts sooner without this one.
"""

import logging
from typing import Any, Final

from schemas.errors import InvalidSettings
from schemas.network import is_loopback
from schemas.settings import Settings

BOOTSTRAP_TIMEOUT_MS: Final = 6_000
REQUEST_TIMEOUT_MS: Final = 8_000
RECONNECT_MAX_MS: Final = 1_000  # the library's 30 s would outlast a broker that restarts in four


def client_config(settings: Settings, user: str) -> dict[str, Any]:
    """Return what kafka-python's producer, consumer and admin client all need to act as `user`.

    Raises:
        InvalidSettings: no broker is set, its network is not private, or the password file is missing.
    """
    _keep_keys_out_of_logs()
    servers = _servers(settings)
    return {
        "bootstrap_servers": servers,
        "client_id": f"jejak-{user}",
        "security_protocol": "SASL_SSL" if settings.kafka_ca else "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": _password(settings, user),
        "ssl_cafile": settings.kafka_ca or None,
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
    }


def _servers(settings: Settings) -> list[str]:
    servers = [part.strip() for part in settings.kafka.split(",") if part.strip()]
    if not servers:
        raise InvalidSettings("no broker: start `jejak up`, or name one as host:port", field="JEJAK_KAFKA")
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isascii() or not port.isdigit():
            raise InvalidSettings("is not host:port,…", field="JEJAK_KAFKA")
        if not (settings.kafka_ca or settings.private_network or is_loopback(host)):
            raise InvalidSettings(
                "a broker beyond loopback needs TLS (JEJAK_KAFKA_CA), or JEJAK_PRIVATE_NETWORK=true",
                field="JEJAK_KAFKA",
            )
    return servers


def _password(settings: Settings, user: str) -> str:
    path = settings.secret_file("kafka", user)
    try:
        password = path.read_text().strip()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise InvalidSettings(f"{reason}: {path}", field="JEJAK_SECRETS") from error
    if not password:
        raise InvalidSettings(f"is empty: {path}", field="JEJAK_SECRETS")
    return password


def _keep_keys_out_of_logs() -> None:
    """The library logs keys and values at debug; its warnings go where the process logs, or nowhere."""
    logger = logging.getLogger("kafka")
    if logger.level < logging.WARNING:
        logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
