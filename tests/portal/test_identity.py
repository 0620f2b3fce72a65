"""The vault on a real database: one id per person whoever asks first, nothing readable without the keys."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import psycopg2
import pytest
from cryptography.exceptions import InvalidTag

from ops.store import OPERATOR, OWNER, connect, transaction
from portal import store
from portal.identity import Subject, Vault, digest_of, normalise, open_vault
from portal.vault import store as vault_store
from portal.vault.key_files import Keys, key_folder, make_keys, read_keys
from portal.vault.sealing import open_sealed, seal
from portal.vault.store import Sealed, Versions
from schemas.errors import BadInput, InvalidSettings
from schemas.settings import Settings

FIRST = Versions(1, 1)


@pytest.fixture(scope="module")
def settings(fresh_database: Callable[[], Settings]) -> Settings:
    return fresh_database()


@contextmanager
def gate_connection(settings: Settings) -> Iterator[store.Connection]:
    with closing(store.open_pool(settings, 1)) as pool, pool.connection() as conn:
        yield conn


def people(first: int, number: int, district: str = "") -> list[Subject]:
    return [Subject("temporary", f"BED {n}", district) for n in range(first, first + number)]


def vault_of(settings: Settings) -> Vault:
    with gate_connection(settings) as conn:
        return open_vault(conn, settings)


def test_the_same_person_gets_the_same_id_and_another_another(settings: Settings) -> None:
    vault = vault_of(settings)
    with gate_connection(settings) as conn:
        ids = vault.person_ids(conn, [*people(0, 3), *people(1, 1), Subject("test", "BED 1")])
    with gate_connection(settings) as conn:
        assert vault_of(settings).person_ids(conn, people(0, 3)) == ids[:3]
    assert ids[3] == ids[1]
    assert len({*ids}) == 4
    assert all(len(person) == 32 for person in ids)


def test_two_gates_that_meet_people_at_the_same_time_give_them_one_id(settings: Settings) -> None:
    subjects = people(1_000, 400)

    def meet(seed: int) -> dict[str, str]:
        vault = vault_of(settings)
        mine = subjects[seed * 20 :] + subjects[: seed * 20]
        found: dict[str, str] = {}
        for start in range(0, len(mine), 50):
            part = mine[start : start + 50][:: 1 if seed % 2 else -1]
            with gate_connection(settings) as conn:
                ids = vault.person_ids(conn, part)
            found |= dict(zip((one.value for one in part), ids, strict=True))
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(meet, range(8)))
    assert all(answer == answers[0] for answer in answers)
    with closing(connect(settings, OWNER)) as conn, conn.cursor() as cursor:
        cursor.execute(
            "select count(*), count(distinct i.person) from vault.person full join vault.identifier i using (person)"
            " where i.person::text = any(%s)",
            ([f"{p[:8]}-{p[8:12]}-{p[12:16]}-{p[16:20]}-{p[20:]}" for p in answers[0].values()],),
        )
        assert cursor.fetchone() == (400, 400)
        cursor.execute(
            "select count(*) from vault.person p where not exists"
            " (select 1 from vault.identifier i where i.person = p.person)"
        )
        assert cursor.fetchone() == (0,)


def test_a_transaction_undone_gives_nobody_an_id(settings: Settings) -> None:
    vault = vault_of(settings)

    def give_and_fail() -> None:
        with gate_connection(settings) as conn:
            vault.person_ids(conn, people(5_000, 1))
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        give_and_fail()
    assert vault.known_ids(people(5_000, 1)) is None
    with gate_connection(settings) as conn:
        digest = digest_of(keys_of(settings).index, people(5_000, 1)[0])
        assert vault_store.find(conn, FIRST, [digest]) == {}


def test_the_residence_is_kept_apart_and_may_change(settings: Settings) -> None:
    vault = vault_of(settings)

    def residence(person: str) -> list[str]:
        with closing(connect(settings, OWNER)) as conn, conn.cursor() as cursor:
            cursor.execute("select district from person_area where person = %s::uuid", (person,))
            return [row[0] for row in cursor.fetchall()]

    for district, expected in (("", []), ("36.71", ["36.71"]), ("", ["36.71"]), ("31.71", ["31.71"])):
        subject = people(6_000, 1, district)
        with gate_connection(settings) as conn:
            (person,) = vault.person_ids(conn, subject)
        vault.remember(subject, [person])
        assert residence(person) == expected
        assert vault.known_ids(subject) == [person]
    assert vault.known_ids(people(6_000, 1, "36.71")) is None


def test_without_the_right_keys_the_vault_does_not_open(settings: Settings, tmp_path: Path) -> None:
    vault = vault_of(settings)
    with gate_connection(settings) as conn:
        (person,) = vault.person_ids(conn, people(7_000, 1))
    row = taken_out(settings, person)
    assert b"BED" not in row.sealed + row.wrapped_key
    assert open_sealed(keys_of(settings).masters, row) == "BED 7000"
    elsewhere = elsewhere_of(settings, tmp_path)
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="index-1"):
        open_vault(conn, elsewhere)
    make_keys(tmp_path / "vault")
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="other keys"):
        open_vault(conn, elsewhere)


def test_a_vault_from_before_keys_were_written_down_opens_with_its_own_keys_only(
    fresh_database: Callable[[], Settings], tmp_path: Path
) -> None:
    settings = fresh_database()
    vault = vault_of(settings)
    with gate_connection(settings) as conn:
        ids = vault.person_ids(conn, people(0, 1))
    with transaction(settings, OWNER) as conn:
        conn.cursor().execute("delete from vault.key")
    elsewhere = elsewhere_of(settings, tmp_path)
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="index-1"):
        open_vault(conn, elsewhere)
    make_keys(tmp_path / "vault")
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="other keys"):
        open_vault(conn, elsewhere)
    with gate_connection(settings) as conn:
        assert vault_of(settings).person_ids(conn, people(0, 1)) == ids


def elsewhere_of(settings: Settings, folder: Path) -> Settings:
    """Return settings with the same passwords and no keys of the vault."""
    for name in ("vault", "database"):
        (folder / name).mkdir()
    for file in settings.secrets_dir.joinpath("database").iterdir():
        (folder / "database" / file.name).write_bytes(file.read_bytes())
    return msgspec.structs.replace(settings, secrets=str(folder))


def keys_of(settings: Settings) -> Keys:
    with gate_connection(settings) as conn:
        return read_keys(vault_store.keys(conn), key_folder(settings))


def taken_out(settings: Settings, person: str) -> Sealed:
    with transaction(settings, OPERATOR) as conn:
        ticket = vault_store.ask(conn, "ani", "open", person, "a complaint")
    with transaction(settings, OPERATOR) as conn:
        row = vault_store.take_out(conn, ticket, person)
    assert row is not None
    return row


def test_a_sealed_value_moved_to_another_persons_row_does_not_open() -> None:
    one, other = "0" * 32, "1" * 32
    row = Sealed(one, "temporary", *seal(b"m" * 32, one, "BED 8000"), 1)
    assert open_sealed({1: b"m" * 32}, row) == "BED 8000"
    for changed in (msgspec.structs.replace(row, person=other), msgspec.structs.replace(row, key_version=2)):
        with pytest.raises(InvalidTag):
            open_sealed({1: b"m" * 32, 2: b"n" * 32}, changed)


# Who sees what is sealed


@pytest.fixture
def person(settings: Settings) -> str:
    with gate_connection(settings) as conn:
        return vault_of(settings).person_ids(conn, people(9_000, 1))[0]


@pytest.mark.parametrize("role", ["jejak_gate", OPERATOR])
@pytest.mark.parametrize(
    "statement",
    [
        *("select * from vault.person", "select digest from vault.identifier", "select * from vault.key"),
        *("insert into vault.ticket (principal, purpose) values ('i', 'index')", "select * from vault.erasure"),
        *("update vault.identifier set person = person", "delete from vault.person", "truncate vault.newcomer"),
        "select vault.check_ticket(1, 'open', null)",
        "insert into audit (principal, action, object, previous, hash) values ('i', 'a', 'o', '', '')",
    ],
)
def test_no_service_and_no_operator_touches_the_vaults_tables(settings: Settings, role: str, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, role) as conn:
        conn.cursor().execute(statement)


def test_ten_thousand_guesses_without_the_key_find_nobody(settings: Settings) -> None:
    vault = vault_of(settings)
    known = people(20_000, 100)
    with gate_connection(settings) as conn:
        vault.person_ids(conn, known)
    guesses = people(20_000, 10_000)
    for key in (b"", bytes(32), b"k" * 32):
        with gate_connection(settings) as conn:
            assert vault_store.find(conn, FIRST, [digest_of(key, guess) for guess in guesses]) == {}
    index = keys_of(settings).index
    with gate_connection(settings) as conn:
        found = vault_store.find(conn, FIRST, [digest_of(index, guess) for guess in guesses])
    assert found is not None
    assert len(found) == len(known)


@pytest.mark.parametrize("role", ["jejak_visits", "jejak_traces", "jejak_relay", "jejak_standing"])
@pytest.mark.parametrize("call", ["vault.state()", "vault.keys()", "vault.find(1, 1, '{}')", "vault.erase_due()"])
def test_other_services_cannot_even_ask_the_vault(settings: Settings, role: str, call: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, role) as conn:
        conn.cursor().execute(f"select {call}")


@pytest.mark.parametrize(
    "call", ["vault.ask('i', 'open', null, '')", "vault.open(1, null)", "vault.to_index(1, 1, null, 1)"]
)
def test_the_gate_cannot_see_what_is_sealed(settings: Settings, call: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, "jejak_gate") as conn:
        conn.cursor().execute(f"select {call}")


def test_who_sees_an_identity_stands_in_the_audit_even_if_he_takes_it_back(settings: Settings, person: str) -> None:
    before = audited(settings)
    taken_out(settings, person)
    assert audited(settings)[len(before) :] == [("ani", "identity opened", person, "a complaint")]
    with closing(connect(settings, OPERATOR)) as conn:
        ticket = vault_store.ask(conn, "budi", "open", person, "")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):  # in the same transaction
            vault_store.take_out(conn, ticket, person)
        conn.rollback()
        conn.cursor().execute("savepoint s")
        ticket = vault_store.ask(conn, "budi", "open", person, "")
        conn.cursor().execute("release savepoint s")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            vault_store.take_out(conn, ticket, person)
        conn.rollback()
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):  # it was taken back
            vault_store.take_out(conn, ticket, person)


def test_a_ticket_is_good_for_its_person_purpose_and_hour_only(settings: Settings, person: str) -> None:
    with transaction(settings, OPERATOR) as conn:
        ticket = vault_store.ask(conn, "ani", "open", person, "")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, OPERATOR) as conn:
        vault_store.take_out(conn, ticket, "0" * 32)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, OPERATOR) as conn:
        vault_store.to_index(conn, ticket, 1, "0" * 32, 10)
    with transaction(settings, OWNER) as conn:
        conn.cursor().execute("update vault.ticket set ends_at = now() where ticket = %s", (ticket,))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), transaction(settings, OPERATOR) as conn:
        vault_store.take_out(conn, ticket, person)


def audited(settings: Settings) -> list[tuple[str, str, str, str]]:
    with transaction(settings, OPERATOR) as conn, conn.cursor() as cursor:
        cursor.execute("select principal, action, object, reason from audit order by id")
        return cursor.fetchall()


def test_of_keys_made_twice_the_first_stay_and_are_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: make_keys(tmp_path / "vault"), range(8)))
    files = sorted((tmp_path / "vault").iterdir())
    before = [file.read_text() for file in files]
    make_keys(tmp_path / "vault")
    assert [file.name for file in files] == ["index-1", "master-1"]
    assert [file.read_text() for file in sorted((tmp_path / "vault").iterdir())] == before
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    for file in files:
        file.rename(file.with_name(file.name.replace("-1", "-2")))
    make_keys(tmp_path / "vault")
    assert [file.name for file in sorted((tmp_path / "vault").iterdir())] == ["index-2", "master-2"]


@pytest.mark.parametrize("kind", ["passport", "kitas"])
@pytest.mark.parametrize("value", ["", "abc", "x" * 21, "12/34/56", "ａ１２３４５"])  # noqa: RUF001 — full-width on purpose
def test_a_number_that_cannot_be_one_is_refused_without_being_told(kind: str, value: str) -> None:
    with pytest.raises(BadInput, match="letters and digits") as caught:
        normalise(kind, value, "", demo=False)
    assert not value or value not in str(caught.value)


def test_a_test_person_exists_in_the_demo_only() -> None:
    assert normalise("test", "  budi  1", "", demo=True).value == "BUDI 1"
    with pytest.raises(BadInput, match="allowed") as caught:
        normalise("test", "Budi", "", demo=False)
    assert caught.value.field == "subject.type"
