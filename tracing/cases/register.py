"""Takes a fact in: a result, a request or a decision becomes rows, cases and traces that are due.

Nothing is traced here: a run reads the visits later (`tracing.job`), so that a worker killed in between finds the
open trace and only has to run it.
"""

from datetime import date
from typing import Final, Literal, TypeAlias

from schemas.errors import InvalidEvent
from schemas.events import ContactDecision, TestResult, TraceRequest
from tracing.cases import rows
from tracing.cases.episodes import cases_of
from tracing.cases.facts import Case, Facts, Request
from tracing.cases.requests import DONE, judge
from tracing.instants import us_of
from tracing.rulesets import DEFAULT_RULE
from tracing.store import Cursor
from tracing.windows import local_day

Fact: TypeAlias = TestResult | TraceRequest | ContactDecision
Taken: TypeAlias = Literal["applied", "duplicate"]

UNKNOWN_CONTACT: Final = "unknown contact"
ALL: Final = "all"  # the whole country is nobody's area


def register(cur: Cursor, fact: Fact) -> Taken:
    """Store the fact and what it makes of the person's cases; the same fact again changes nothing.

    Raises:
        InvalidEvent: it contradicts what is stored, and names the field.
    """
    person = rows.person_uuid(fact.person_id)
    rows.lock(cur, "person", person)
    if isinstance(fact, TestResult):
        return _register_result(cur, fact, person)
    if isinstance(fact, TraceRequest):
        return _register_request(cur, fact, person)
    return _register_decision(cur, fact, person)


def _register_result(cur: Cursor, event: TestResult, person: str) -> Taken:
    digest = rows.digest_of(event, "received_at", "area")
    stored = rows.stored_digest(cur, event.result_id)
    if stored is not None:
        if stored != (person, digest):
            raise InvalidEvent("is used by another result", field="result_id")
        return "duplicate"
    _check_supersedes(cur, event, person)
    laboratory = rows.known_laboratory(cur, event.laboratory)
    area = laboratory.district or _area(event.area)
    rows.insert_result(cur, event, digest, area=area, opens=_opens(cur, event))
    facts = rows.read_facts(cur, person)
    day = local_day(us_of(event.specimen_at), laboratory.time_zone)
    _settle(cur, person, facts, facts.cases, day, us_of(event.received_at))
    if event.result == "negative" or event.supersedes or event.status == "entered_in_error":
        rows.mark_due_by_test(cur, person)
    return "applied"


def _check_supersedes(cur: Cursor, event: TestResult, person: str) -> None:
    older = rows.result_owner(cur, event.supersedes) if event.supersedes else None
    if older is None:
        return
    if older[0] != person:
        raise InvalidEvent("names a result of another person", field="supersedes")
    if older[1] != event.laboratory or (not event.laboratory and older[2] != event.by):
        raise InvalidEvent("names a result of another laboratory", field="supersedes")


def _opens(cur: Cursor, event: TestResult) -> bool:
    """Say whether this result needs no second person: a laboratory's final one, its lab_ref not used before.

    Not counted as used: by the results that this one supersedes, directly or through others.
    """
    if not event.laboratory or event.status not in {"final", "corrected"}:
        return False
    rows.lock(cur, "lab_ref", event.laboratory, event.lab_ref)
    used = rows.used_refs(cur, event.laboratory, event.lab_ref)
    if not used:
        return True
    facts = rows.read_facts(cur, rows.person_uuid(event.person_id))
    older = {result.result_id: result.supersedes for result in facts.results}
    own, at = set(), event.supersedes
    while at is not None and at in older and at not in own:
        own.add(at)
        at = older[at]
    return used <= own


def _register_request(cur: Cursor, event: TraceRequest, person: str) -> Taken:
    stored = rows.stored_request(cur, event.request_id)
    if stored is not None:
        if stored != (person, event.action, event.by, event.reason):
            raise InvalidEvent("is used by another request", field="request_id")
        return "duplicate"
    facts = rows.read_facts(cur, person)
    asked = Request(
        request_id=event.request_id,
        case_id=event.case_id,
        action=event.action,
        by=event.by,
        role=event.role,
        area=_area(event.area),
        reason=event.reason,
        date_onset=event.date_onset,
        date_specimen=event.date_specimen,
        date_isolation=event.date_isolation,
        at=us_of(event.at),
    )
    day = event.date_specimen or event.date_onset or event.at.date()
    days = rows.dated(cur, day)["episode_days"]
    judged, known = judge(facts, asked, days, lambda: rows.new_case_id(cur))
    rows.insert_request(cur, event, judged)
    _settle(cur, person, known, facts.cases, day, asked.at)
    if judged.outcome == DONE:
        rows.mark_due(cur, [judged.case_id])
    return "applied"


def _register_decision(cur: Cursor, event: ContactDecision, person: str) -> Taken:
    stored = rows.stored_decision(cur, event.decision_id)
    if stored is not None:
        if stored != (event.case_id, event.contact_ref, event.decision, event.by):
            raise InvalidEvent("is used by another decision", field="decision_id")
        return "duplicate"
    if event.case_id not in {case.case_id for case in rows.read_cases(cur, person)}:
        raise InvalidEvent("is no case of this person", field="case_id")
    contact = rows.person_of_ref(cur, event.case_id, event.contact_ref)
    rows.insert_decision(cur, event, contact, DONE if contact else UNKNOWN_CONTACT)
    if contact:
        rows.mark_due(cur, [event.case_id])
    return "applied"


def _settle(cur: Cursor, person: str, facts: Facts, stored: tuple[Case, ...], day: date, at: int) -> None:
    """Store what the facts make of the cases, and a trace for each that is open or was."""
    days = rows.dated(cur, day)["episode_days"]
    told, cases = cases_of(facts, days, at, lambda: rows.new_case_id(cur))
    changed = set(rows.write_cases(cur, person, stored, cases))
    rows.count_results(cur, facts, told)
    for case in cases:
        if case.case_id in changed and case.state == "open":
            rows.open_trace(cur, case.case_id, DEFAULT_RULE)
    rows.mark_due(cur, sorted(changed))
    was = {case.case_id for case in stored if case.state == "open"}
    if was != {case.case_id for case in cases if case.state == "open"}:
        rows.mark_due_who_met(cur, person)  # the traces that have him as a candidate say whether he is a case


def _area(area: str) -> str:
    return "" if area == ALL else area
