"""A code for a visitor, taken by a real HTTP gateway; what it refuses comes again, and nothing of it stays."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.store import OPERATOR, transaction
from portal.accounts.mail import ways
from portal.accounts.sms import as_mail, check_gateway
from portal.accounts.store import Mail
from portal.facility_file import put_all
from schemas.errors import InvalidSettings
from schemas.settings import Settings
from tests.portal.conftest import FACILITIES, Gate
from tests.portal.phone import Phone
from tests.portal.test_mail import Office, office
from tests.portal.visiting import execute, new_nik, new_phone, registered

__all__ = ["office"]
TOKEN = "gateway-token"


class Gateway(ThreadingHTTPServer):
    """Takes messages; refuses as long as it is closed."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.is_closed = False
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        """Take a message."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.server.is_closed or self.headers["authorization"] != f"Bearer {TOKEN}":
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.taken.append(body)
            self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def gate(installation: Settings, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with transaction(installation, OPERATOR) as conn:
        put_all(conn, list(enumerate(FACILITIES)))
    settings = msgspec.structs.replace(installation, sms_url=f"http://127.0.0.1:{gateway.server_port}/sms")
    token = settings.secret_file("sms", "token")
    token.parent.mkdir(exist_ok=True, mode=0o700)
    token.write_text(f"{TOKEN}\n")
    running = Gate(settings, Path(tmp_path_factory.mktemp("gate"))).start()
    yield running
    running.stop()
    token.unlink()


def wait_for(gateway: Gateway, number: int) -> None:
    deadline = time.monotonic() + 30
    while len(gateway.taken) < number:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_code_reaches_the_gateway_after_it_refused_and_the_row_is_emptied(gate: Gate, gateway: Gateway) -> None:
    nik, number = new_nik(), new_phone()
    registered(gate, nik, number)
    phone = Phone(gate.url)
    phone.claim(nik)
    gateway.is_closed = True
    assert phone.ask("otp").status_code == 202
    deadline = time.monotonic() + 30
    while not gateway.refused:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    gateway.is_closed = False
    wait_for(gateway, 1)
    (message,) = gateway.taken
    assert message["to"] == number
    code = "".join(filter(str.isdigit, message["text"]))[:6]
    assert phone.ask("otp/confirm", code, code=code).json() == {"proven": True}
    deadline = time.monotonic() + 10
    while execute(gate, "select receiver, body, sent_at is null from mail where kind = 'sms'") != [("", "", False)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    log = gate.stderr.read_text()
    assert number not in log
    assert code not in log


def test_a_code_that_waited_ten_minutes_is_not_sent_any_more(gate: Gate, gateway: Gateway) -> None:
    before = len(gateway.taken)
    old = "insert into mail (receiver, subject, body, kind, made_at) values (%s, 'SMS', %s, 'sms', now() - interval %s)"
    execute(gate, old, "+62811", "too late", "11 minutes")
    execute(gate, old, "+62812", "in time", "9 minutes")
    wait_for(gateway, before + 1)
    assert [message["text"] for message in gateway.taken[before:]] == ["in time"]
    nik = new_nik()
    registered(gate, nik, new_phone())
    phone = Phone(gate.url)
    phone.claim(nik)
    phone.ask("otp")
    assert execute(gate, "select count(*) from mail where receiver = '+62811'") == [(0,)]


def test_a_gateway_that_takes_mail_gets_mail_at_the_number(office: tuple[Office, int]) -> None:
    letters, port = office
    settings = Settings(smtp_host="127.0.0.1", smtp_port=port, smtp_tls=False, sms_domain="sms.example.go.id")
    mail = Mail(
        mail_id=1,
        receiver="+62812",
        subject="SMS",
        body="Kode: 123456",
        made_at=datetime.now(UTC),
        sent_at=None,
        kind="sms",
    )
    assert as_mail(settings, mail).receiver == "62812@sms.example.go.id"
    assert set(ways(settings)) == {"mail", "sms"}
    before = len(letters.letters)
    ways(settings)["sms"](settings, mail)
    assert letters.letters[before]["To"] == "62812@sms.example.go.id"
    assert "123456" in letters.letters[before].get_payload()


def test_without_a_gateway_there_is_no_way_and_in_clear_only_within_the_house() -> None:
    assert not ways(Settings())
    assert set(ways(Settings(smtp_host="mail"))) == {"mail"}
    for url in ("https://sms.example.go.id/send", "http://127.0.0.1:1/", "http://localhost/", ""):
        check_gateway(Settings(sms_url=url))
    check_gateway(Settings(sms_url="http://sms.internal/", private_network=True))
    with pytest.raises(InvalidSettings, match="JEJAK_SMS_URL"):
        check_gateway(Settings(sms_url="http://sms.example.go.id/"))
