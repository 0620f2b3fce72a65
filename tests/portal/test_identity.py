"""The vault on a real database: one id per person whoever asks first, nothing readable without the keys."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidTag

from ops.store import OWNER, connect
from portal import store
from portal.identity import Subject, Vault, make_keys, normalise, open_vault
from schemas.errors import BadInput, InvalidSettings
from schemas.settings import Settings


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
        assert store.vault_find(conn, [vault._digest("temporary", "BED 5000")]) == {}


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
        vault.person_ids(conn, people(7_000, 1))
        row = store.vault_sample(conn)
    assert row is not None
    assert b"BED" not in row.sealed + row.wrapped_key
    assert vault._open(row).startswith("BED")
    for folder in ("vault", "database"):
        (tmp_path / folder).mkdir()
    for file in settings.secrets_dir.joinpath("database").iterdir():
        (tmp_path / "database" / file.name).write_bytes(file.read_bytes())
    elsewhere = msgspec.structs.replace(settings, secrets=str(tmp_path))
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="index-1"):
        open_vault(conn, elsewhere)
    make_keys(tmp_path / "vault")
    with gate_connection(elsewhere) as conn, pytest.raises(InvalidSettings, match="other keys"):
        open_vault(conn, elsewhere)


def test_a_sealed_value_moved_to_another_persons_row_does_not_open(settings: Settings) -> None:
    vault = vault_of(settings)
    one, other = (vault._seal(b"", subject) for subject in people(8_000, 2))
    assert vault._open(one) == "BED 8000"
    with pytest.raises(InvalidTag):
        vault._open(msgspec.structs.replace(one, person=other.person))


def test_of_keys_made_twice_the_first_stay_and_are_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: make_keys(tmp_path / "vault"), range(8)))
    files = sorted((tmp_path / "vault").iterdir())
    before = [file.read_text() for file in files]
    make_keys(tmp_path / "vault")
    assert [file.name for file in files] == ["index-1", "master-1"]
    assert [file.read_text() for file in sorted((tmp_path / "vault").iterdir())] == before
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


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
