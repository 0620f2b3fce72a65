"""What an account goes through: invited by a link of 24 hours, activated by a password, signed in, by two factors.

The answer to a wrong password, an unknown address and a closed account is the same, in words and in time. Tokens have
256 random bits and are stored hashed; a new one is given at every step up.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyotp

from portal.accounts import store
from portal.accounts.store import Account, Session
from portal.desk import Desk
from portal.keys import area_of
from portal.limits import Limits, Window
from portal.store import Connection, append_audit
from portal.web.pages import FormError, NotSignedIn
from portal.web.passwords import Passwords, weakness
from portal.web.secret_box import SecretBox
from portal.web.words import say
from schemas.errors import BadInput, NotFound

ROLES: Final = ("manager", "officer", "ministry", "office", "epidemiologist")
OF_FACILITY: Final = frozenset({"manager", "officer"})
NEEDS_SECOND_FACTOR: Final = frozenset({"ministry", "office", "epidemiologist"})
ACTIVATION: Final = timedelta(hours=24)
RESET: Final = timedelta(hours=1)
IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=8)
TRIES_PER_MINUTE: Final = 10  # for one address of mail
CODES_PER_HOUR: Final = 30  # of one account: three of a million codes are right at a time
LETTERS_PER_HOUR: Final = 5  # to one address: nobody else fills a mailbox
CODE_STEP_S: Final = 30
CODE_DRIFT: Final = 1  # steps that a telephone's clock may be off
ISSUER: Final = "Jejak"
EMAIL_MAX: Final = 254

_email = re.compile(r"[^@\s,;<>\"]{1,64}@[a-z0-9.-]{1,180}\.[a-z]{2,24}")


def utc_now() -> datetime:
    """Return the wall clock's instant."""
    return datetime.now(UTC)


