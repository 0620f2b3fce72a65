"""Identifiers as a person's request names them, read from a stream: never from arguments, which others can see."""

from collections.abc import Iterable
from typing import Final

from portal.identity import KINDS, Subject, digest_of, normalise
from portal.store import Connection
from portal.vault import store
from portal.vault.key_files import Keys
from schemas.errors import BadInput, NotFound, Unavailable

LINE_MAX: Final = 256


def read_identifiers(lines: Iterable[str], number: int, *, demo: bool) -> list[Subject]:
    """Return so many identifiers, each on a line of its own as `nik 3671…`; empty lines are left out.

    Raises:
        BadInput: names the line and the field, never the value.
    """
    found: list[Subject] = []
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LINE_MAX:
            raise BadInput(f"has more than {LINE_MAX} characters", line=at)
        kind, _, value = line.strip().partition(" ")
        if kind not in KINDS:
            raise BadInput(f"is none of {', '.join(KINDS)}", field="type", line=at)
        try:
            found.append(normalise(kind, value, "", demo=demo))
        except BadInput as error:
            raise BadInput(error.reason, field="value", line=at) from error
    if len(found) != number:
        raise BadInput(f"needed: {number} line(s) with type and value, e.g. `nik` and the number; found: {len(found)}")
    return found


def person_of(conn: Connection, keys: Keys, subject: Subject) -> str:
    """Return whom an identifier stands for.

    Raises:
        NotFound: the vault holds nobody of that identifier.
        Unavailable: a key is being changed just now.
    """
    person = find_person(conn, keys, subject)
    if person is None:
        raise NotFound("the vault holds nobody of that identifier")
    return person


def find_person(conn: Connection, keys: Keys, subject: Subject) -> str | None:
    """Return whom an identifier stands for, or None.

    Raises:
        Unavailable: a key is being changed just now.
    """
    found = store.find(conn, keys.versions, [digest_of(keys.index, subject)])
    if found is None:
        raise Unavailable("the vault's keys are being changed: try again")
    return next((person for person, _ in found.values()), None)
