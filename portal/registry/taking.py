"""Takes records of vaccinations into the vault: persons get ids, holders are sealed, doses stored, the audit told.

Idempotent: the same records again change nothing. A record with another content is a correction, unless it says that
it is older; one entered in error is withdrawn for good.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from portal.identity import Vault
from portal.names import spelled
from portal.registry import store
from portal.registry.holder import Holder, seal
from portal.registry.records import Record
from portal.registry.store import Outcome, Source
from portal.store import Connection, append_audit

BATCH: int = 1_000
# Of two holders the later stands: any certificate's, before a laboratory's word, before a person's own.
CLAIMED: Final = datetime(1970, 1, 1, tzinfo=UTC)
REPORTED: Final = datetime(1970, 1, 2, tzinfo=UTC)


def take(conn: Connection, vault: Vault, records: Sequence[Record], who: str, source: Source) -> list[Outcome]:
    """Store records, at most `BATCH` of them; return what each was, in order. The caller commits.

    Raises:
        Unavailable: the vault's keys are being changed: all of them may be sent again.
    """
    persons = vault.person_ids(conn, [record.subject for record in records])
    keys = vault.own_keys(conn, sorted(set(persons)))
    newest: dict[str, Record] = {}
    for person, record in zip(persons, records, strict=True):
        if person in keys and (person not in newest or record.as_of >= newest[person].as_of):
            newest[person] = record
    if newest:
        sealed = {person: seal(keys[person], person, record.holder) for person, record in newest.items()}
        store.put_holders(conn, {person: (*sealed[person], record.as_of) for person, record in newest.items()})
    outcomes: dict[int, Outcome] = {}
    for group in _once_each(persons, records):
        said = store.put_doses(conn, who, source, {key: record for key, (_, record) in group.items()})
        outcomes |= {number: said[key] for key, (number, _) in group.items()}
    append_audit(conn, who, "vaccinations imported", f"{len(records)} records")
    return [outcomes[number] for number in range(len(records))]


def put_name(conn: Connection, vault: Vault, person: str, name: str, who: str, as_of: datetime) -> None:
    """Keep the name of somebody who need not have a certificate. The caller commits.

    Without a name to compare, whom a laboratory found positive would be nobody to a gate.

    Args:
        conn: the connection.
        vault: has the person's own key.
        person: whose name it is.
        name: as whoever saw his document says it; one without letters is none.
        who: says it, for the audit.
        as_of: `CLAIMED` or `REPORTED`.

    Raises:
        Unavailable: the vault's keys are being changed.
    """
    for own_key in vault.own_keys(conn, [person]).values() if spelled(name) else ():
        store.put_holders(conn, {person: (*seal(own_key, person, Holder(name=name)), as_of)})
        append_audit(conn, who, "name put on record", person)


def _once_each(
    persons: Sequence[str], records: Sequence[Record]
) -> Iterator[dict[tuple[str, str], tuple[int, Record]]]:
    """Yield the records with their numbers in groups that hold each one once, so that of two the later is later."""
    group: dict[tuple[str, str], tuple[int, Record]] = {}
    for number, (person, record) in enumerate(zip(persons, records, strict=True)):
        key = person, record.record
        if key in group:
            yield group
            group = {}
        group[key] = number, record
    if group:
        yield group
