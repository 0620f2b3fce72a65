"""A person's requests: an export of his data with the processing trail, and erasure with a receipt.

That the identity was opened is in the audit before the export is read, so the export shows its own entry too.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag

from portal.identity import Subject
from portal.joins import store as joined
from portal.privacy import store
from portal.privacy.identifiers import find_person, person_of
from portal.registry import store as registry
from portal.registry.holder import unseal
from portal.vault import store as vault
from portal.vault.key_files import Keys, other_keys, read_keys
from portal.vault.rotation import Transact
from portal.vault.sealing import open_sealed, own_key
from portal.vault.store import Erasure
from portal.visitor import store as visiting
from portal.visitor.claims import unseal as unseal_claim
from schemas.errors import NotFound


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
        person = person_of(conn, keys, subject)
        ticket = vault.ask(conn, who, "open", person, reason)
    with transact() as conn:
        row = vault.take_out(conn, ticket, person)
        identity, held = _identity(keys, row), registry.own_certificate(conn, ticket, person)
    with transact() as conn:
        store.one_state(conn)
        data, devices = store.own_data(conn, person), visiting.devices_of(conn, person)
        erasures, joins = vault.erasures_waiting(conn, person), joined.of_person(conn, person)
        objects = [*(one.erasure_id for one in erasures), *(f"join {one.join_id}" for one in joins)]
        trail = store.trail(conn, person, objects)
    return {
        "made_at": now,
        "identity": identity,
        "certificate": _certificate(keys, row, held),
        **data,
        "devices": [_device(keys, row, one) for one in devices],
        "joins": [{"state": one.state, "asked_at": one.asked_at, "reason": one.reason} for one in joins],
        "erasures": [
            {"erasure_id": one.erasure_id, "asked_at": one.asked_at, "due_at": one.due_at} for one in erasures
        ],
        "processing_trail": trail,
    }


def erase(transact: Transact, folder: Path, subject: Subject, *, who: str, reason: str) -> Erasure:
    """Record that a person is to be erased; it is done at once, or at the date that comes back.

    Raises:
        NotFound: the vault holds nobody of that identifier.
    """
    with transact() as conn:
        keys = read_keys(vault.keys(conn), folder)
        asked = vault.erase(conn, who, person_of(conn, keys, subject), reason)
        receipt = vault.erasure_of(conn, asked)
        assert receipt is not None
        is_found = find_person(conn, keys, subject) is not None
        assert is_found == (receipt.done_at is None), "somebody who was erased is found"
    return receipt_of(transact, asked)


def receipt_of(transact: Transact, erasure_id: str) -> Erasure:
    """Return what is recorded of an erasure, and whether anything is left.

    Raises:
        NotFound: there is no such erasure.
    """
    with transact() as conn:
        receipt = vault.erasure_of(conn, erasure_id)
    if receipt is None:
        raise NotFound("no erasure of that id")
    assert receipt.done_at is None or not receipt.left_over, "something is left of somebody who was erased"
    return receipt


def _certificate(keys: Keys, row: vault.Sealed | None, held: registry.Held) -> dict[str, Any] | None:
    """Return what the certificate registry holds of him; None where it holds nothing."""
    if row is None or not held.holder:
        return None
    holder = unseal(own_key(keys.masters, row), row.person, held.holder)
    return {**msgspec.to_builtins(holder), "vaccinations": held.doses}


def _device(keys: Keys, row: vault.Sealed | None, held: visiting.Held) -> dict[str, Any]:
    """Return a device; what was claimed on it only where it is his own: on another it is somebody else's word."""
    told = None
    if row is not None and held.bound_by:
        told = unseal_claim(own_key(keys.masters, row), held.device_id, row.person, held.claim)
    shown = msgspec.structs.asdict(held) | {"claim": msgspec.to_builtins(told)}
    return {name: value for name, value in shown.items() if name != "claim" or held.bound_by}


def _identity(keys: Keys, row: vault.Sealed | None) -> dict[str, str]:
    if row is None:
        raise NotFound("the person was erased just now")
    try:
        return {"type": row.kind, "value": open_sealed(keys.masters, row)}
    except InvalidTag as error:
        raise other_keys() from error
