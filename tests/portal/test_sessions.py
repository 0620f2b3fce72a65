"""Sessions as a state machine over the real accounts and database: none is ever usable in a state it must not have."""

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pyotp
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portal.accounts import store
from portal.accounts.accounts import CODE_STEP_S, IDLE, LONGEST, RESET, Accounts, send_link, stage_of
from portal.desk import Desk, open_desk
from portal.places.store import reopen_account
from portal.store import Connection
from portal.web.pages import FormError, NotSignedIn
from portal.web.secret_box import open_secret_box
from schemas.settings import Settings

PASSWORD = "empat jeruk di kebun hujan"
BETWEEN_TRIES = timedelta(seconds=7)  # so that nobody tries too often
BUSY = timedelta(minutes=14)  # between two uses of somebody who is never idle
NOTED_EVERY = IDLE / 15
T = TypeVar("T")


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()


class House:
    """The accounts of one gate, their clock, and a loop to call them on."""

    def __init__(self, desk: Desk, runner: asyncio.Runner) -> None:
        self.clock = Clock()
        self.desk = desk
        self.accounts = Accounts(desk, open_secret_box(desk.settings), now=self.clock.now, seconds=self.clock.seconds)
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def read(self, query: Any, *args: object) -> Any:
        return self.run(self.desk.read(query, *args))

    def new_account(self, role: str) -> tuple[str, str]:
        """Return address and id of an account nobody has activated."""
        email = f"s{secrets.token_hex(5)}@contoh.go.id"

        def add(conn: Connection) -> str:
            return store.add_account(
                conn, email=email, name="Ani Wijaya", role=role, area="", facilities=(), demo=False
            )

        return email, self.read(add)

    def link_for(self, email: str, purpose: str) -> str:
        """Return the token of a new link."""

        def leave(conn: Connection) -> str:
            found = store.find_account(conn, email)
            assert found is not None
            return send_link(conn, found[0], purpose, "", now=self.clock.now())

        return str(self.read(leave)).rpartition("/")[2]

    def activated(self, role: str) -> tuple[str, str]:
        """Return address and first session of an account with a password."""
        email, _ = self.new_account(role)
        token, _ = self.run(self.accounts.set_password(self.link_for(email, "activate"), PASSWORD, PASSWORD))
        return email, token

    def usable(self, token: str) -> store.Session | None:
        return self.run(self.accounts.session(token))


