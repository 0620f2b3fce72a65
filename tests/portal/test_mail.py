"""The portal's mail, taken by a real SMTP server."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller

from ops.embedded.home import free_port
from ops.store import OPERATOR, transaction
from portal.accounts.accounts import invite
from portal.facility_file import put_all
from schemas.settings import Settings
from tests.commands import wait_until
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.person import Person
from tests.portal.test_accounts import GOOD, new_address


class Office:
    """A server's memory; it refuses as long as it is closed."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.refused = 0
        self.is_closed = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 — aiosmtpd's
        """Take a letter."""
        if self.is_closed:
            self.refused += 1
            return "451 come again"
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture(scope="module")
def office() -> Iterator[tuple[Office, int]]:
    taken = Office()
    port = free_port()
    server = Controller(taken, hostname="127.0.0.1", port=port)
    server.start()
    yield taken, port
    server.stop()


@pytest.fixture(scope="module")
def gate(
    installation: Settings, office: tuple[Office, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gate]:
    with transaction(installation, OPERATOR) as conn:
        put_all(conn, list(enumerate(FACILITIES)))
    settings = msgspec.structs.replace(installation, smtp_host="127.0.0.1", smtp_port=office[1], smtp_tls=False)
    running = Gate(settings, Path(tmp_path_factory.mktemp("gate"))).start()
    yield running
    running.stop()


def test_a_letter_is_sent_once_its_link_works_and_its_body_is_forgotten(gate: Gate, office: tuple[Office, int]) -> None:
    email = new_address()
    with transaction(gate.settings, OPERATOR) as conn:
        invite(conn, email=email, name="Ani", role="manager", facilities=["RS-A"], url=gate.url)
    wait_until(lambda: any(letter["To"] == email for letter in office[0].letters))
    (letter,) = [letter for letter in office[0].letters if letter["To"] == email]
    assert (letter["From"], letter["Subject"]) == ("jejak@localhost", "Aktifkan akun Jejak Anda")
    text = letter.get_content()  # type: ignore[attr-defined]  # the policy makes it an EmailMessage
    link = re.search(re.escape(gate.url) + r"(/sandi/\S+)", text)
    assert link is not None
    person = Person(gate.url)
    person.open(link[1])
    assert person.send(link[1], password=GOOD, again=GOOD).status_code == 200
    assert kept(gate, email) == [("", True)]


def test_what_the_server_refuses_waits_and_comes_later(gate: Gate, office: tuple[Office, int]) -> None:
    email = new_address()
    office[0].is_closed = True
    with transaction(gate.settings, OPERATOR) as conn:
        invite(conn, email=email, name="Ani", role="manager", facilities=["RS-A"], url=gate.url)
    wait_until(lambda: office[0].refused > 0)
    ((body, is_sent),) = kept(gate, email)
    assert "/sandi/" in body
    assert not is_sent
    office[0].is_closed = False
    wait_until(lambda: kept(gate, email) == [("", True)])
    assert [letter["To"] for letter in office[0].letters].count(email) == 1


def kept(gate: Gate, email: str) -> list[tuple[str, bool]]:
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cursor:
        cursor.execute("select body, sent_at is not null from mail where receiver = %s", (email,))
        return list(cursor.fetchall())
