"""The demonstration's accounts: one for each role, with random passwords and second factors, marked as demo accounts.

They are made anew for every demonstration, and a gate that others can reach refuses to start while one is open.
"""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import pyotp

from ops.store import OPERATOR, transaction
from portal.accounts import store
from portal.accounts.accounts import ISSUER, NEEDS_SECOND_FACTOR
from portal.store import ROLE, Connection, append_audit
from portal.web.passwords import Passwords
from portal.web.secret_box import SecretBox, open_secret_box
from schemas.errors import NotFound, Refused
from schemas.settings import Settings

LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
GROUPS, GROUP = 4, 4  # 79 random bits
DOMAIN: Final = "demo.example"


class Persona(NamedTuple):
    """Who one can be in the demonstration."""

    role: str
    email: str
    name: str
    way: str  # where his pages begin
    area: str = ""


PERSONAS: Final = (
    Persona("ministry", f"kemenkes@{DOMAIN}", "Kemenkes Demo", "/dinas/pengunjung"),
    Persona("office", f"dinkes-banten@{DOMAIN}", "Dinkes Provinsi Banten (demo)", "/dinas", "36"),
    Persona("office", f"dinkes-tangerang@{DOMAIN}", "Dinkes Kota Tangerang (demo)", "/dinas", "36.71"),
    Persona("epidemiologist", f"dr-sari@{DOMAIN}", "dr. Sari (demo)", "/pelacakan", "36"),
    Persona("epidemiologist", f"dr-budi@{DOMAIN}", "dr. Budi (demo)", "/pelacakan", "36"),
    Persona("manager", f"pengelola@{DOMAIN}", "Pengelola RS Demo", "/faskes"),
    Persona("officer", f"petugas@{DOMAIN}", "Petugas RS Demo", "/meja"),
)


class Login(NamedTuple):
    """How somebody signs in."""

    persona: Persona
    password: str
    otpauth: str  # empty: no second factor


def make_demo_accounts(settings: Settings, facility_id: str) -> list[Login]:
    """Make the accounts; manager and officer look after this facility. They can sign in at once.

    Args:
        settings: of a demonstration.
        facility_id: registered already.
    """
    assert settings.demo, "demo accounts are for a demonstration only"
    passwords = [_password() for _ in PERSONAS]
    hashes = asyncio.run(_hashed(passwords))
    box = open_secret_box(settings)
    logins = []
    with transaction(settings, ROLE) as conn:
        now = _now(conn)
        for persona, password, stored in zip(PERSONAS, passwords, hashes, strict=True):
            otpauth = _make(conn, box, persona, stored, facility_id, now)
            logins.append(Login(persona, password, otpauth))
    return logins


def demo_code(settings: Settings, email: str, now: datetime) -> str:
    """Return the code that a demo account's authenticator would show now.

    Raises:
        NotFound: there is no account of this address, or it has no second factor.
        Refused: it is no demo account: whose it is has the only authenticator.
    """
    box = open_secret_box(settings)
    with transaction(settings, OPERATOR) as conn:
        found = store.find_account(conn, email)
        if found is None:
            raise NotFound("no account of that address")
        account = found[0]
        if not (account.demo and settings.demo):
            raise Refused("codes of demo accounts only: any other second factor is its owner's")
        sealed, _ = store.read_totp(conn, account.account_id)
    secret = None if sealed is None else box.open("totp", sealed, account.account_id)
    if secret is None:
        raise NotFound("this account has no second factor: its password is enough")
    return pyotp.TOTP(secret.decode()).at(now)


def _make(conn: Connection, box: SecretBox, persona: Persona, stored: str, facility_id: str, now: datetime) -> str:
    """Make one account; return its second factor as authenticators read it."""
    of_facility = persona.role in {"manager", "officer"}
    account_id = store.add_account(
        conn,
        email=persona.email,
        name=persona.name,
        role=persona.role,
        area="all" if persona.role == "ministry" else persona.area,
        facilities=[facility_id] if of_facility else [],
        demo=True,
    )
    store.set_password(conn, account_id, stored, now)
    append_audit(conn, "demo", "account made", account_id, persona.role)
    if persona.role not in NEEDS_SECOND_FACTOR:
        return ""
    secret = pyotp.random_base32()
    store.set_totp(conn, account_id, box.seal("totp", secret.encode(), account_id), 0)
    return pyotp.TOTP(secret).provisioning_uri(name=persona.email, issuer_name=f"{ISSUER} demo")


def _password() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))


async def _hashed(passwords: Sequence[str]) -> list[str]:
    hasher = Passwords()
    try:
        return list(await asyncio.gather(*map(hasher.hash, passwords)))
    finally:
        hasher.close()


def _now(conn: Connection) -> datetime:
    with conn.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    at = row[0]
    assert isinstance(at, datetime)
    return at
