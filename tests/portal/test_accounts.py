"""An account's whole life over HTTP, on a real gate and database."""

import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pyotp
import pytest

from ops.store import OPERATOR, transaction
from portal.accounts import accounts
from portal.accounts.accounts import CODE_STEP_S, invite, matching_step
from portal.accounts.login import TRIES_PER_MINUTE
from schemas.errors import BadInput, Conflict
from schemas.settings import Settings
from tests.commands import environment
from tests.portal.conftest import Gate
from tests.portal.person import Person

GOOD = "empat jeruk di kebun hujan"


def new_address() -> str:
    return f"p{secrets.token_hex(4)}@contoh.go.id"


def invited(gate: Gate, role: str = "manager", name: str = "Ani Wijaya", **scope: object) -> tuple[str, str]:
    """Return address and link of a new account."""
    email = new_address()
    scope = scope or {"facilities": ["RS-A"]}
    with transaction(gate.settings, OPERATOR) as conn:
        link = invite(conn, email=email, name=name, role=role, url=gate.url, **scope)  # type: ignore[arg-type]  # a test's own
    return email, link.removeprefix(gate.url)


def activated(gate: Gate, role: str = "manager", name: str = "Ani Wijaya", **scope: object) -> tuple[str, Person]:
    email, link = invited(gate, role, name, **scope)
    person = Person(gate.url)
    person.open(link)
    person.send(link, password=GOOD, again=GOOD)
    return email, person


def secret_on(page: httpx.Response) -> str:
    found = re.search(r'id="letters">([A-Z2-7 ]+)<', page.text)
    assert found is not None
    return found[1].replace(" ", "")


def test_a_link_sets_the_password_once_and_signs_in(gate: Gate) -> None:
    email, link = invited(gate)
    person = Person(gate.url)
    assert email in person.open(link).text
    assert person.send(link, password=GOOD, again=GOOD).status_code == 200
    assert person.open("/akun").status_code == 200
    assert "RS-A" in person.page.text
    other = Person(gate.url)
    assert other.open(link).status_code == 404
    assert other.send(link, password=GOOD, again=GOOD).status_code == 422
    assert person.open("/akun").status_code == 200


@pytest.mark.parametrize(
    ("password", "again", "why"),
    [
        ("sandiku", "sandiku", "Terlalu pendek"),
        ("password123", "password123", "mudah ditebak"),
        ("Ani Wijaya 1", "Ani Wijaya 1", "mudah ditebak"),
        (GOOD, GOOD + "!", "Tidak sama"),
        ("x" * 129, "x" * 129, "Terlalu panjang"),
    ],
)
def test_a_password_that_will_not_do_is_explained_and_the_link_stays(
    gate: Gate, password: str, again: str, why: str
) -> None:
    _, link = invited(gate)
    person = Person(gate.url)
    person.open(link)
    assert person.send(link, password=password, again=again).status_code == 422
    assert why in person.page.text
    assert password not in person.page.text
    assert person.send(link, password=GOOD, again=GOOD).status_code == 200


