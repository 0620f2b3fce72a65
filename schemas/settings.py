"""Every setting, with its unit and default. The environment name is `JEJAK_` + the field in upper case.

The environment itself is read in ops and portal only and handed in; an unknown `JEJAK_…` name is an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec
from msgspec import Meta

from schemas.errors import InvalidSettings

PREFIX = "JEJAK_"
Port = Annotated[int, Meta(ge=0, le=65535)]


def _doc(text: str) -> Meta:
    return Meta(description=text)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one process; see `docs/settings.md`, which lists them from here."""

    home: Annotated[Path, _doc("Folder of the installation's state, secrets and logs.")] = Path(".jejak")
    kafka: Annotated[str, _doc("Bootstrap servers host:port,…; empty starts the embedded broker.")] = ""
    database: Annotated[
        str,
        _doc(
            "PostgreSQL address postgresql://host:port/name without user or password; empty starts the embedded server."
        ),
    ] = ""
    secrets: Annotated[
        str, _doc("Folder with kafka/<user> and database/<role> password files; empty means home/secrets.")
    ] = ""
    private_network: Annotated[
        bool,
        _doc("Allow servers without TLS beyond loopback because the network between them is private (true or false)."),
    ] = False
    kafka_ca: Annotated[str, _doc("CA certificate file of the brokers; set it to use SASL_SSL.")] = ""
    database_ca: Annotated[str, _doc("CA certificate file of PostgreSQL; set it to use sslmode=verify-full.")] = ""
    partitions: Annotated[int, Meta(ge=1, le=1024), _doc("Partitions of every topic keyed by person or facility.")] = 12
    replication: Annotated[
        int, Meta(ge=1, le=9), _doc("Replicas of every topic; 3 with three brokers, min.insync.replicas is one less.")
    ] = 1
    host: Annotated[str, _doc("Address the gate listens on.")] = "127.0.0.1"
    port: Annotated[Port, _doc("Port the gate listens on; 0 takes a free one.")] = 8080
    public_url: Annotated[
        str,
        Meta(pattern="^(https?://[^/]+)?$"),
        _doc("How people reach the gate, for links in mail and on posters; empty: where it listens."),
    ] = ""
    smtp_host: Annotated[str, _doc("Server that sends the portal's mail; empty: it stays in the outbox.")] = ""
    smtp_port: Annotated[Port, _doc("Its port.")] = 587
    smtp_user: Annotated[str, _doc("Its user, password in secrets/smtp/<user>; empty: it needs none.")] = ""
    smtp_from: Annotated[str, _doc("Sender of the portal's mail.")] = "jejak@localhost"
    smtp_tls: Annotated[bool, _doc("Send mail over STARTTLS only (true or false).")] = True
    sms_url: Annotated[
        str,
        Meta(pattern="^(https?://.+)?$"),
        _doc("Gateway that takes codes for visitors as POSTed JSON (to, text, id); token in secrets/sms/token."),
    ] = ""
    sms_domain: Annotated[
        str,
        Meta(pattern="^[A-Za-z0-9.-]*$"),
        _doc("Mail domain of a gateway that takes SMS as mail to number@domain; used where there is no JEJAK_SMS_URL."),
    ] = ""
    workers: Annotated[int, Meta(ge=1, le=64), _doc("Worker processes of the visits fold.")] = 1
    demo: Annotated[bool, _doc("Demo mode: subjects of type test, random demo keys, a banner (true or false).")] = False
    batch_max: Annotated[int, Meta(ge=1, le=100_000), _doc("Records per fold transaction, at most.")] = 5_000
    linger_ms: Annotated[
        int, Meta(ge=0, le=1_000), _doc("Milliseconds a worker waits after a small fetch, so that batches grow.")
    ] = 50
    session_timeout_s: Annotated[
        float, Meta(ge=1, le=300), _doc("Seconds without a heartbeat after which a worker's partitions move.")
    ] = 6.0
    database_wait_s: Annotated[
        float, Meta(ge=1, le=3600), _doc("Seconds a worker retries a lost database before it ends with 71.")
    ] = 60.0
    body_limit: Annotated[int, Meta(ge=1_024), _doc("Bytes of an HTTP body, at most.")] = 1_000_000
    rate_per_minute: Annotated[int, Meta(ge=1), _doc("Requests per API key and minute, at most.")] = 60_000
    api_key_file: Annotated[str, _doc("File with the API key that commands send to the gate.")] = ""
    failpoint: Annotated[
        str,
        Meta(pattern="^([a-z ]+(:[1-9][0-9]*)?)?$"),
        _doc("For tests only: the place in the code (streams/failpoints.py) at which a worker or relay kills itself."),
    ] = ""
    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$"), _doc("Log level: debug, info, warning or error.")
    ] = "info"

    @property
    def secrets_dir(self) -> Path:
        """The folder of password files."""
        return Path(self.secrets) if self.secrets else self.home / "secrets"

    def secret_file(self, kind: str, user: str) -> Path:
        """Return the password file of a `kafka` user or a `database` role."""
        return self.secrets_dir / kind / user


def environment_name(field: str) -> str:
    """Return the environment name of a setting."""
    return PREFIX + field.upper()


def setting_docs() -> dict[str, str]:
    """Return each setting's sentence by its environment name."""
    hints = get_type_hints(Settings, include_extras=True)
    return {
        environment_name(field): next(
            m.description for m in get_args(hints[field])[1:] if isinstance(m, Meta) and m.description
        )
        for field in Settings.__struct_fields__
    }


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings of `environ`.

    Raises:
        InvalidSettings: names the variable that is unknown or malformed.
    """
    known = {environment_name(field): field for field in Settings.__struct_fields__}
    values: dict[str, object] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise InvalidSettings("is no setting; see docs/settings.md", field=name)
        values[known[name]] = text
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise InvalidSettings(reason, field=environment_name(path.rstrip("`"))) from error


def _path(kind: type, text: object) -> Path:
    assert kind is Path
    return Path(str(text))
