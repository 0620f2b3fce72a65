"""Changing the vault's keys while gates work. Whoever it is killed under runs it again: it goes on where it was.

A new index key comes beside the old one: every person gets a second digest, those who are added meanwhile are kept in
a list, and the last of these get theirs in the same moment, with everybody waiting, in which gates are told to use the
new key. So there is at every moment one key under which all persons are found, and nobody gets a second id. A new
master key is used at once, and the persons' keys are wrapped again one by one. At the end the old key's file is put out
of use.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag

from portal.identity import Subject, digest_of
from portal.key_files import read_key_file
from portal.store import Connection
from portal.vault import store
from portal.vault.key_files import (
    Keys,
    key_file,
    make_key,
    other_keys,
    proof_of,
    read_keys,
    retire_file,
)
from portal.vault.sealing import open_sealed, wrap_again
from portal.vault.store import KeyState, Purpose, Sealed
from schemas.errors import Conflict

Transact: TypeAlias = Callable[[], AbstractContextManager[Connection]]
Say: TypeAlias = Callable[[str], None]

BATCH: Final = 1_000
ROUNDS_MAX: Final = 20  # of newcomers before everybody waits: they might come faster than they are done
TICKET_S: Final = 1_800.0  # half of what one lasts
NOBODY: Final = "0" * 32


def rotate(purpose: Purpose, transact: Transact, folder: Path, who: str, say: Say) -> Path:
    """Put a new key in the place of the one in use; return the old one's file, put out of use.

    Args:
        purpose: which key.
        transact: opens a transaction as the operator.
        folder: of the key files; the gates must read the new one too.
        who: for the audit.
        say: told what was done, after each step that is committed.

    Raises:
        Conflict: the vault holds no keys yet.
        InvalidSettings: a key file is missing or another vault's.
    """
    work = _Work(purpose, transact, folder, who, say)
    states = work.states()
    if "going" not in states:
        version = states["coming"].version if "coming" in states else work.bring(states["current"].version + 1)
        if purpose == "index":
            work.switch_index(version)
        else:
            work.switch_master(version)
    return work.retire()


class _Work:
    """One run of a rotation."""

    def __init__(self, purpose: Purpose, transact: Transact, folder: Path, who: str, say: Say) -> None:
        self._purpose, self._transact, self._folder, self._who, self._say = purpose, transact, folder, who, say
        self._ticket_of: tuple[int, float] | None = None

    def states(self) -> dict[str, KeyState]:
        with self._transact() as conn:
            states = {one.state: one for one in store.keys(conn) if one.purpose == self._purpose}
        if not states:
            raise Conflict("the vault has no keys yet: a gate makes them when it first starts")
        return states

    def bring(self, version: int) -> int:
        make_key(self._folder, self._purpose, version)
        proof = proof_of(read_key_file(key_file(self._folder, self._purpose, version)), self._purpose, version)
        with self._transact() as conn:
            store.bring_key(conn, self._who, KeyState(self._purpose, version, proof, "coming"))
        self._say(f"{self._purpose} key {version} is made")
        return version

    def switch_index(self, version: int) -> None:
        keys, index = self._keys(), read_key_file(key_file(self._folder, "index", version))
        self._index_all(keys, index, version)
        for _ in range(ROUNDS_MAX):
            if len(self._index_newcomers(keys, index, version)) < BATCH:
                break
        ticket = self._ticket()
        with self._transact() as conn:
            store.hold(conn, ticket, "index")
            while rows := store.newcomers(conn, ticket, version, BATCH):
                store.put_index(conn, ticket, version, _digests(keys, index, rows))
            store.switch(conn, ticket, "index", version)
        self._say(f"index key {version} is in use")

    def switch_master(self, version: int) -> None:
        ticket = self._ticket()
        with self._transact() as conn:
            store.switch(conn, ticket, "master", version)
        self._say(f"master key {version} is in use")

    def retire(self) -> Path:
        states = self.states()
        going, current = states["going"].version, states["current"].version
        if self._purpose == "index":
            self._drop(going)
        else:
            self._wrap_all(current)
        ticket = self._ticket()
        with self._transact() as conn:
            store.retire(conn, self._who, ticket, self._purpose, going)
        self._say(f"{self._purpose} key {going} is retired")
        return retire_file(self._folder, self._purpose, going)

    def _index_all(self, keys: Keys, index: bytes, version: int) -> None:
        """Give a digest to everybody who was there when the key was brought and lacks it; the others are newcomers."""
        number = 0
        for rows in self._batches(lambda conn, after: store.to_index(conn, self._ticket(), version, after, BATCH)):
            digests = _digests(keys, index, rows)
            ticket = self._ticket()
            with self._transact() as conn:
                store.put_index(conn, ticket, version, digests)
            number += len(rows)
            self._say(f"{number} persons are found by both keys")

    def _index_newcomers(self, keys: Keys, index: bytes, version: int) -> list[Sealed]:
        ticket = self._ticket()
        with self._transact() as conn:
            rows = store.newcomers(conn, ticket, version, BATCH)
            store.put_index(conn, ticket, version, _digests(keys, index, rows))
        return rows

    def _drop(self, version: int) -> None:
        after: str | None = NOBODY
        while after is not None:
            ticket = self._ticket()
            with self._transact() as conn:
                after = store.drop_index(conn, ticket, version, after, BATCH)

    def _wrap_all(self, version: int) -> None:
        keys, number = self._keys(), 0
        for rows in self._batches(lambda conn, after: store.to_wrap(conn, self._ticket(), version, after, BATCH)):
            wrapped = [(row.person, _wrap(keys, row)) for row in rows]
            ticket = self._ticket()
            with self._transact() as conn:
                store.put_wrap(conn, ticket, version, wrapped)
            number += len(rows)
            self._say(f"{number} persons' keys are wrapped by the new one")

    def _batches(self, read: Callable[[Connection, str], list[Sealed]]) -> Iterator[list[Sealed]]:
        after = NOBODY
        while True:
            self._ticket()
            with self._transact() as conn:
                rows = read(conn, after)
            if not rows:
                return
            yield rows
            after = rows[-1].person

    def _keys(self) -> Keys:
        with self._transact() as conn:
            return read_keys(store.keys(conn), self._folder)

    def _ticket(self) -> int:
        """Return a ticket that lasts; a new one is in the audit, and committed."""
        if self._ticket_of is None or monotonic() - self._ticket_of[1] > TICKET_S:
            with self._transact() as conn:
                self._ticket_of = store.ask(conn, self._who, self._purpose, None, "rotation"), monotonic()
        return self._ticket_of[0]


def _digests(keys: Keys, index: bytes, rows: Sequence[Sealed]) -> list[tuple[bytes, str]]:
    return [(digest_of(index, Subject(row.kind, _open(keys, row))), row.person) for row in rows]


def _open(keys: Keys, row: Sealed) -> str:
    try:
        return open_sealed(keys.masters, row)
    except InvalidTag as error:
        raise other_keys() from error


def _wrap(keys: Keys, row: Sealed) -> bytes:
    try:
        return wrap_again(keys.masters, row, keys.master)
    except InvalidTag as error:
        raise other_keys() from error
