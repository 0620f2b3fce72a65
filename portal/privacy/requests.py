"""A person's requests: an export of his data with the processing trail, and erasure with a receipt.

A human who has several ids, joined by a record, gets what is stored under all of them, and is erased under all.

That the identity was opened is in the audit before the export is read, so the export shows its own entry too.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag

from portal.identity import Subject
from portal.joins import store as joined
from portal.privacy import store
from portal.privacy.identifiers import find_person, person_of
from portal.registry import store as registry
from portal.registry.holder import unseal
from portal.store import Connection
from portal.vault import store as vault
from portal.vault.key_files import Keys, other_keys, read_keys
from portal.vault.rotation import Transact
from portal.vault.sealing import open_sealed, own_key
from portal.vault.store import Erasure
from portal.visitor import store as visiting
from portal.visitor.claims import unseal as unseal_claim
from schemas.errors import NotFound

ERASED_JUST_NOW: Final = "the person was erased just now"


def export(
    transact: Transact, folder: Path, subject: Subject, *, who: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Return a person's data and who processed them, as one object.

    Args:
        transact: opens a transaction as the operator.
        folder: of the vault's key files.
        subject: the person, as he named himself.
        who: answers him; for the audit.
        reason: the same.
        now: when.

    Raises:
        NotFound: the vault holds nobody of that identifier.
    """
    with transact() as conn:
        keys = read_keys(vault.keys(conn), folder)
        ids = vault.ids_of(conn, person_of(conn, keys, subject))
        tickets = {one: vault.ask(conn, who, "open", one, reason) for one in ids}
    with transact() as conn:
        shown = [_shown(conn, keys, ticket, person) for person, ticket in tickets.items()]
    if shown[0] is None:
        raise NotFound(ERASED_JUST_NOW)
    with transact() as conn:
        store.one_state(conn)
        data = store.own_data(conn, ids)
        erasures = [one for person in ids for one in vault.erasures_waiting(conn, person)]
        joins = {one.join_id: one for person in ids for one in joined.of_person(conn, person)}.values()
        objects = [*(one.erasure_id for one in erasures), *(f"join {one.join_id}" for one in joins)]
        trail = store.trail(conn, ids, objects)
    return {
        "made_at": now,
        **shown[0],
        "other_ids": [one for one in shown[1:] if one is not None],
        **data,
        "joins": [{"state": one.state, "asked_at": one.asked_at, "reason": one.reason} for one in joins],
        "erasures": [
            {"erasure_id": one.erasure_id, "asked_at": one.asked_at, "due_at": one.due_at} for one in erasures
        ],
        "processing_trail": trail,
    }


def erase(transact: Transact, folder: Path, subject: Subject, *, who: str, reason: str) -> list[Erasure]:
    """Record that a person is to be erased; it is done at once, or at the date that comes back; then his other ids.

    Raises:
        NotFound: the vault holds nobody of that identifier.
    """
    with transact() as conn:
        keys = read_keys(vault.keys(conn), folder)
        asked = vault.erase(conn, who, person_of(conn, keys, subject), reason)
        receipt = None if asked is None else vault.erasure_of(conn, asked)
        if asked is None or receipt is None:
            raise NotFound(ERASED_JUST_NOW)
        is_found = find_person(conn, keys, subject) is not None
        assert is_found == (receipt.done_at is None), "somebody who was erased is found"
    return receipt_of(transact, asked)


def receipt_of(transact: Transact, erasure_id: str) -> list[Erasure]:
    """Return what is recorded of an erasure and whether anything is left; then of those of his other ids.

    Raises:
        NotFound: there is no such erasure.
    """
    with transact() as conn:
        receipt = vault.erasure_of(conn, erasure_id)
        if receipt is None:
            raise NotFound("no erasure of that id")
        found = [receipt, *vault.erasures_beside(conn, erasure_id)]
    assert not any(one.left_over for one in found if one.done_at), "something is left of somebody who was erased"
    return found


def _shown(conn: Connection, keys: Keys, ticket: int, person: str) -> dict[str, Any] | None:
    """Return what is sealed of an id, opened; None: it was erased."""
    row = vault.take_out(conn, ticket, person)
    if row is None:
        return None
    return {
        "identity": _identity(keys, row),
        "certificate": _certificate(keys, row, registry.own_certificate(conn, ticket, person)),
        "devices": [_device(keys, row, one) for one in visiting.devices_of(conn, person)],
    }


def _certificate(keys: Keys, row: vault.Sealed, held: registry.Held) -> dict[str, Any] | None:
    """Return what the certificate registry holds of him; None where it holds nothing."""
    if not held.holder:
        return None
    holder = unseal(own_key(keys.masters, row), row.person, held.holder)
    return {**msgspec.to_builtins(holder), "vaccinations": held.doses}


def _device(keys: Keys, row: vault.Sealed, held: visiting.Held) -> dict[str, Any]:
    """Return a device; what was claimed on it only where it is his own: on another it is somebody else's word."""
    told = None
    if held.bound_by:
        told = unseal_claim(own_key(keys.masters, row), held.device_id, row.person, held.claim)
    shown = msgspec.structs.asdict(held) | {"claim": msgspec.to_builtins(told)}
    return {name: value for name, value in shown.items() if name != "claim" or held.bound_by}


def _identity(keys: Keys, row: vault.Sealed) -> dict[str, str]:
    try:
        return {"type": row.kind, "value": open_sealed(keys.masters, row)}
    except InvalidTag as error:
        raise other_keys() from error
