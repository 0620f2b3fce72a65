"""The vault's keys: one file each, `index-1`, `master-1`, outside the database, which knows a proof of each.

The index key makes digests of documents, the master key wraps every person's own key. A file with another key than the
one the vault was written with is refused: with it, everybody known would be given a second id.
"""

import hmac
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from portal.key_files import make_key_file, read_key_file
from portal.vault.store import KeyState, Purpose, Versions
from schemas.errors import InvalidSettings
from schemas.settings import Settings

PURPOSES: Final[tuple[Purpose, ...]] = ("index", "master")


class Keys(msgspec.Struct, frozen=True):
    """The keys of one moment: those in use, and every other one that may still be met."""

    versions: Versions
    index: bytes
    masters: Mapping[int, bytes]  # by version

    @property
    def master(self) -> bytes:
        """The master key that wraps the keys of new persons."""
        return self.masters[self.versions.master]


def key_folder(settings: Settings) -> Path:
    """Return the folder of the vault's key files."""
    return settings.secrets_dir / "vault"


def key_file(folder: Path, purpose: Purpose, version: int) -> Path:
    """Return the file of one key."""
    return folder / f"{purpose}-{version}"


def make_keys(folder: Path) -> None:
    """Make the first key of each purpose that has none, private and whole; of two processes the first one's stay."""
    for purpose in PURPOSES:
        if not any(path.name.removeprefix(f"{purpose}-").isdigit() for path in folder.glob(f"{purpose}-*")):
            make_key(folder, purpose, 1)


def make_key(folder: Path, purpose: Purpose, version: int) -> None:
    """Make a key's file; one that is there stays."""
    make_key_file(key_file(folder, purpose, version))


def retire_file(folder: Path, purpose: Purpose, version: int) -> Path:
    """Put a key's file out of use, beside the others; return its new name. Backups from before still need it."""
    path = key_file(folder, purpose, version)
    old = path.with_name(f"{path.name}.retired")
    with suppress(FileNotFoundError):  # done before, by a run that was killed
        path.replace(old)
    return old


def proof_of(key: bytes, purpose: Purpose, version: int) -> bytes:
    """Return what says whether a file holds this key, and nothing of the key."""
    return hmac.digest(key, f"jejak vault|{purpose}|{version}".encode(), "sha256")


def read_keys(states: Iterable[KeyState], folder: Path) -> Keys:
    """Return the keys that the vault needs from their files; one that only is coming or going may be missing.

    Raises:
        InvalidSettings: a file is missing, holds no key, or another one than the vault was written with.
    """
    held: dict[tuple[Purpose, int], bytes] = {}
    current: dict[Purpose, int] = {}
    for one in states:
        path = key_file(folder, one.purpose, one.version)
        if one.state == "current":
            current[one.purpose] = one.version
        elif not path.is_file():
            continue
        key = read_key_file(path)
        if not hmac.compare_digest(proof_of(key, one.purpose, one.version), one.proof):
            raise other_keys()
        held[one.purpose, one.version] = key
    versions = Versions(current["index"], current["master"])
    masters = {version: key for (purpose, version), key in held.items() if purpose == "master"}
    return Keys(versions, held["index", versions.index], masters)


def other_keys() -> InvalidSettings:
    """Return the refusal of keys that the vault was not written with."""
    return InvalidSettings("holds other keys than those the vault was written with", field="JEJAK_SECRETS")
