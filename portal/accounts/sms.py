"""Hands a message for a telephone to the gateway of the settings, over HTTP or as mail to `<number>@<domain>`."""

from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from portal.accounts.store import Mail
from schemas.errors import InvalidSettings
from schemas.network import is_loopback
from schemas.settings import Settings

TIMEOUT_S: Final = 8.0


def send_sms(settings: Settings, mail: Mail) -> None:
    """Send one message: `{"to": "+62…", "text": "…", "id": "…"}`; any 2xx means that it was taken.

    Raises:
        httpx.HTTPError: it was not taken.
        InvalidSettings: the token cannot be read.
    """
    headers = {"Authorization": f"Bearer {token}"} if (token := _token(settings)) else {}
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        body = {"to": mail.receiver, "text": mail.body, "id": str(mail.mail_id)}
        client.post(settings.sms_url, json=body, headers=headers).raise_for_status()


def as_mail(settings: Settings, mail: Mail) -> Mail:
    """Return a message as a gateway that is reached by mail takes it."""
    return msgspec.structs.replace(mail, receiver=f"{mail.receiver.lstrip('+')}@{settings.sms_domain}")


def check_gateway(settings: Settings) -> None:
    """Raise InvalidSettings where codes would travel in clear beyond this machine."""
    parts = urlsplit(settings.sms_url)
    if parts.scheme == "http" and not (settings.private_network or is_loopback(parts.hostname or "")):
        raise InvalidSettings("a gateway beyond loopback needs https", field="JEJAK_SMS_URL")


def _token(settings: Settings) -> str:
    path = settings.secret_file("sms", "token")
    try:
        return path.read_text().strip() if path.is_file() else ""
    except OSError as error:
        raise InvalidSettings("has no readable token for sms", field="JEJAK_SECRETS") from error
