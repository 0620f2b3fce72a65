"""Whose scans prove nobody's identity: a phone on its first use says who its owner is, and nothing shows it.

A visit is as proven as the scan that opened it, a meeting as its two visits. A code to a registered number, an officer
who saw an identity card and a staff account prove; a scan that is not kept any more says nothing. Takes a cursor; no
commit.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.events import Assurance
from tracing.cases.candidates import Exposure
from tracing.cases.likeness import StayKey, keys_of
from tracing.store import Connection, Cursor

# A visit has the id of the scan that opened it; who is joined has it under one of his ids.
_UNPROVEN: Final = """
    with asked as (
        select person, visit, n from unnest(%s::uuid[], %s::uuid[]) with ordinality as a (person, visit, n)
    ), every as (
        select person, visit, n from asked
        union all select h.other, visit, n from asked join same_human h using (person)
    )
    select e.n from every e join scan s on s.person = e.person and s.scan_id = e.visit where s.assurance = %s
"""
_MET: Final = """
    select distinct e.to_person::text, e.to_visit::text from reference r join trace t using (case_id)
    join exposure e on e.trace_id = t.trace_id and e.to_person = r.person where r.case_id = %s and r.ref = %s
"""


def only_unproven(conn: Connection, case_id: str, contact_ref: str) -> bool:
    """Say whether nothing but unproven scans of his own makes somebody a contact of a case.

    The scans of the case do not count here: a laboratory knows whose result it reported. False for whom no meeting is
    stored (somebody who was interviewed, or an unknown name): then no scan made him a contact.

    Args:
        conn: of a role that may read traces and the `assurance` of scans; nothing is committed.
        case_id: whose contact.
        contact_ref: his name, an epidemiologist's or an office's.
    """
    with conn.cursor() as cur:
        cur.execute(_MET, (case_id, contact_ref))
        visits: list[StayKey] = cur.fetchall()
        return bool(visits) and len(_unproven(cur, visits)) == len(visits)


def read_only_unproven(cur: Cursor, exposures: Iterable[Exposure]) -> set[str]:
    """Return whom nothing but unproven scans of their own makes contacts, by these exposures; as `only_unproven`."""
    visits = {keys_of(one)[1] for one in exposures}
    return {person for person, _ in visits} - {person for person, _ in visits - _unproven(cur, list(visits))}


def read_unproven(cur: Cursor, pairs: Sequence[Sequence[Exposure]]) -> list[bool]:
    """Return of each pair's exposures whether every one of them rests on an unproven scan, of either side."""
    unproven = _unproven(cur, list({key for met in pairs for one in met for key in keys_of(one)}))
    return [bool(met) and all(not unproven.isdisjoint(keys_of(one)) for one in met) for met in pairs]


def _unproven(cur: Cursor, visits: Sequence[StayKey]) -> set[StayKey]:
    if not visits:
        return set()
    persons, ids = zip(*visits, strict=True)
    cur.execute(_UNPROVEN, (list(persons), list(ids), Assurance.SELF.value))
    return {visits[row[0] - 1] for row in cur.fetchall()}
