"""The vault's keys are changed while two gates go on taking known and new persons: nobody gets a second id."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg2
import pytest
from click.testing import CliRunner

from ops.commands.vault import vault as vault_command
from ops.store import OPERATOR, OWNER, transaction
from portal import store
from portal.facility_file import put_all
from portal.identity import Subject, Vault, open_vault
from portal.vault import rotation
from portal.vault import store as vault_store
from portal.vault.key_files import key_folder, read_keys
from portal.vault.rotation import rotate
from portal.vault.sealing import open_sealed
from schemas.errors import InvalidSettings, Unavailable
from schemas.settings import Settings
from tests.commands import environment
from tests.portal.conftest import FACILITIES, Gate, new_key, scan

PURPOSES: tuple[Literal["index", "master"], ...] = ("index", "master")


class Killed(BaseException):
    """Ends a rotation as a signal would: between two of its transactions."""


@pytest.fixture
def settings(fresh_database: Callable[[], Settings], tmp_path: Path) -> Settings:
    """Return settings of an empty vault with key files of its own."""
    settings = fresh_database()
    for name in ("database", "vault"):
        (tmp_path / name).mkdir()
    for file in settings.secrets_dir.joinpath("database").iterdir():
        (tmp_path / "database" / file.name).write_bytes(file.read_bytes())
    return msgspec.structs.replace(settings, secrets=str(tmp_path))


@contextmanager
def gate_connection(settings: Settings) -> Iterator[store.Connection]:
    with closing(store.open_pool(settings, 1)) as pool, pool.connection() as conn:
        yield conn


def vault_of(settings: Settings) -> Vault:
    with gate_connection(settings) as conn:
        return open_vault(conn, settings)


def ids_of(settings: Settings, vault: Vault, subjects: list[Subject]) -> list[str]:
    with gate_connection(settings) as conn:
        return vault.person_ids(conn, subjects)


def people(first: int, number: int) -> list[Subject]:
    return [Subject("temporary", f"BED {n}") for n in range(first, first + number)]


def run(settings: Settings, purpose: Literal["index", "master"], say: Callable[[str], None] = lambda _: None) -> Path:
    return rotate(purpose, partial(transaction, settings, OPERATOR), key_folder(settings), "ani", say)


def asked(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with transaction(settings, OWNER) as conn, conn.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def values(settings: Settings) -> dict[str, str]:
    """Return every person's value, opened with the keys as they are now."""
    with gate_connection(settings) as conn:
        keys = read_keys(vault_store.keys(conn), key_folder(settings))
    rows = asked(settings, "select vault.hex(person), kind, sealed, wrapped_key, key_version from vault.person")
    sealed = [
        vault_store.Sealed(person, kind, bytes(value), bytes(key), version)
        for person, kind, value, key, version in rows
    ]
    return {one.person: open_sealed(keys.masters, one) for one in sealed}


