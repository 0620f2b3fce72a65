"""THE VAULT: the only place where a NIK, passport, KITAS or temporary number meets a person id.

A person id is random and given once. The vault stores HMAC-SHA256(index key, type ":" value) → person id, and the
value under AES-256-GCM with a key of the person's own, itself wrapped by the master key. Both keys are files outside
the database. Erasure deletes the row, and with it the key; nobody else holds either.
"""

import base64
import hmac
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal import store
from portal.kept import Recent
from portal.nik import FIELD, check_nik, known_regions
from portal.store import Connection, VaultRow
from schemas.errors import BadInput, InvalidSettings
from schemas.settings import Settings

INDEX_VERSION: Final = 1
MASTER_VERSION: Final = 1
INDEX_FILE: Final = f"index-{INDEX_VERSION}"
MASTER_FILE: Final = f"master-{MASTER_VERSION}"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
PERSON_BYTES: Final = 16
ROW_VERSION: Final = 1  # of vault.person: bound into what is sealed, so that no old row can be put back in its place
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

    def __init__(self, index_key: bytes, master_key: bytes) -> None:
        self._index_key = index_key
        self._master = AESGCM(master_key)
        self._seen = Recent(CACHED_HALF)  # digest: the person id's bytes, then the district where it is known

    def known_ids(self, subjects: Sequence[Subject]) -> list[str] | None:
        """Return the person ids if all are remembered with their districts, else None; asks no database."""
        ids = []
        for subject in subjects:
            seen = self._seen.get(self._digest(subject.kind, subject.value))
            if seen is None or (subject.district and subject.district.encode() != seen[PERSON_BYTES:]):
                return None
            ids.append(seen[:PERSON_BYTES].hex())
        return ids

    def person_ids(self, conn: Connection, subjects: Sequence[Subject]) -> list[str]:
        """Return the person id of each subject, giving new ones to those never seen; three round trips at most.

        Two gates that meet a person at the same time get one id: the index decides. The caller commits, and only
        then may call `remember`.
        """
        digests = [self._digest(subject.kind, subject.value) for subject in subjects]
        wanted = dict(zip(digests, subjects, strict=True))
        found = store.vault_find(conn, list(wanted))
        missing = sorted(wanted.keys() - found.keys())
        if missing:
            rows = [self._seal(digest, wanted[digest]) for digest in missing]
            store.vault_add(conn, rows, INDEX_VERSION, MASTER_VERSION)
            found |= store.vault_find(conn, missing)
        moved = {
            found[digest][0]: subject.district
            for digest, subject in zip(digests, subjects, strict=True)
            if subject.district and found[digest][1] != subject.district
        }
        if moved:
            store.put_areas(conn, sorted(moved.items()))
        return [found[digest][0] for digest in digests]

    def remember(self, subjects: Sequence[Subject], ids: Sequence[str]) -> None:
        """Keep ids that are committed, the most recent ones."""
        for subject, person in zip(subjects, ids, strict=True):
            digest = self._digest(subject.kind, subject.value)
            district = subject.district.encode() or (self._seen.get(digest) or b"")[PERSON_BYTES:]
            self._seen.put(digest, bytes.fromhex(person) + district)

    def check(self, conn: Connection) -> None:
        """Open one stored person, if there is one.

        Raises:
            InvalidSettings: these are not the keys the vault was written with: with them, everybody known would be
                given a second id.
        """
        row = store.vault_sample(conn)
        if row is None:
            return
        try:
            value = self._open(row)
        except InvalidTag:
            value = None
        if value is None or not hmac.compare_digest(self._digest(row.kind, value), row.digest):
            raise InvalidSettings("holds other keys than those the vault was written with", field="JEJAK_SECRETS")

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.digest(self._index_key, f"{kind}:{value}".encode(), "sha256")

    def _seal(self, digest: bytes, subject: Subject) -> VaultRow:
        person, own_key = secrets.token_hex(PERSON_BYTES), secrets.token_bytes(KEY_BYTES)
        sealed = _encrypt(AESGCM(own_key), subject.value.encode(), _bound_to("sealed", person))
        wrapped = _encrypt(self._master, own_key, _bound_to("wrapped_key", person))
        return VaultRow(digest, person, subject.kind, sealed, wrapped)

    def _open(self, row: VaultRow) -> str:
        own_key = _decrypt(self._master, row.wrapped_key, _bound_to("wrapped_key", row.person))
        return _decrypt(AESGCM(own_key), row.sealed, _bound_to("sealed", row.person)).decode()


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
    """Return the vault with the keys of its files, made now if the vault holds nobody yet.

    Raises:
        InvalidSettings: a key file is missing though the vault holds people, is no key, or is another vault's.
    """
    folder = settings.secrets_dir / "vault"
    if store.vault_sample(conn) is None and not all((folder / name).is_file() for name in (INDEX_FILE, MASTER_FILE)):
        make_keys(folder)
    vault = Vault(_read_key(folder / INDEX_FILE), _read_key(folder / MASTER_FILE))
    vault.check(conn)
    return vault


def make_keys(folder: Path) -> None:
    """Make the key files that are missing, private and whole; of two processes the first one's stay.

    Only for a vault that holds nobody yet.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (INDEX_FILE, MASTER_FILE):
        new = folder / f".{name}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            (folder / name).hardlink_to(new)
        new.unlink()


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


def _bound_to(column: str, person: str) -> bytes:
    return f"vault.person|{column}|{person}|{ROW_VERSION}".encode()


def _encrypt(key: AESGCM, clear: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, clear, bound_to)


def _decrypt(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)


def _read_key(path: Path) -> bytes:
    try:
        key = base64.urlsafe_b64decode(path.read_text().strip() + "=")
    except OSError as error:
        raise InvalidSettings(f"cannot be read: {path}", field="JEJAK_SECRETS") from error
    except ValueError as error:
        raise InvalidSettings(f"is no key: {path}", field="JEJAK_SECRETS") from error
    if len(key) != KEY_BYTES:
        raise InvalidSettings(f"is no key of {KEY_BYTES} bytes: {path}", field="JEJAK_SECRETS")
    return key