class Accounts:
    """Signs people in and out; one per gate process."""

    def __init__(
        self,
        desk: Desk,
        box: SecretBox,
        *,
        now: Callable[[], datetime] = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._box = box
        self._now = now
        self._seconds = seconds
        self.passwords = Passwords()
        self._tries = Limits(TRIES_PER_MINUTE)
        self._codes = Window(CODES_PER_HOUR, 3600)
        self._letters = Window(LETTERS_PER_HOUR, 3600)

    async def session(self, token: str) -> Session | None:
        """Return the session of a cookie, if it has not ended."""
        if not token:
            return None
        return await self._desk.read(store.find_session, hash_of(token), self._now(), IDLE, LONGEST)

    async def sign_in(self, email: str, password: str) -> tuple[str, str]:
        """Return the token of a new session, and its stage.

        Raises:
            FormError: address and password are not those of an active account; which of them is not said.
            TooMany: this address was tried too often.
        """
        email = email.strip().lower()
        self._tries.take(f"password|{email}", self._seconds())
        found = await self._desk.read(store.find_account, email)
        account, stored = found or (None, None)
        is_right = await self.passwords.matches(stored, password)
        if account is None or not is_right or not account.is_active:
            raise FormError({"email": "login.wrong"})

        def begin(conn: Connection) -> tuple[str, str]:
            held = store.hold_account(conn, account.account_id)
            if held is None or held[1] != stored:  # closed, or another password, while we looked
                raise FormError({"email": "login.wrong"})
            return self._begin(conn, held[0], stage_of(held[0]))

        return await self._desk.read(begin)

    async def enter_code(self, token: str, session: Session, code: str) -> tuple[str, str]:
        """Step up by a code of the second factor: the token of a new session, and its stage.

        Raises:
            FormError: the code is wrong, or was used before.
            NotSignedIn: the session ended meanwhile.
            TooMany: too many codes were tried.
        """
        account = session.account
        self._codes.take(account.account_id, self._seconds())
        await self._desk.read(self._use_code, account, code)

        def step_up(conn: Connection) -> tuple[str, str]:
            self._end(conn, token, account)
            return self._begin(conn, account, "full")

        return await self._desk.read(step_up)

    def new_secret(self, token: str) -> str:
        """Return the second factor that this session may take: the same each time it asks, and nobody else's."""
        return pyotp.random_base32() if not token else _base32(self._box.tag("totp offer", token))

    async def enrol(self, token: str, session: Session, code: str, password: str = "") -> tuple[str, str]:
        """Take the second factor that was offered, proved by a code of it.

        Whoever is signed in already says the password again: a session that was taken over must not become an account.

        Raises:
            FormError: the code or the password is wrong.
            NotSignedIn: the session ended meanwhile.
            TooMany: this address was tried too often.
        """
        if session.stage == "full":
            await self._check_password_again(session.account, password)
        secret = self.new_secret(token)
        step = matching_step(secret, code, self._now().timestamp(), after=0)
        if step is None:
            raise FormError({"code": "login.code_wrong"})
        account = session.account
        sealed = self._box.seal("totp", secret.encode(), account.account_id)

        def keep(conn: Connection) -> tuple[str, str]:
            self._end(conn, token, account)
            store.set_totp(conn, account.account_id, sealed, step)
            store.end_sessions(conn, account.account_id)  # those that began without it, too
            append_audit(conn, account.email, "second factor set", account.account_id, "")
            return self._begin(conn, account, "full")

        return await self._desk.read(keep)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        await self._desk.read(store.end_session, hash_of(token))

    async def keep_language(self, account: Account, language: str) -> None:
        """Write to somebody in this language from now on."""
        await self._desk.read(store.set_language, account.account_id, language)

    async def whose_link(self, token: str) -> Account | None:
        """Return whom a link belongs to, if it can still be used."""
        return await self._desk.read(store.find_link, hash_of(token), self._now())

    async def set_password(self, token: str, password: str, again: str) -> tuple[str, str]:
        """Set the password by a link, which is used up; every session ends, and a new one begins.

        Raises:
            FormError: the password will not do (the link stays), or the link is over.
        """
        account = await self.whose_link(token)
        if account is None:
            raise FormError({"": "login.link_over"})
        _check_password(password, again, account)
        stored = await self.passwords.hash(password)
        now = self._now()

        def keep(conn: Connection) -> tuple[str, str]:
            held = store.hold_account(conn, account.account_id)
            if held is None or not store.use_link(conn, hash_of(token), now):
                raise FormError({"": "login.link_over"})
            store.set_password(conn, account.account_id, stored, now)
            append_audit(conn, account.email, "password set", account.account_id, "")
            return self._begin(conn, account, stage_of(held[0]))

        return await self._desk.read(keep)

    async def forget(self, email: str, url: str) -> None:
        """Send a link to set a new password, if the address has an account; says nothing either way.

        Whose first link ended unused is sent another of that kind.

        Raises:
            TooMany: it was asked for too often.
        """
        email = email.strip().lower()
        self._letters.take(email, self._seconds())

        def leave(conn: Connection) -> None:
            found = store.find_account(conn, email)
            held = None if found is None else store.hold_account(conn, found[0].account_id)
            if held is not None:
                send_link(conn, held[0], "reset" if held[0].is_active else "activate", url, now=self._now())

        await self._desk.read(leave)

    async def _check_password_again(self, account: Account, password: str) -> None:
        self._tries.take(f"password|{account.email}", self._seconds())
        found = await self._desk.read(store.find_account, account.email)
        if not await self.passwords.matches(None if found is None else found[1], password):
            raise FormError({"password": "login.password_wrong"})

    def _use_code(self, conn: Connection, account: Account, code: str) -> None:
        sealed, last = store.read_totp(conn, account.account_id)
        secret = None if sealed is None else self._box.open("totp", sealed, account.account_id)
        step = None if secret is None else matching_step(secret.decode(), code, self._now().timestamp(), after=last)
        if step is None:
            raise FormError({"code": "login.code_wrong"})
        store.set_totp(conn, account.account_id, None, step)

    def _end(self, conn: Connection, token: str, account: Account) -> None:
        """End the session that another takes the place of; one that was ended meanwhile is not brought back."""
        if store.hold_account(conn, account.account_id) is None or not store.end_session(conn, hash_of(token)):
            raise NotSignedIn("the session has ended")

    def _begin(self, conn: Connection, account: Account, stage: str) -> tuple[str, str]:
        """Begin a session in the transaction that holds the account: whoever ends all sessions ends this one too."""
        token, now = secrets.token_urlsafe(32), self._now()
        store.remove_ended(conn, now, LONGEST)
        store.add_session(conn, hash_of(token), account.account_id, stage, now)
        if stage == "full":
            append_audit(conn, account.email, "signed in", account.account_id, "")
        return token, stage


def stage_of(account: Account) -> str:
    """Return what is still missing after a right password."""
    if account.has_totp:
        return "code"
    return "enrol" if account.role in NEEDS_SECOND_FACTOR else "full"


def invite(
    conn: Connection,
    *,
    email: str,
    name: str,
    role: str,
    url: str,
    area: str = "",
    facilities: Sequence[str] = (),
    demo: bool = False,
) -> str:
    """Make an account and leave it a mail with the link that activates it; return the link's address.

    Raises:
        BadInput: names the field that is missing, malformed or not for this role.
        Conflict: the address has an account.
        NotFound: there is no such facility.
    """
    email = checked_email(email)
    if not name.strip():
        raise BadInput("is empty", field="name")
    if role not in ROLES:
        raise BadInput("is not one of the allowed values", field="role")
    if (role in OF_FACILITY) != bool(facilities):
        raise BadInput("a manager or officer has facilities, nobody else", field="facility")
    if role in {"office", "epidemiologist"} and not area:
        raise BadInput(f"an {role} has an area", field="area")
    account_id = store.add_account(
        conn,
        email=email,
        name=" ".join(name.split()),
        role=role,
        area="all" if role == "ministry" else area_of(area),
        facilities=facilities,
        demo=demo,
    )
    found = store.find_account(conn, email)
    assert found is not None
    append_audit(conn, email, "account made", account_id, role)
    return send_link(conn, found[0], "activate", url)


def renew(conn: Connection, email: str, url: str, by: str) -> str:
    """Let an account begin again, without password and second factor; return the link that activates it.

    For a telephone that was lost, and for a closed account that is wanted again.

    Raises:
        NotFound: the address has no account.
    """
    found = store.find_account(conn, checked_email(email))
    if found is None:
        raise NotFound("no account of that address")
    store.renew_account(conn, found[0].account_id)
    append_audit(conn, by, "account renewed", found[0].account_id)
    return send_link(conn, found[0], "activate", url)


def send_link(conn: Connection, account: Account, purpose: str, url: str, *, now: datetime | None = None) -> str:
    """Leave a mail with a new single-use link; return its address, which nobody can show again."""
    token = secrets.token_urlsafe(32)
    lasts = ACTIVATION if purpose == "activate" else RESET
    store.add_link(conn, account.account_id, purpose, hash_of(token), (now or utc_now()) + lasts)
    address = f"{url}/sandi/{token}"
    language = account.language
    assert language in {"id", "en"}
    body = say(language, f"mail.{purpose}", name=account.name, address=address)  # type: ignore[arg-type]  # it is one
    store.add_mail(conn, account.email, say(language, f"mail.{purpose}_subject"), body)  # type: ignore[arg-type]  # it is one
    return address


def checked_email(text: str) -> str:
    """Return an address in lower case.

    Raises:
        BadInput: it is none (field `email`).
    """
    email = text.strip().lower()
    if len(email) > EMAIL_MAX or not _email.fullmatch(email):
        raise BadInput("is no address of mail", field="email")
    return email


def matching_step(secret: str, code: str, now_s: float, *, after: int) -> int | None:
    """Return which half minute a code belongs to, if it is right and later than the one used last."""
    digits = re.sub(r"\s", "", code)
    totp, now = pyotp.TOTP(secret), int(now_s) // CODE_STEP_S
    for step in range(now - CODE_DRIFT, now + CODE_DRIFT + 1):
        if step > after and secrets.compare_digest(totp.at(step * CODE_STEP_S).encode(), digits.encode()):
            return step
    return None


def hash_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def _check_password(password: str, again: str, account: Account) -> None:
    weak = weakness(password, [account.email, account.name, *account.facilities])
    if weak:
        raise FormError({"password": weak})
    if password != again:
        raise FormError({"again": "password.differs"})


def _base32(data: bytes) -> str:
    return base64.b32encode(data[:20]).decode()
