"""SQL of accounts, sessions, links and mail. Takes a connection; the one who holds it commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg2 import errors

from portal.store import Connection
from schemas.errors import Conflict, NotFound


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account without its secrets."""

    account_id: str
    email: str
    name: str
    role: str
    area: str
    language: str
    demo: bool
    is_active: bool
    has_totp: bool
    facilities: tuple[str, ...] = ()  # of a manager or officer: facility ids


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that has not ended."""

    account: Account
    stage: str  # full, or what is missing: code, enrol


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A message, as it was left to be sent."""

    mail_id: int
    receiver: str
    subject: str
    body: str
    made_at: datetime
    sent_at: datetime | None
    kind: str  # mail, sms


_ACCOUNT: Final = (
    "select a.account_id::text, a.email, a.name, a.role, a.area, a.language, a.demo,"
    " a.activated_at is not null and a.closed_at is null, a.totp is not null,"
    " array(select f.facility_id from account_facility m join facility f using (facility_no)"
    ' where m.account_id = a.account_id order by f.facility_id collate "C")'
)
_MAIL: Final = "select mail_id, receiver, subject, body, made_at, sent_at, kind from mail"
SMS_LASTS: Final = timedelta(minutes=10)  # a code that comes later is of no use


def add_account(
    conn: Connection, *, email: str, name: str, role: str, area: str, facilities: Sequence[str], demo: bool
) -> str:
    """Store a new account; return its id.

    Raises:
        Conflict: the address has one already.
        NotFound: one of the facilities is not there.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute(
                "insert into account (email, name, role, area, demo) values (%s, %s, %s, %s, %s)"
                " returning account_id::text",
                (email, name, role, area, demo),
            )
        except errors.UniqueViolation as error:
            raise Conflict("this address has an account already") from error
        row = cursor.fetchone()
        assert row is not None
    add_facilities(conn, row[0], facilities)
    return str(row[0])


def add_facilities(conn: Connection, account_id: str, facilities: Sequence[str]) -> None:
    """Give an account more facilities to look after.

    Raises:
        NotFound: one of them is not there.
    """
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into account_facility select %s, facility_no from facility where facility_id = any(%s)"
            " on conflict do nothing",
            (account_id, list(facilities)),
        )
        cursor.execute("select count(*) from facility where facility_id = any(%s)", (list(facilities),))
        row = cursor.fetchone()
    if row != (len(set(facilities)),):
        raise NotFound("no such facility")


def find_account(conn: Connection, email: str) -> tuple[Account, str | None] | None:
    """Return the account of an address with its stored password."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_ACCOUNT}, a.password from account a where a.email = %s", (email,))
        row = cursor.fetchone()
    return None if row is None else (_account(row[:-1]), row[-1])


def list_accounts(conn: Connection) -> list[Account]:
    """Return all accounts by address."""
    with conn.cursor() as cursor:
        cursor.execute(f"{_ACCOUNT} from account a order by a.email")
        return [_account(row) for row in cursor.fetchall()]


def read_totp(conn: Connection, account_id: str) -> tuple[bytes | None, int]:
    """Return the sealed second factor and the step of the code used last, locked until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute("select totp, totp_step from account where account_id = %s for update", (account_id,))
        row = cursor.fetchone()
    assert row is not None
    return (None if row[0] is None else bytes(row[0])), row[1]


def set_totp(conn: Connection, account_id: str, sealed: bytes | None, step: int) -> None:
    """Store the second factor (None: leave it) and the step of the code that was used."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update account set totp = coalesce(%s, totp), totp_step = %s where account_id = %s",
            (sealed, step, account_id),
        )


def set_language(conn: Connection, account_id: str, language: str) -> None:
    """Keep the language an account's mail is written in."""
    with conn.cursor() as cursor:
        cursor.execute("update account set language = %s where account_id = %s", (language, account_id))


def set_password(conn: Connection, account_id: str, password: str, at: datetime) -> None:
    """Store a new password, activate the account by its first, and end every session."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update account set password = %s, activated_at = coalesce(activated_at, %s) where account_id = %s",
            (password, at, account_id),
        )
    end_sessions(conn, account_id)


def close_account(conn: Connection, account_id: str, at: datetime) -> None:
    """Close an account and end its sessions."""
    with conn.cursor() as cursor:
        cursor.execute("update account set closed_at = coalesce(closed_at, %s) where account_id = %s", (at, account_id))
    end_sessions(conn, account_id)


def renew_account(conn: Connection, account_id: str) -> None:
    """Take away password and second factor, open the account again if it was closed, and end its sessions."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update account set closed_at = null, activated_at = null, password = null, totp = null, totp_step = 0"
            " where account_id = %s",
            (account_id,),
        )
    end_sessions(conn, account_id)


def add_link(conn: Connection, account_id: str, purpose: str, token_hash: bytes, ends_at: datetime) -> None:
    """Store a link; those of the same purpose that nobody used end with it."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update link set used_at = clock_timestamp() where account_id = %s and purpose = %s and used_at is null",
            (account_id, purpose),
        )
        cursor.execute(
            "insert into link (hash, account_id, purpose, ends_at) values (%s, %s, %s, %s)",
            (token_hash, account_id, purpose, ends_at),
        )


def find_link(conn: Connection, token_hash: bytes, at: datetime) -> Account | None:
    """Return whose link it is, if it still can be used."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_ACCOUNT} from link l join account a using (account_id)"
            " where l.hash = %s and l.used_at is null and l.ends_at > %s and a.closed_at is null",
            (token_hash, at),
        )
        row = cursor.fetchone()
    return None if row is None else _account(row)


