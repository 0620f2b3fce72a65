"""THE VAULT: the only place where a NIK, passport, KITAS or temporary number meets a person id.

A person id is random and given once. The vault stores HMAC-SHA256(index key, type ":" value) → person id, and the
value under AES-256-GCM with a key of the person's own, itself wrapped by the master key. Both keys are files outside
the database (`portal/vault/key_files.py`), and may be changed while gates work (`portal/vault/rotation.py`). Erasure
deletes the row, and with it the key; nobody else holds either.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag

from portal.kept import Recent
from portal.key_files import read_key_file
from portal.nik import FIELD, check_nik, known_regions
from portal.store import Connection, put_areas
from portal.vault import store
from portal.vault.key_files import (
    PURPOSES,
    Keys,
    key_file,
    key_folder,
    make_keys,
    other_keys,
    proof_of,
    read_keys,
)
from portal.vault.sealing import open_sealed, own_key, seal
from schemas.errors import BadInput, InvalidSettings, Unavailable
from schemas.settings import Settings

PERSON_BYTES: Final = 16
CACHED_HALF: Final = 350_000  # some 60 MiB: who came within the last minutes of a national peak comes again

_numbered = re.compile(r"[A-Z0-9]{4,20}")
_blanks = re.compile(r"[\s-]+")


class Subject(msgspec.Struct, frozen=True):
    """Who passed a gate, as a caller says it, checked and brought to one spelling."""

    kind: str  # nik, passport, kitas, temporary, test
    value: str
    district: str = ""  # of residence, where known: a NIK does not say it


class Vault:
    """Gives person ids. Safe to share between threads; remembers the digests it has seen, never the values."""

    def __init__(self, keys: Keys, folder: Path, erased: int) -> None:
        self._keys = keys
        self._folder = folder
        self._erased = self._erased_before = erased
        self._seen = Recent(CACHED_HALF)  # digest: the person id's bytes, then the district where it is known

    def known_ids(self, subjects: Sequence[Subject]) -> list[str] | None:
        """Return the person ids if all are remembered with their districts, else None; asks no database."""
        ids, index = [], self._keys.index
        for subject in subjects:
            seen = self._seen.get(digest_of(index, subject))
            if seen is None or (subject.district and subject.district.encode() != seen[PERSON_BYTES:]):
                return None
            ids.append(seen[:PERSON_BYTES].hex())
        return ids

    def person_ids(self, conn: Connection, subjects: Sequence[Subject]) -> list[str]:
        """Return the person id of each subject, giving new ones to those never seen; three round trips at most.

        Two gates that meet a person at the same time get one id: the index decides. The caller commits, and only
        then may call `remember`.

        Raises:
            Unavailable: the keys were changed, and the new ones are not in their files here.
        """
        keys, digests, found = self._find(conn, subjects)
        wanted = dict(zip(digests, subjects, strict=True))
        missing = sorted(wanted.keys() - found.keys())
        if missing:
            store.add(conn, keys.versions, [_new_person(keys, digest, wanted[digest]) for digest in missing])
            found |= store.find(conn, keys.versions, missing) or {}
        moved = {
            found[digest][0]: subject.district
            for digest, subject in zip(digests, subjects, strict=True)
            if subject.district and found[digest][1] != subject.district
        }
        if moved:
            put_areas(conn, sorted(moved.items()))
        return [found[digest][0] for digest in digests]

    def known_id(self, conn: Connection, subject: Subject) -> str | None:
        """Return the person id of a subject that was met before, else None: a look-up gives none.

        Raises:
            Unavailable: the keys were changed, and the new ones are not in their files here.
        """
        _, (digest,), found = self._find(conn, [subject])
        return found[digest][0] if digest in found else None

    def own_keys(self, conn: Connection, persons: Sequence[str]) -> dict[str, bytes]:
        """Return the own keys of persons, to seal what else is kept of them; of those erased there is none.

        Raises:
            Unavailable: the keys were changed, and the new ones are not in their files here.
        """
        return {row.person: self.own_key(conn, row) for row in store.own_keys(conn, persons)}

    def own_key(self, conn: Connection, row: store.Sealed) -> bytes:
        """Return the own key of a stored person.

        Raises:
            Unavailable: the keys were changed, and the new ones are not in their files here.
        """
        if row.key_version not in self._keys.masters:
            self._read_keys(conn)
        try:
            return own_key(self._keys.masters, row)
        except InvalidTag as error:
            raise Unavailable("the vault's keys are being changed") from error

    def claim(self, conn: Connection, subject: Subject) -> tuple[str, bool]:
        """Return the person id of a subject that somebody only says he is, and whether it is new.

        The same statements run for one who is known as for one who is not, and nothing that is known changes.

        Raises:
            Unavailable: the keys were changed, and the new ones are not in their files here.
        """
        keys, (digest,), _ = self._find(conn, [subject])
        new = _new_person(keys, digest, subject)
        store.add(conn, keys.versions, [new])
        person = (store.find(conn, keys.versions, [digest]) or {})[digest][0]
        return person, person == new.person

    def remember(self, subjects: Sequence[Subject], ids: Sequence[str]) -> None:
        """Keep ids that are committed, the most recent ones."""
        index = self._keys.index
        for subject, person in zip(subjects, ids, strict=True):
            digest = digest_of(index, subject)
            district = subject.district.encode() or (self._seen.get(digest) or b"")[PERSON_BYTES:]
            self._seen.put(digest, bytes.fromhex(person) + district)

    def tend(self, conn: Connection) -> None:
        """Carry out erasures whose date has come, and forget what is old: other keys, persons erased.

        To be called every few seconds. What is remembered is forgotten once more at the next call: a request may
        have been on its way.
        """
        store.erase_due(conn)
        versions, erased = store.state(conn)
        if versions != self._keys.versions:
            self._read_keys(conn)
        if erased != self._erased_before:
            self._seen = Recent(CACHED_HALF)
        self._erased_before, self._erased = self._erased, erased

    def _find(
        self, conn: Connection, subjects: Sequence[Subject]
    ) -> tuple[Keys, list[bytes], dict[bytes, tuple[str, str]]]:
        """Return what is stored of the subjects, with the keys in use, which stay so while the transaction lasts."""
        for _ in range(2):
            keys = self._keys
            digests = [digest_of(keys.index, subject) for subject in subjects]
            found = store.find(conn, keys.versions, list(dict.fromkeys(digests)))
            if found is not None:
                return keys, digests, found
            self._read_keys(conn)
        raise Unavailable("the vault's keys are being changed")

    def _read_keys(self, conn: Connection) -> None:
        try:
            self._keys = read_keys(store.keys(conn), self._folder)
        except InvalidSettings as error:
            raise Unavailable(f"the vault's keys were changed, and this gate has not got them: {error}") from error


def digest_of(index_key: bytes, subject: Subject) -> bytes:
    """Return what the vault finds a subject by."""
    return hmac.digest(index_key, f"{subject.kind}:{subject.value}".encode(), "sha256")


def normalise(kind: str, value: str, district: str, *, demo: bool) -> Subject:
    """Return the subject in the one spelling its digest is made of.

    Raises:
        BadInput: names the field and what is wrong, never the value.
    """
    if kind == "test" and not demo:
        raise BadInput("is not one of the allowed values", field="subject.type")
    residence = district if "." in district or not district else f"{district[:2]}.{district[2:]}"
    if residence and residence not in known_regions().districts:
        raise BadInput("district is not known", field="subject.district")
    return Subject(kind, _SPELLINGS[kind](value), residence)


def open_vault(conn: Connection, settings: Settings) -> Vault:
    """Return the vault with the keys of its files; in a vault that holds nobody they are made and written down now.

    Raises:
        InvalidSettings: a key file is missing though the vault holds people, is no key, or is another vault's.
    """
    folder = key_folder(settings)
    if not store.keys(conn):
        _write_down_first_keys(conn, folder)
    _, erased = store.state(conn)
    return Vault(read_keys(store.keys(conn), folder), folder, erased)


def _write_down_first_keys(conn: Connection, folder: Path) -> None:
    """Write down proofs of the first keys; where people are stored already, one of them must open."""
    row = store.sample(conn)
    if row is None:
        make_keys(folder)
    index, master = (read_key_file(key_file(folder, purpose, 1)) for purpose in PURPOSES)
    if row is not None:
        try:
            value = open_sealed({1: master}, store.Sealed(row.person, row.kind, row.sealed, row.wrapped_key, 1))
        except InvalidTag as error:
            raise other_keys() from error
        if not hmac.compare_digest(digest_of(index, Subject(row.kind, value)), row.digest):
            raise other_keys()
    for purpose, key in zip(PURPOSES, (index, master), strict=True):
        store.register(conn, purpose, proof_of(key, purpose, 1))


def _new_person(keys: Keys, digest: bytes, subject: Subject) -> store.NewPerson:
    person = secrets.token_hex(PERSON_BYTES)
    sealed, wrapped = seal(keys.master, person, subject.value)
    return store.NewPerson(digest, person, subject.kind, sealed, wrapped)


def _spell_number(name: str) -> Callable[[str], str]:
    def spell(value: str) -> str:
        spelled = _blanks.sub("", value).upper()
        if not _numbered.fullmatch(spelled):
            raise BadInput(f"a {name} number has 4 to 20 letters and digits", field=FIELD)
        return spelled

    return spell


def _spell_free(value: str) -> str:
    spelled = " ".join(value.upper().split())
    if not spelled:
        raise BadInput("is empty", field=FIELD)
    return spelled


_SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "nik": lambda value: check_nik(value, known_regions()),
    "passport": _spell_number("passport"),
    "kitas": _spell_number("KITAS"),
    "temporary": _spell_free,
    "test": _spell_free,
}
KINDS: Final = tuple(_SPELLINGS)
