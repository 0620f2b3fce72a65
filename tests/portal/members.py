"""Somebody with an account, signed in: the way in itself is tested with the accounts."""

import secrets
from datetime import UTC, datetime
from typing import Final

from playwright.sync_api import Browser

from ops.store import transaction
from portal.accounts import store
from portal.accounts.accounts import hash_of
from portal.accounts.guard import SESSION_COOKIE
from portal.store import ROLE
from tests.portal.browser import Watched
from tests.portal.conftest import Gate
from tests.portal.person import Person

STAGE: Final = "full"


class Member(Person):
    """A person whose session has begun."""

    def __init__(self, gate: Gate, role: str, area: str = "", name: str = "") -> None:
        super().__init__(gate.url)
        self.email = f"{name or role}-{secrets.token_hex(4)}@contoh.go.id"
        self.token = secrets.token_urlsafe(32)
        with transaction(gate.settings, ROLE) as conn:
            account_id = store.add_account(
                conn, email=self.email, name="Ani Wijaya", role=role, area=area, facilities=[], demo=False
            )
            store.set_password(conn, account_id, "no hash: nobody signs in with it", datetime.now(UTC))
            store.add_session(conn, hash_of(self.token), account_id, STAGE, datetime.now(UTC))
        self.cookies[SESSION_COOKIE] = self.token

    def in_browser(self, browser: Browser, size: dict[str, int]) -> Watched:
        """Return a page in which this person is signed in."""
        watched = Watched(browser, self.url, size)
        watched.context.add_cookies(
            [
                {
                    "name": SESSION_COOKIE,
                    "value": self.token,
                    "url": self.url.replace("http:", "https:"),
                    "secure": True,
                    "httpOnly": True,
                }
            ]
        )
        return watched