def use_link(conn: Connection, token_hash: bytes, at: datetime) -> bool:
    """Use a link up; say whether it could be: of two who use it at once, one can."""
    with conn.cursor() as cursor:
        cursor.execute(
            "update link set used_at = %s where hash = %s and used_at is null and ends_at > %s", (at, token_hash, at)
        )
        return cursor.rowcount == 1


def add_session(conn: Connection, token_hash: bytes, account_id: str, stage: str, at: datetime) -> None:
    """Begin a session."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into session (hash, account_id, stage, made_at, seen_at) values (%s, %s, %s, %s, %s)",
            (token_hash, account_id, stage, at, at),
        )


def find_session(
    conn: Connection, token_hash: bytes, at: datetime, idle: timedelta, longest: timedelta
) -> Session | None:
    """Return a session that has not ended, and note that it was used."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_ACCOUNT}, s.stage, s.seen_at from session s join account a using (account_id)"
            " where s.hash = %s and s.seen_at > %s and s.made_at > %s and a.closed_at is null",
            (token_hash, at - idle, at - longest),
        )
        row = cursor.fetchone()
        if row is None:
            return None
        if at - row[-1] > idle / 15:
            cursor.execute("update session set seen_at = greatest(seen_at, %s) where hash = %s", (at, token_hash))
    return Session(account=_account(row[:-2]), stage=row[-2])


def hold_account(conn: Connection, account_id: str) -> tuple[Account, str | None] | None:
    """Return an account that is not closed, with its stored password; it stays so until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_ACCOUNT}, a.password from account a where a.account_id = %s and a.closed_at is null"
            " for no key update of a",
            (account_id,),
        )
        row = cursor.fetchone()
    return None if row is None else (_account(row[:-1]), row[-1])


def end_session(conn: Connection, token_hash: bytes) -> bool:
    """End a session; say whether it was there."""
    with conn.cursor() as cursor:
        cursor.execute("delete from session where hash = %s", (token_hash,))
        return cursor.rowcount == 1


def end_sessions(conn: Connection, account_id: str) -> None:
    """End every session of an account."""
    with conn.cursor() as cursor:
        cursor.execute("delete from session where account_id = %s", (account_id,))


def remove_ended(conn: Connection, at: datetime, longest: timedelta) -> None:
    """Remove sessions and mail that are long over."""
    with conn.cursor() as cursor:
        cursor.execute("delete from session where made_at < %s", (at - longest,))
        cursor.execute("delete from mail where sent_at < %s", (at - timedelta(days=30),))


def add_mail(conn: Connection, receiver: str, subject: str, body: str) -> None:
    """Leave a message to be sent once this transaction is committed."""
    with conn.cursor() as cursor:
        cursor.execute("insert into mail (receiver, subject, body) values (%s, %s, %s)", (receiver, subject, body))


def add_sms(conn: Connection, number: str, text: str, at: datetime, *, wanted: bool) -> None:
    """Leave a message for a telephone, and forget those that are too old; the same statements where none is wanted."""
    with conn.cursor() as cursor:
        cursor.execute(
            "insert into mail (receiver, subject, body, kind) select %s, 'SMS', %s, 'sms' where %s",
            (number, text, wanted),
        )
        cursor.execute("delete from mail where kind = 'sms' and sent_at is null and made_at < %s", (at - SMS_LASTS,))


def take_mail(conn: Connection, at: datetime, kinds: Sequence[str]) -> Mail | None:
    """Return a message of one of these kinds that is due, locked until the transaction ends."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_MAIL} where sent_at is null and next_at <= %s and kind = any(%s)"
            " and (kind <> 'sms' or made_at >= %s) order by next_at limit 1 for update skip locked",
            (at, list(kinds), at - SMS_LASTS),
        )
        row = cursor.fetchone()
    return None if row is None else _mail(row)


def mark_mail(conn: Connection, mail_id: int, at: datetime, *, sent: bool) -> None:
    """Note that a message was sent, and forget its body, and whose telephone; or that it is to be tried again later."""
    with conn.cursor() as cursor:
        if sent:
            cursor.execute(
                "update mail set sent_at = %s, body = '', receiver = case kind when 'sms' then '' else receiver end"
                " where mail_id = %s",
                (at, mail_id),
            )
        else:
            cursor.execute(
                "update mail set tries = tries + 1, next_at = %s + least(3600, 5 * 2 ^ tries) * interval '1 second'"
                " where mail_id = %s",
                (at, mail_id),
            )


def list_mail(conn: Connection, limit: int) -> list[Mail]:
    """Return the latest messages, the newest first."""
    with conn.cursor() as cursor:
        cursor.execute(
            f"{_MAIL} order by mail_id desc limit %s",
            (limit,),
        )
        return [_mail(row) for row in cursor.fetchall()]


def _account(row: Sequence[Any]) -> Account:
    names = Account.__struct_fields__
    return Account(**dict(zip(names, (*row[:-1], tuple(row[-1])), strict=True)))


def _mail(row: Sequence[Any]) -> Mail:
    return Mail(**dict(zip(Mail.__struct_fields__, row, strict=True)))