@pytest.fixture(scope="module")
def house(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = msgspec.structs.replace(
        installation, home=tmp_path_factory.mktemp("house"), secrets=str(installation.secrets_dir)
    )
    with asyncio.Runner() as runner, open_desk(settings, exposed=False) as desk:
        made = House(desk, runner)
        yield made
        made.accounts.passwords.close()


class Known(msgspec.Struct):
    """What must be true of a session that has not been ended."""

    stage: str
    made: datetime
    seen: datetime


class Sessions(RuleBasedStateMachine):
    """One account, everything that can happen to it, and what its sessions must then be worth."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house, self.accounts, self.clock = house, house.accounts, house.clock
        self.alive: dict[str, Known] = {}
        self.dead: list[str] = []
        self.password, self.secret, self.last_step = PASSWORD, "", 0
        self.is_closed = self.has_password = False
        self.link, self.link_ends = "", self.clock.at

    @initialize(role=st.sampled_from(("officer", "ministry")))
    def begin(self, role: str) -> None:
        self.role = role
        self.email, self.account_id = self.house.new_account(role)
        self.link, self.link_ends = self.house.link_for(self.email, "activate"), self.clock.at + timedelta(hours=24)

    @rule(waits=st.sampled_from((timedelta(minutes=2), timedelta(minutes=14), IDLE, timedelta(hours=1), LONGEST)))
    def wait(self, waits: timedelta) -> None:
        self.clock.at += waits

    @rule(is_right=st.booleans())
    def sign_in(self, *, is_right: bool) -> None:
        self.clock.at += BETWEEN_TRIES
        password = self.password if is_right else f"{self.password}!"
        can = is_right and self.has_password and not self.is_closed
        self._begin_if(self.accounts.sign_in(self.email, password), self._first_stage(), can=can)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), is_right=st.booleans())
    def enter_code(self, data: st.DataObject, *, is_right: bool) -> None:
        self.clock.at += BETWEEN_TRIES
        token = data.draw(st.sampled_from(list(self.alive)))
        session = self._look(token)
        if session is None or session.stage != "code":
            return
        step = int(self.clock.seconds()) // CODE_STEP_S
        code = pyotp.TOTP(self.secret).at(step * CODE_STEP_S)
        can = is_right and step > self.last_step
        if self._begin_if(self.accounts.enter_code(token, session, code if is_right else "000 000"), "full", can=can):
            self.last_step = step
            self._end(token)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def enrol(self, data: st.DataObject) -> None:
        self.clock.at += BETWEEN_TRIES
        token = data.draw(st.sampled_from(list(self.alive)))
        session = self._look(token)
        if session is None or session.stage == "code":
            return
        offered = self.accounts.new_secret(token)
        before = set(self.alive)
        if session.stage == "full":
            code = pyotp.TOTP(offered).at(self.clock.at)
            self._begin_if(self.accounts.enrol(token, session, code, f"{self.password}!"), "full", can=False)
            self.clock.at += BETWEEN_TRIES
        code = pyotp.TOTP(offered).at(self.clock.at)
        self._begin_if(self.accounts.enrol(token, session, code, self.password), "full", can=True)
        for one in before:
            self._end(one)
        self.secret, self.last_step = offered, int(self.clock.seconds()) // CODE_STEP_S

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        self._look(data.draw(st.sampled_from(list(self.alive))))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), lasts=st.sampled_from((timedelta(hours=7), LONGEST + BUSY)))
    def use_without_a_pause(self, data: st.DataObject, lasts: timedelta) -> None:
        """Let somebody be busy so long that only the longest time ends it: chance alone never waits so often."""
        token, until = data.draw(st.sampled_from(list(self.alive))), self.clock.at + lasts
        while self.clock.at < until and token in self.alive:
            self.clock.at += BUSY
            self._look(token)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(list(self.alive)))
        self.house.run(self.accounts.sign_out(token))
        self._end(token)

    @rule()
    def forget(self) -> None:
        if self.has_password and not self.is_closed:
            self.link, self.link_ends = self.house.link_for(self.email, "reset"), self.clock.at + RESET

    @rule()
    def set_password(self) -> None:
        if not self.link:
            return
        new = f"{PASSWORD} {secrets.token_hex(3)}"
        can = self.clock.at < self.link_ends and not self.is_closed
        before = set(self.alive)
        if self._begin_if(self.accounts.set_password(self.link, new, new), self._first_stage(), can=can):
            for one in before:
                self._end(one)
            self.password, self.has_password, self.link = new, True, ""

    @rule()
    def close(self) -> None:
        self.house.read(store.close_account, self.account_id, self.clock.at)
        self.is_closed = True
        for one in list(self.alive):
            self._end(one)

    @precondition(lambda self: self.is_closed)
    @rule()
    def reopen(self) -> None:
        self.house.read(reopen_account, self.account_id, "Ani Wijaya")
        self.is_closed = self.has_password = False
        self.link, self.link_ends = self.house.link_for(self.email, "activate"), self.clock.at + timedelta(hours=24)

    @invariant()
    def what_was_ended_is_never_usable_again(self) -> None:
        for token in self.dead[-4:]:
            assert self.house.usable(token) is None

    def _first_stage(self) -> str:
        if self.secret:
            return "code"
        return "enrol" if self.role == "ministry" else "full"

    def _begin_if(self, work: Coroutine[Any, Any, tuple[str, str]], stage: str, *, can: bool) -> bool:
        try:
            token, found = self.house.run(work)
        except FormError:
            assert not can
            return False
        assert can
        assert found == stage
        self.alive[token] = Known(stage, self.clock.at, self.clock.at)
        return True

    def _end(self, token: str) -> None:
        del self.alive[token]
        self.dead.append(token)

    def _look(self, token: str) -> store.Session | None:
        """Use a session: it must be what is known of it, or over."""
        known, session = self.alive[token], self.house.usable(token)
        is_over = self.clock.at - known.seen >= IDLE or self.clock.at - known.made >= LONGEST
        assert (session is None) == is_over
        if session is None:
            self._end(token)
            return None
        assert session.stage == known.stage
        assert session.account.email == self.email
        assert session.account.is_active
        assert known.stage != "full" or stage_of(session.account) != "enrol"
        if self.clock.at - known.seen > NOTED_EVERY:
            known.seen = self.clock.at
        return session


def test_no_session_is_ever_usable_in_a_state_it_must_not_have(house: House) -> None:
    class OfThisHouse(Sessions):
        def __init__(self) -> None:
            super().__init__(house)

    run_state_machine_as_test(
        OfThisHouse,
        settings=hypothesis_settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_who_is_never_idle_is_out_after_the_longest_that_a_session_lasts(house: House) -> None:
    _, token = house.activated("officer")
    began = house.clock.at
    while house.clock.at + BUSY < began + LONGEST:
        house.clock.at += BUSY
        assert house.usable(token) is not None
    house.clock.at = began + LONGEST
    assert house.usable(token) is None


def test_an_old_password_checked_while_a_new_one_is_set_leaves_no_session(house: House) -> None:
    for _ in range(4):
        email, _ = house.activated("officer")
        link = house.link_for(email, "reset")

        async def both(email: str = email, link: str = link) -> list[Any]:
            new = f"{PASSWORD} baru"
            found = await asyncio.gather(
                house.accounts.sign_in(email, PASSWORD),
                house.accounts.set_password(link, new, new),
                house.accounts.sign_in(email, PASSWORD),
                return_exceptions=True,
            )
            return list(found)

        first, changed, last = house.run(both())
        house.clock.at += timedelta(minutes=1)
        for old in (first, last):
            assert isinstance(old, FormError) or house.usable(old[0]) is None
        assert house.usable(changed[0]) is not None


def test_a_code_brings_no_session_back_that_was_ended_meanwhile(house: House) -> None:
    email, token = house.activated("officer")
    session = house.usable(token)
    assert session is not None
    secret = house.accounts.new_secret(token)
    house.run(house.accounts.enrol(token, session, pyotp.TOTP(secret).at(house.clock.at), PASSWORD))
    house.clock.at += timedelta(seconds=CODE_STEP_S * 3)
    half, stage = house.run(house.accounts.sign_in(email, PASSWORD))
    assert stage == "code"
    waiting = house.usable(half)
    assert waiting is not None
    house.run(house.accounts.sign_out(half))
    with pytest.raises(NotSignedIn):
        house.run(house.accounts.enter_code(half, waiting, pyotp.TOTP(secret).at(house.clock.at)))


def test_a_second_factor_ends_the_sessions_that_began_without_it(house: House) -> None:
    email, token = house.activated("ministry")
    thief, stage = house.run(house.accounts.sign_in(email, PASSWORD))
    assert stage == "enrol"
    stolen, session = house.usable(thief), house.usable(token)
    assert stolen is not None
    assert session is not None
    mine = house.accounts.new_secret(token)
    full, _ = house.run(house.accounts.enrol(token, session, pyotp.TOTP(mine).at(house.clock.at)))
    assert house.usable(thief) is None
    theirs = house.accounts.new_secret(thief)
    with pytest.raises(NotSignedIn):
        house.run(house.accounts.enrol(thief, stolen, pyotp.TOTP(theirs).at(house.clock.at)))
    kept = house.usable(full)
    assert kept is not None
    assert kept.account.has_totp
