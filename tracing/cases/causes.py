"""Why a candidacy changed, in words an office may read: what came of the scans behind it since the revision before.

Worked out from what is stored, so the words are right whoever ran the trace first. They never say whose scan it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tracing.cases.candidates import Candidate, Exposure
from tracing.cases.rows import us
from tracing.instants import HOUR_US, MINUTE_US, utc_of
from tracing.store import Cursor

LATE_US: Final = HOUR_US  # a phone that was offline for less is not worth a word
SLACK_US: Final = 10 * MINUTE_US  # a scan may be in the log for so long before it is folded
LATE: Final = "a visit arrived late"
NEW: Final = "a new visit"
CORRECTED: Final = "a visit was corrected"
PERIOD: Final = "the period of the trace changed"
CLOSED: Final = "the trace was taken back"
JUDGED: Final = {"void": "a scan was voided", "flag": "a scan was flagged", "clear": "a scan was cleared"}


class Opening(NamedTuple):
    """The scan that opened a visit; `at` and `accepted_at` are 0 where it is not known."""

    at: int = 0
    accepted_at: int = 0


class Record(NamedTuple):
    """What is known of the scans of the persons of a trace."""

    openings: Mapping[str, Opening]  # by visit
    verdicts: Mapping[str, frozenset[str]]  # by person, what was decided about his scans since


class Turn(NamedTuple):
    """What a trace was at the revision before, and what else changed about it."""

    since: int  # when the revision before was written
    period_moved: bool = False
    closed: bool = False


def causes_of(before: Sequence[Candidate], after: Sequence[Candidate], record: Record, turn: Turn) -> dict[str, str]:
    """Return, for each person whose candidacy differs, why; several reasons in one sentence."""
    was, now = _by_person(before), _by_person(after)
    found = {}
    for person in was.keys() | now.keys():
        old, new = was.get(person, {}), now.get(person, {})
        if old.keys() != new.keys() or any(old[pair].facts != new[pair].facts for pair in old):
            found[person] = " and ".join(sorted(_causes(old, new, record, turn)))
    return found


def read_record(cur: Cursor, exposures: Iterable[Exposure], since: int) -> Record:
    """Return what is known of the scans behind these exposures, under whichever id of their persons."""
    exposures = list(exposures)
    visits = {(one.from_person, one.from_visit) for one in exposures}
    visits |= {(one.to_person, one.to_visit) for one in exposures}
    cur.execute(
        "with asked as (select * from unnest(%s::uuid[], %s::uuid[]) as a (person, scan_id)),"  # noqa: S608 — our own expressions
        " every as (select * from asked union all select other, scan_id from asked join same_human using (person))"
        f" select s.scan_id::text, {us('s.at')}, {us('s.accepted_at')} from every join scan s using (person, scan_id)",
        ([person for person, _ in visits], [visit for _, visit in visits]),
    )
    openings = {row[0]: Opening(row[1], row[2]) for row in cur.fetchall()}
    cur.execute(
        "with asked as (select unnest(%s::uuid[]) as seen), every as (select seen, seen as person from asked"
        " union all select seen, other from asked join same_human on same_human.person = seen)"
        " select seen::text, array_agg(distinct decision) from every join scan_decision using (person)"
        " where accepted_at >= %s group by seen",
        (list({person for person, _ in visits}), utc_of(since - SLACK_US)),
    )
    return Record(openings, {person: frozenset(verdicts) for person, verdicts in cur.fetchall()})


_Pair = tuple[str, str]


def _by_person(candidates: Iterable[Candidate]) -> dict[str, dict[_Pair, Exposure]]:
    found: dict[str, dict[_Pair, Exposure]] = {}
    for candidate in candidates:
        pairs = found.setdefault(candidate.person, {})
        pairs.update(((one.from_visit, one.to_visit), one) for one in candidate.exposures)
    return found


def _causes(old: Mapping[_Pair, Exposure], new: Mapping[_Pair, Exposure], record: Record, turn: Turn) -> set[str]:
    if turn.closed:
        return {CLOSED}
    changed = [new[pair] for pair in old.keys() & new.keys() if old[pair].facts != new[pair].facts]
    come = [new[pair] for pair in new.keys() - old.keys()]
    gone = [old[pair] for pair in old.keys() - new.keys()]
    causes = {_arrival(one, record, turn) for one in come} - {""}
    persons = {person for one in (*gone, *come, *changed) for person in (one.from_person, one.to_person)}
    judged = {verdict for person in persons for verdict in record.verdicts.get(person, ())}
    if not causes or gone:
        causes |= {JUDGED[verdict] for verdict in judged}
    if causes:
        return causes
    return {PERIOD if turn.period_moved else CORRECTED if old else NEW}


def _arrival(exposure: Exposure, record: Record, turn: Turn) -> str:
    """Return what came, where a scan that opened one of the two visits is new; else nothing."""
    openings = [record.openings.get(visit, Opening()) for visit in (exposure.from_visit, exposure.to_visit)]
    latest = max(openings, key=lambda one: one.accepted_at)
    if latest.accepted_at < turn.since - SLACK_US:
        return ""
    return LATE if latest.accepted_at - latest.at >= LATE_US else NEW