def test_signing_in_takes_address_and_password_and_says_not_which_was_wrong(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    answers = []
    for who, password in ((email, "salah sekali ini"), (new_address(), GOOD), (new_address(), "")):
        person.open("/masuk")
        answer = person.send("/masuk", email=who, password=password, goal="")
        assert answer.status_code == 422
        answers.append(answer.text.replace(who, "").replace(person.cookies["__Host-csrf"], ""))
    assert len({re.sub(r'value="[^"]*"|csrftoken":"[^"]*"', "", text) for text in answers}) == 1
    person.open("/masuk")
    person.send("/masuk", email=f" {email.upper()} ", password=GOOD, goal="/akun")
    assert (person.path, person.page.status_code) == ("/akun", 200)


def test_whoever_is_not_signed_in_is_led_to_the_page_after_signing_in_but_never_away(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    person.open("/akun")
    assert person.path == "/masuk?ke=/akun"
    for goal in ("//evil.example", "https://evil.example", "/\\evil", "javascript:alert(1)"):
        person.open(f"/masuk?ke={goal}")
        assert "evil" not in person.page.text
    person.send("/masuk", email=email, password=GOOD, goal="//evil.example/x")
    assert person.path == "/faskes/RS-A"


def test_a_ministrys_account_has_a_second_factor_before_anything_else(gate: Gate) -> None:
    email, person = activated(gate, "ministry", area="")
    assert person.path == "/masuk/kode-baru"
    person.open("/akun")
    assert person.path.startswith("/masuk")
    person.open("/masuk/kode-baru")
    secret = secret_on(person.page)
    assert person.send("/masuk/kode-baru", code="000000").status_code == 422
    assert secret_on(person.page) == secret
    used = pyotp.TOTP(secret).now()
    person.send("/masuk/kode-baru", code=used)
    assert person.open("/akun").status_code == 200
    again = Person(gate.url)
    again.open("/masuk")
    again.send("/masuk", email=email, password=GOOD, goal="")
    assert again.path == "/masuk/kode"
    assert "/kemenkes" not in again.page.text, "no menu yet"
    assert again.send("/masuk/kode", code=used, goal="").status_code == 422, "no code counts twice"
    later = pyotp.TOTP(secret).at(time.time() + CODE_STEP_S)
    again.send("/masuk/kode", code=later, goal="/akun")
    assert (again.path, again.page.status_code) == ("/akun", 200)
    assert "/kemenkes" in again.page.text


def test_a_code_is_right_for_a_clock_that_is_half_a_minute_off_and_never_twice() -> None:
    secret = pyotp.random_base32()
    now = 1_800_000_000
    step = now // CODE_STEP_S
    code = {offset: pyotp.TOTP(secret).at(now + offset * CODE_STEP_S) for offset in (-2, -1, 0, 1, 2)}
    assert [matching_step(secret, code[offset], now, after=0) for offset in (-2, -1, 0, 1, 2)] == [
        None,
        step - 1,
        step,
        step + 1,
        None,
    ]
    assert matching_step(secret, code[0], now, after=step) is None
    assert matching_step(secret, "", now, after=0) is None


def test_signing_out_and_a_new_password_end_sessions(gate: Gate) -> None:
    email, person = activated(gate)
    stolen = Person(gate.url)
    stolen.cookies = dict(person.cookies)
    assert stolen.open("/akun").status_code == 200
    person.open("/akun")
    person.send("/keluar")
    assert person.path == "/masuk"
    stolen.open("/akun")
    assert stolen.path.startswith("/masuk")
    person.open("/masuk")
    person.send("/masuk", email=email, password=GOOD, goal="/akun")
    other = Person(gate.url)
    other.open("/lupa-sandi")
    assert other.send("/lupa-sandi", email=email).status_code == 200
    link = last_link(gate, email)
    other.open(link)
    other.send(link, password=GOOD + " baru", again=GOOD + " baru")
    person.open("/akun")
    assert person.path.startswith("/masuk")


def last_link(gate: Gate, email: str) -> str:
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("select body from mail where receiver = %s order by mail_id desc limit 1", (email,))
        row = cur.fetchone()
    assert row is not None
    found = re.search(re.escape(gate.url) + r"(/sandi/\S+)", row[0])
    assert found is not None
    return found[1]


def test_a_forgotten_password_of_nobody_is_answered_the_same_and_sends_nothing(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    texts = []
    for who in (email, new_address()):
        person.open("/lupa-sandi")
        texts.append(person.send("/lupa-sandi", email=who).text)
    assert len({re.sub(r'value="[^"]*"|csrftoken":"[^"]*"', "", text) for text in texts}) == 1
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute("select count(*) from mail where receiver = %s", (who,))
        assert cur.fetchone() == (0,)


def test_whoever_let_the_first_link_end_gets_another_by_the_page_that_its_answer_names(gate: Gate) -> None:
    email, link = invited(gate)
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute(
            "update link set ends_at = clock_timestamp() where hash = %s", (accounts.hash_of(link.rpartition("/")[2]),)
        )
    person = Person(gate.url)
    assert person.open(link).status_code == 404
    assert 'href="/lupa-sandi"' in person.page.text
    person.open("/lupa-sandi")
    person.send("/lupa-sandi", email=email)
    again = last_link(gate, email)
    assert again != link
    person.open(again)
    assert person.send(again, password=GOOD, again=GOOD).status_code == 200
    assert person.open("/akun").status_code == 200


def test_a_mailbox_gets_a_few_links_an_hour_and_no_more(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    statuses = []
    for _ in range(7):
        person.open("/lupa-sandi")
        statuses.append(person.send("/lupa-sandi", email=email).status_code)
    assert statuses == [200] * accounts.LETTERS_PER_HOUR + [429] * 2


def test_who_is_signed_in_changes_the_second_factor_only_with_the_password(gate: Gate) -> None:
    _, person = activated(gate)
    secret = secret_on(person.open("/masuk/kode-baru"))
    for wrong in ("", GOOD + "!"):
        answer = person.send("/masuk/kode-baru", code=pyotp.TOTP(secret).now(), password=wrong)
        assert answer.status_code == 422
        assert "Kata sandi tidak cocok" in answer.text
    person.send("/masuk/kode-baru", code=pyotp.TOTP(secret).now(), password=GOOD)
    assert "<dd>Aktif</dd>" in person.open("/akun").text


def test_guessing_codes_ends_long_before_one_can_be_hit(gate: Gate) -> None:
    email, person = activated(gate, "office", area="36.71")
    secret = secret_on(person.page)
    person.send("/masuk/kode-baru", code=pyotp.TOTP(secret).now())
    thief = Person(gate.url)
    thief.open("/masuk")
    thief.send("/masuk", email=email, password=GOOD, goal="")
    statuses = [thief.send("/masuk/kode", code="000000", goal="").status_code for _ in range(32)]
    assert statuses == [422] * accounts.CODES_PER_HOUR + [429] * 2


def test_one_password_tried_at_many_accounts_from_one_address_is_stopped(gate: Gate) -> None:
    person = Person(gate.url, address="203.0.113.9")
    person.open("/lupa-sandi")  # counted alike, and sooner answered
    statuses = [person.send("/lupa-sandi", email=f"x{n}@contoh.go.id").status_code for n in range(TRIES_PER_MINUTE)]
    for number in range(40):
        answer = person.send("/masuk", email=f"y{number}@contoh.go.id", password=GOOD, goal="")
        statuses.append(answer.status_code)
    assert 429 not in statuses[:TRIES_PER_MINUTE]
    assert 429 in statuses
    elsewhere = Person(gate.url, address="203.0.113.10")
    elsewhere.open("/masuk")
    assert elsewhere.send("/masuk", email=new_address(), password=GOOD, goal="").status_code == 422


def test_a_lost_telephone_is_mended_by_the_operator_who_lets_the_account_begin_again(gate: Gate) -> None:
    email, person = activated(gate, "office", area="36.71")
    person.send("/masuk/kode-baru", code=pyotp.TOTP(secret_on(person.page)).now())
    command = [sys.executable, "-m", "ops.cli", "accounts"]
    around = environment(gate.settings)
    for words in (("renew", email), ("close", email), ("renew", email.upper())):
        answer = subprocess.run([*command, *words], env=around, capture_output=True, text=True, check=True)
    person.open("/akun")
    assert person.path.startswith("/masuk")
    link = answer.stdout.strip().removeprefix(gate.url)
    person.open(link)
    person.send(link, password=GOOD, again=GOOD)
    assert person.path == "/masuk/kode-baru", "the old second factor is gone"
    nobody = subprocess.run([*command, "renew", new_address()], env=around, capture_output=True, text=True, check=False)
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)


def test_a_form_from_elsewhere_is_refused(gate: Gate) -> None:
    _, person = activated(gate)
    person.open("/akun")
    assert person.send("/akun/sandi", _csrf_token="").status_code == 403
    assert person.send("/akun/sandi", _csrf_token="0" * 128).status_code == 403
    person.open("/akun")
    assert person.send("/akun/sandi").status_code == 200


def test_cookies_are_the_hosts_own_secure_and_out_of_reach_of_scripts(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    person.open("/masuk")
    with httpx.Client(base_url=gate.url) as client:
        token = re.search(r'name="_csrf_token" value="([^"]+)"', person.page.text)
        assert token is not None
        answer = client.post(
            "/masuk",
            data={"email": email, "password": GOOD, "goal": "", "_csrf_token": token[1]},
            headers={"cookie": f"__Host-csrf={person.cookies['__Host-csrf']}"},
        )
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-session=")]
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=lax"} <= {part.strip() for part in line.split(";")}
    assert "domain" not in line.lower()


def test_guessing_at_one_account_is_stopped(gate: Gate) -> None:
    email, _ = activated(gate)
    person = Person(gate.url)
    person.open("/masuk")
    statuses = [person.send("/masuk", email=email, password=f"salah {n}", goal="").status_code for n in range(11)]
    assert statuses == [422] * 9 + [429] * 2 or statuses == [422] * 10 + [429]
    assert person.send("/masuk", email=email, password=GOOD, goal="").status_code == 429


def test_a_page_that_is_not_for_the_role_or_not_there_is_a_page_that_says_so(gate: Gate) -> None:
    person = Person(gate.url)
    missing = person.open("/tidak-ada")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Halaman ini tidak ada" in missing.text
    with httpx.Client(base_url=gate.url) as client:
        assert client.get("/tidak-ada", headers={"accept": "application/json"}).json()["error"] == "not_found"
        assert client.get("/v1/nothing", headers={"accept": "text/html"}).json()["error"] == "not_found"


def test_the_language_changes_and_stays(gate: Gate) -> None:
    person = Person(gate.url)
    assert '<html lang="id">' in person.open("/masuk").text
    person.send("/bahasa", language="en", goal="/masuk")
    assert person.path == "/masuk"
    assert '<html lang="en">' in person.page.text
    assert "Sign in" in person.open("/").text


def test_mail_is_in_the_language_that_somebody_chose_while_signed_in(gate: Gate) -> None:
    email, person = activated(gate)
    person.send("/bahasa", language="en", goal="/akun")
    stranger = Person(gate.url)
    stranger.open("/lupa-sandi")
    stranger.send("/lupa-sandi", email=email)
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cursor:
        cursor.execute("select subject from mail where receiver = %s order by mail_id", (email,))
        assert [row[0] for row in cursor.fetchall()] == ["Aktifkan akun Jejak Anda", "A new password for Jejak"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": f"{'a' * 64}@{'b' * 180}.{'c' * 20}"}, "email"),
        ({"name": " "}, "name"),
        ({"role": "king"}, "role"),
        ({"facilities": ()}, "facility"),
        ({"role": "office", "facilities": ()}, "area"),
        ({"role": "office", "facilities": (), "area": "banten"}, "area"),
        ({"role": "ministry"}, "facility"),
    ],
)
def test_an_invitation_that_cannot_be_names_the_field(
    installation: Settings, changed: dict[str, object], field: str
) -> None:
    good: dict[str, object] = {
        "email": new_address(),
        "name": "Ani",
        "role": "manager",
        "facilities": ("RS-A",),
        "url": "http://x",
    }
    with pytest.raises(BadInput) as caught, transaction(installation, OPERATOR) as conn:
        invite(conn, **good | changed)  # type: ignore[arg-type]  # a test's own
    assert caught.value.field == field


def test_one_address_has_one_account(gate: Gate) -> None:
    email, _ = invited(gate)
    with pytest.raises(Conflict), transaction(gate.settings, OPERATOR) as conn:
        invite(conn, email=email.upper(), name="Ani", role="manager", facilities=["RS-A"], url="http://x")


def test_a_dump_without_the_keys_opens_no_account(gate: Gate) -> None:
    _, person = activated(gate, "office", area="36.71")
    secret = secret_on(person.page)
    person.send("/masuk/kode-baru", code=pyotp.TOTP(secret).now())
    with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
        cur.execute(
            "select account::text from account union all select session::text from session"
            " union all select link::text from link"
        )
        dump = "\n".join(row[0] for row in cur.fetchall())
    for value in (GOOD, secret, secret.encode().hex(), person.cookies["__Host-session"]):
        assert value not in dump
    assert accounts.hash_of(person.cookies["__Host-session"]).hex() in dump


def test_sessions_end_by_idleness_and_by_age(gate: Gate, as_role: Callable[..., httpx.Client]) -> None:
    del as_role
    for column, minutes in (("seen_at", 16), ("made_at", 8 * 60 + 1)):
        _, person = activated(gate)
        hashed = accounts.hash_of(person.cookies["__Host-session"])
        with transaction(gate.settings, "jejak_gate") as conn, conn.cursor() as cur:
            cur.execute(
                f"update session set {column} = {column} - %s * interval '1 minute' where hash = %s",  # noqa: S608 — a name of ours
                (minutes, hashed),
            )
        person.open("/akun")
        assert person.path.startswith("/masuk")