@pytest.mark.parametrize("purpose", PURPOSES)
def test_nobody_gets_a_second_id_while_a_key_is_changed(
    settings: Settings, purpose: Literal["index", "master"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 40)
    gates = [vault_of(settings), vault_of(settings)]
    known = dict(zip((one.value for one in people(0, 600)), ids_of(settings, gates[0], people(0, 600)), strict=True))
    over = threading.Event()

    def take_scans(gate: int) -> list[tuple[str, str]]:
        met, turn = [], 0
        with closing(store.open_pool(settings, 1)) as pool:
            while not over.is_set() or turn < 10:
                # Known ones, new ones, and ones that the other gate meets at the same time.
                subjects = [*people(turn * 37 % 600, 5), *people(10_000 + turn * 10, 10)]
                subjects = subjects[:: 1 if gate else -1]
                with pool.connection() as conn:
                    ids = gates[gate].person_ids(conn, subjects)
                gates[gate].remember(subjects, ids)
                if turn % 5 == gate:
                    with pool.connection() as conn:
                        gates[gate].tend(conn)
                met += [(subject.value, person) for subject, person in zip(subjects, ids, strict=True)]
                turn += 1
                time.sleep(0.002)
        return met

    with ThreadPoolExecutor(2) as threads:
        streams = [threads.submit(take_scans, gate) for gate in range(2)]
        try:
            old = run(settings, purpose)
        finally:
            over.set()
        met = [pair for stream in streams for pair in stream.result()]
    found = dict(known)
    for value, person in met:
        assert found.setdefault(value, person) == person
    assert len(found) > 700
    assert {person: value for value, person in found.items()} == values(settings)
    assert asked(settings, "select distinct key_version from vault.identifier") == [(2 if purpose == "index" else 1,)]
    assert asked(settings, "select distinct key_version from vault.person") == [(2 if purpose == "master" else 1,)]
    assert old.name == f"{purpose}-1.retired"
    assert old.is_file()
    for vault in (*gates, vault_of(settings)):
        some = people(0, 50)
        assert ids_of(settings, vault, some) == [known[one.value] for one in some]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_killed_after_any_step_it_goes_on(
    settings: Settings, purpose: Literal["index", "master"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 30)
    vault = vault_of(settings)
    ids = ids_of(settings, vault, people(0, 100))
    new = 1_000
    for kill_at in range(20):
        told: list[str] = []

        def say(line: str, told: list[str] = told, last: int = kill_at % 3) -> None:
            told.append(line)
            if len(told) > last:
                raise Killed

        try:
            run(settings, purpose, say)
        except Killed:
            assert told
        else:
            break
        ids += ids_of(settings, vault, people(new, 7))
        assert ids_of(settings, vault_of(settings), people(0, 100)) == ids[:100]
        new += 7
        if "is retired" in told[-1]:
            break
    run(settings, purpose)  # if it was over already, this one changes the key once more
    assert {*values(settings)} == {*ids}
    assert ids_of(settings, vault, people(0, 100)) == ids[:100]
    assert asked(settings, "select count(*) from vault.newcomer") == [(0,)]
    states = asked(settings, "select purpose, state from vault.key order by version")
    assert {state for one, state in states[:-1] if one == purpose} <= {"retired", "current"}
    assert [state for one, state in states if one == purpose][-1] == "current"


def test_no_scan_is_refused_and_nobody_is_met_anew_while_both_keys_are_changed_by_a_command_that_is_killed(
    installation: Settings, tmp_path: Path
) -> None:
    shutil.copytree(installation.secrets_dir, tmp_path / "own", ignore=shutil.ignore_patterns("vault"))
    settings = msgspec.structs.replace(installation, secrets=str(tmp_path / "own"))
    (tmp_path / "gate").mkdir()
    with transaction(settings, OPERATOR) as conn:
        put_all(conn, list(enumerate(FACILITIES)))
    gate, over = Gate(settings, tmp_path / "gate").start(), threading.Event()
    key = new_key(settings, "gate", facility="RS-A")

    def stream(first: int) -> list[tuple[int, set[str]]]:
        """Send scans of two people who are known and eight who are not, again and again."""
        said, turn = [], 0
        with gate.client(key) as client:
            while not over.is_set():
                serials = [first, first + 1, *range(first + 8 * turn, first + 8 * turn + 8)]
                bodies = [scan(subject={"type": "nik", "value": f"367101150890{one:04}"}) for one in serials]
                answer = client.post("/v1/scans", json=bodies)
                said.append((answer.status_code, {one["status"] for one in answer.json().get("results", ())}))
                turn = (turn + 1) % 500
        return said

    try:
        with ThreadPoolExecutor(2) as threads:
            streams = [threads.submit(stream, first) for first in (1, 5_001)]
            try:
                for purpose in PURPOSES:
                    change_by_a_command_that_is_killed(gate.settings, purpose)
            finally:
                over.set()
            said = [one for each in streams for one in each.result()]
    finally:
        gate.stop()
    assert {status for status, _ in said} == {200}
    assert set().union(*(results for _, results in said)) == {"accepted"}
    ((held, digests, versions),) = asked(
        settings,
        "select count(*), count(distinct i.digest), array_agg(distinct (i.key_version, p.key_version)::text)"
        " from vault.person p join vault.identifier i using (person)",
    )
    assert held == digests == len(set(values(settings).values())) > 100
    assert versions == ["(2,2)"]


def change_by_a_command_that_is_killed(settings: Settings, purpose: str) -> None:
    """Change a key by the command, killed when it has said its first words; run again it says where it goes on."""
    words = [sys.executable, "-m", "ops.cli", "vault", "rotate", f"--{purpose}"]
    with subprocess.Popen(words, env=environment(settings), stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == f"{purpose} key 2 is made\n"
        first.kill()
    again = subprocess.run(words, env=environment(settings), capture_output=True, text=True, check=False, timeout=120)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"{purpose}-1.retired" in again.stdout
    assert f"{purpose} key 3" not in again.stdout


def test_a_gate_without_the_new_key_says_so_and_gives_no_second_id(settings: Settings) -> None:
    vault = vault_of(settings)
    ids = ids_of(settings, vault, people(0, 3))
    run(settings, "index")
    new = key_folder(settings) / "index-2"
    aside = new.rename(new.with_name("aside"))
    with pytest.raises(Unavailable, match="has not got them"):
        ids_of(settings, vault, people(0, 3))
    with gate_connection(settings) as conn, pytest.raises(InvalidSettings, match="index-2"):
        open_vault(conn, settings)
    aside.rename(new)
    assert ids_of(settings, vault, people(0, 3)) == ids


def test_old_keys_find_and_open_nothing_after_a_rotation(settings: Settings) -> None:
    vault = vault_of(settings)
    ids_of(settings, vault, people(0, 3))
    with gate_connection(settings) as conn:
        before = read_keys(vault_store.keys(conn), key_folder(settings))
    digests = {row[0] for row in asked(settings, "select digest from vault.identifier")}
    wrapped = {row[0] for row in asked(settings, "select wrapped_key from vault.person")}
    run(settings, "index")
    run(settings, "master")
    assert not digests & {row[0] for row in asked(settings, "select digest from vault.identifier")}
    assert not wrapped & {row[0] for row in asked(settings, "select wrapped_key from vault.person")}
    with gate_connection(settings) as conn:
        assert vault_store.find(conn, before.versions, [b"x"]) is None
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
            vault_store.add(conn, before.versions, [vault_store.NewPerson(b"d", "0" * 32, "nik", b"", b"")])


def test_the_command_changes_a_key_and_the_audit_says_who(settings: Settings) -> None:
    vault_of(settings)
    answers = [
        CliRunner().invoke(vault_command, options, obj=settings)
        for options in (["rotate"], ["rotate", "--index", "--only-make"], ["rotate", "--index"], ["keys"])
    ]
    assert [answer.exit_code for answer in answers] == [2, 0, 0, 0]
    assert answers[1].stdout == "made index-2\n"
    assert "index-1.retired" in answers[2].stdout
    assert answers[3].stdout == "index-2 current\nmaster-1 current\n"
    rows = asked(settings, "select action, object from audit order by id")
    assert rows == [
        ("index key added", "version 2"),
        ("index key rotated", "all persons"),
        ("index key retired", "version 1"),
    ]
