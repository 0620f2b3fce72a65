"""Sends the portal's mail and SMS, one message at a time, as the settings say; what fails waits and is tried again.

Without a server the messages stay in their table, where the demo shows them.
"""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Final, TypeAlias

import httpx
from litestar import Litestar

from portal.accounts import store
from portal.accounts.sms import as_mail, check_gateway, send_sms
from portal.accounts.store import Mail
from portal.background import running
from portal.desk import Desk
from portal.logs import log
from portal.store import Connection
from schemas.errors import InvalidSettings, JejakError
from schemas.settings import Settings

POLL_S: Final = 2.0
TIMEOUT_S: Final = 8.0

Way: TypeAlias = Callable[[Settings, Mail], None]


@asynccontextmanager
async def sending_mail(app: Litestar) -> AsyncIterator[None]:
    """Send what waits for as long as the application runs.

    Raises:
        InvalidSettings: codes would travel in clear.
    """
    desk: Desk = app.state.desk
    check_gateway(desk.settings)
    if not ways(desk.settings):
        yield
        return
    async with running(_send_all, desk):
        yield


def ways(settings: Settings) -> Mapping[str, Way]:
    """Return how each kind of message is sent; a kind that is not here stays in its table."""
    found: dict[str, Way] = {}
    if settings.smtp_host:
        found["mail"] = send
    if settings.sms_url:
        found["sms"] = send_sms
    elif settings.sms_domain and settings.smtp_host:
        found["sms"] = lambda settings, mail: send(settings, as_mail(settings, mail))
    return found


def send(settings: Settings, mail: Mail) -> None:
    """Hand one message to the server.

    Raises:
        OSError, smtplib.SMTPException: it was not taken.
        InvalidSettings: the user has no password file.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.smtp_from, mail.receiver, mail.subject
    message["Date"], message["Message-ID"] = mail.made_at, f"<{mail.mail_id}@{settings.smtp_from.rpartition('@')[2]}>"
    message.set_content(mail.body)
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S) as server:
        if settings.smtp_tls:
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            server.login(settings.smtp_user, _password(settings))
        server.send_message(message)


async def _send_all(desk: Desk) -> None:
    while True:
        try:
            is_sent = await desk.read(_send_next, desk.settings)
        except JejakError as error:
            log().warning("mail waits", error=type(error).__name__)
            is_sent = False
        if not is_sent:
            await asyncio.sleep(POLL_S)


def _send_next(conn: Connection, settings: Settings) -> bool:
    """Send one message that is due; say whether there may be more."""
    now, known = datetime.now(UTC), ways(settings)
    mail = store.take_mail(conn, now, list(known))
    if mail is None:
        return False
    try:
        known[mail.kind](settings, mail)
    except (OSError, smtplib.SMTPException, httpx.HTTPError) as error:
        log().warning("mail waits", error=type(error).__name__)
        store.mark_mail(conn, mail.mail_id, now, sent=False)
        return False
    store.mark_mail(conn, mail.mail_id, now, sent=True)
    return True


def _password(settings: Settings) -> str:
    try:
        return settings.secret_file("smtp", settings.smtp_user).read_text().strip()
    except OSError as error:
        raise InvalidSettings(
            f"has no readable password file for smtp/{settings.smtp_user}", field="JEJAK_SECRETS"
        ) from error
