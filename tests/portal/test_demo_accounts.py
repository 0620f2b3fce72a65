"""The demonstration's accounts on a real gate: every one signs in, each where the table says; none beyond loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pyotp
import pytest

from ops.demo import facility as demo_facility
from ops.demo.accounts import PERSONAS, Login, make_demo_accounts
from ops.store import OPERATOR, transaction
from portal.accounts import store as accounts
from portal.accounts.accounts import NEEDS_SECOND_FACTOR
from portal.posters.check import PATH
from portal.store import FacilityRow, put_facility
from portal.web.passwords import weakness
from tests.commands import jejak
from tests.portal.conftest import Gate
from tests.portal.person import Person
from tests.portal.test_accounts import invited
from tests.portal.test_commands import refused
from tests.portal.test_results_and_traces import run_sql


@pytest.fixture(scope="module")
def logins(gate: Gate) -> Iterator[list[Login]]:
    row = FacilityRow(0, demo_facility.FACILITY, "RS Demo", "hospital", "government", "Asia/Jakarta", "36.71")
    with transaction(gate.settings, OPERATOR) as conn:
        put_facility(conn, row)
    demo_facility.open_doors(gate.settings, gate.url, datetime.now(UTC))
    yield make_demo_accounts(gate.settings, demo_facility.FACILITY)
    with transaction(gate.settings, OPERATOR) as conn:
        for one in accounts.list_accounts(conn):
            accounts.close_account(conn, one.account_id, datetime.now(UTC))


def test_every_demo_account_signs_in_and_its_pages_are_there(gate: Gate, logins: list[Login]) -> None:
    assert len({login.password for login in logins}) == len(logins) == len(PERSONAS)
    for persona, password, otpauth in logins:
        assert weakness(password, [persona.email, persona.name]) == ""
        assert bool(otpauth) == (persona.role in NEEDS_SECOND_FACTOR)
        person = Person(gate.url)
        person.open("/masuk")
        person.send("/masuk", email=persona.email, password=password, goal="")
        if otpauth:
            assert person.path == "/masuk/kode"
            code = jejak(gate.settings, "accounts", "code", persona.email)
            assert code.returncode == 0, code.stderr
            assert pyotp.parse_uri(otpauth).verify(code.stdout.strip(), valid_window=1)  # type: ignore[attr-defined]  # TOTP
            person.send("/masuk/kode", code=code.stdout.strip(), goal="")
        page = person.open(persona.way)
        assert page.status_code == 200, persona
        assert person.path == persona.way or demo_facility.FACILITY in person.path
        assert "DEMO" in page.text


def test_the_demo_facility_has_its_doors_with_posters_and_details(gate: Gate, logins: list[Login]) -> None:
    manager = next(login for login in logins if login.persona.role == "manager")
    person = Person(gate.url)
    person.open("/masuk")
    person.send("/masuk", email=manager.persona.email, password=manager.password, goal="")
    doors = person.open(f"/faskes/{demo_facility.FACILITY}/gerbang")
    assert "Pintu utama" in doors.text
    assert "Bangsal Melati" in doors.text
    listed = jejak(gate.settings, "posters", "list", demo_facility.FACILITY).stdout.splitlines()
    assert len(listed) == 2 + len(demo_facility.ZONES)
    assert all(PATH in line for line in listed)
    assert "dari kapasitas 150 orang" in person.open(f"/faskes/{demo_facility.FACILITY}").text


def test_a_code_of_any_other_account_is_its_owners_alone(gate: Gate, logins: list[Login]) -> None:
    assert logins
    email, _ = invited(gate, "office", area="36.71")
    assert "demo accounts only" in refused(jejak(gate.settings, "accounts", "code", email))
    manager = next(login.persona.email for login in logins if not login.otpauth)
    assert "no second factor" in refused(jejak(gate.settings, "accounts", "code", manager))
    assert "no account" in refused(jejak(gate.settings, "accounts", "code", "nobody@contoh.go.id"))


def test_beyond_loopback_no_gate_starts_while_a_demo_account_is_open(gate: Gate, logins: list[Login]) -> None:
    run_sql(gate, "update api_key set revoked_at = now() where demo")
    open_to_others = msgspec.structs.replace(gate.settings, host="0.0.0.0", private_network=True, demo=False)  # noqa: S104 — refused
    assert "demo accounts" in refused(jejak(open_to_others, "gate"))
    with transaction(gate.settings, OPERATOR) as conn:
        for login in logins:
            found = accounts.find_account(conn, login.persona.email)
            assert found is not None
            assert found[0].demo
