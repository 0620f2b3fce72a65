"""Runs one trace: reads the visits, lets `exposure.py` decide, writes a revision, and says who has to be told.

A run sees one state of the database and no other run of the same trace beside it. Running again changes nothing
unless the data or the case did: the same candidates, no second alerts.
"""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import cache
from time import monotonic
from typing import Any, Final, NamedTuple

import msgspec
import psycopg2

from schemas.codec import encode
from schemas.events import Alert, PersonStatus
from schemas.partition import partition_of
from schemas.topics import ALERT_PREFIX, PERSON_STATUS
from schemas.version import VERSION
from tracing.cases import revision as stored_as
from tracing.cases import rows
from tracing.cases.acknowledged import TRACE_LOCK, read_dropped, read_told
from tracing.cases.alerts import Trace, alerts_of
from tracing.cases.candidates import Candidate, Key, candidates_of
from tracing.cases.causes import Turn, causes_of, read_record
from tracing.cases.episodes import standing
from tracing.cases.facts import Case, Result
from tracing.cases.graph import Edge, graph_of, measures_of
from tracing.cases.humans import Humans, read_humans
from tracing.cases.likeness import Known
from tracing.cases.lost import keep, lost_before
from tracing.cases.onset import stay_at_onset
from tracing.cases.proof import read_only_unproven
from tracing.cases.revision import References, Stored
from tracing.cases.rings import NOTHING, Numbers, Rings, search
from tracing.cases.sources import write_sources
from tracing.cases.status import BlackDays, black_until, changes
from tracing.cases.surroundings import read_known
from tracing.instants import DAY_US, utc_of
from tracing.rows import undashed
from tracing.rulesets import DEFAULT_RULE, Rule, rule_of
from tracing.store import Connection, Cursor
from tracing.windows import Window

_LOCK: Final = TRACE_LOCK.format("%s")
BLACK_NUMBERS: Final = (
    *("black_days_case", "black_days_contact"),
    *("back_case_day", "back_case_hours", "back_contact_day"),
)


class Message(NamedTuple):
    """A record for the outbox."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None


class Run(msgspec.Struct, frozen=True):
    """What a run came to."""

    revision: int
    candidates: int
    alerts: list[Alert]
    messages: list[Message]
    run_ms: float


Then = Callable[[Cursor, Sequence[Message]], None]


def run_trace(conn: Connection, case_id: str, rule_id: str = DEFAULT_RULE, *, then: Then | None = None) -> Run:
    """Run the trace that was opened for this case, and commit its revision if anything changed.

    A case without visits has no candidates, which is no error; one that is not open (any more) neither: what was
    told of it is withdrawn.

    Args:
        conn: of role `jejak_traces`, in no transaction.
        case_id: whose trace.
        rule_id: under which rule.
        then: called with the messages for the outbox before the commit, in the same transaction.

    Raises:
        NotFound: no such trace was opened.
    """
    with _alone(conn, f"{case_id}|{rule_id}"), conn, conn.cursor() as cur:
        cur.execute("set transaction isolation level repeatable read")
        run = _revise(cur, case_id, rule_of(rule_id))
        if then is not None:
            then(cur, run.messages)
    return run


def end_statuses(cur: Cursor, partitions: int) -> list[Message]:
    """Return the tombstones of whatever advice to the gates is over by now, each once."""
    return [_status_message(case_id, person, None, partitions) for person, case_id in stored_as.end_statuses(cur)]


@contextmanager
def _alone(conn: Connection, name: str) -> Iterator[None]:
    """Hold the trace, from before the transaction begins: what another run committed is then seen by this one."""
    _by_itself(conn, f"select pg_advisory_lock({_LOCK})", name)
    try:
        yield
    finally:
        with suppress(psycopg2.Error):  # a lost connection holds nothing any more
            _by_itself(conn, f"select pg_advisory_unlock({_LOCK})", name)


def _by_itself(conn: Connection, sql: str, name: str) -> None:
    """Execute one statement in no transaction."""
    conn.autocommit = True
    try:
        with conn.cursor() as cur:
            cur.execute(sql, (name,))
    finally:
        if not conn.closed:
            conn.autocommit = False


def _revise(cur: Cursor, case_id: str, rule: Rule) -> Run:
    began = monotonic()
    stored = stored_as.read_trace_row(cur, case_id, rule.id)
    now, partitions, marks = stored_as.read_marks(cur)
    references = References(cur, case_id)
    before = stored_as.read_candidates(cur, stored.trace_id)
    lost = lost_before(cur, rule, stored.case) if stored.case.state == "open" else ""
    if lost and stored.revision:
        keep(cur, stored.trace_id, lost)
        return Run(stored.revision, len(before), [], [], round((monotonic() - began) * 1000, 3))
    numbers = rows.dated(cur, _day_of(stored.case))
    seen = _look(cur, rule, stored, numbers)
    after = _candidates(cur, stored.case, seen)
    causes = _causes(cur, stored, (before, after), seen)
    alerts = _tell(cur, stored, rule, (before, after), references, causes, numbers, now)
    # An office may have to be told although nobody was met otherwise: a residence became known.
    revised = _facts(before) != _facts(after) or stored.revision == 0 or bool(alerts) or stored.stale
    revision = stored.revision + revised
    if revised or _columns(before) != _columns(after):
        stored_as.write_candidates(cur, stored.trace_id, after, references)
    write_sources(cur, stored.trace_id, seen.sources)
    for name in (None, *{one.from_person for one in seen.sources}):
        references(rows.EPIDEMIOLOGISTS, name)
    references.save(cur)
    messages = [_alert_message(alert) for alert in alerts]
    messages += _status_messages(cur, stored, after, numbers, partitions)
    header = _header(rule, stored, seen, after, references) | _of_the_case(stored.case, seen, numbers)
    header |= {"lost_before": lost, "positions": {"scan.v1": marks}, "run_ms": round((monotonic() - began) * 1000, 3)}
    whole = _whole(seen.windows)
    closes_at = whole.end + numbers["late_days_max"] * DAY_US if whole else None
    stored_as.write_trace_row(cur, stored, revision, whole, closes_at, header)
    return Run(revision, len(after), alerts, messages, header["run_ms"])


def _look(cur: Cursor, rule: Rule, stored: Stored, numbers: Mapping[str, int]) -> Rings:
    """Return what the case's visits met; nothing is looked for where the case is not open."""
    if stored.case.state != "open":
        return NOTHING
    known = Numbers(second_limit=numbers["second_degree_limit"], ride_hours=numbers["ride_hours"])
    return search(cur, rule, stored.person, stored.case, known)


def _whole(windows: Mapping[str, Window]) -> Window | None:
    """Return from when to when the case's own places were looked at."""
    if not windows:
        return None
    return Window(min(one.start for one in windows.values()), max(one.end for one in windows.values()))


def _candidates(cur: Cursor, case: Case, seen: Rings) -> list[Candidate]:
    if not seen.exposures:
        return []
    already = stored_as.read_open_cases(cur, {exposure.to_person for exposure in seen.exposures})
    return candidates_of(seen.exposures, case.day_zero, "onset" if case.date_onset else "specimen", already)


def _facts(candidates: Sequence[Candidate]) -> dict[tuple[str, str], Any]:
    return {(one.from_person, one.person): one.facts for one in candidates}


def _columns(candidates: Sequence[Candidate]) -> list[tuple[Any, ...]]:
    """Return all that is stored of the candidates, in an order of its own."""
    return sorted(
        (
            (one.degree, one.from_person, one.person, one.already_case, one.reason),
            (one.longest.role, one.longest.place.facility_no),
            [(*exposure.facts, exposure.zone, exposure.apart) for exposure in one.exposures],
        )
        for one in candidates
    )


def _causes(
    cur: Cursor, stored: Stored, candidates: tuple[list[Candidate], list[Candidate]], seen: Rings
) -> dict[str, str]:
    """Return why candidacies changed since the revision before; of the first revision nothing is to be said."""
    before, after = candidates
    if stored.revision == 0 or _facts(before) == _facts(after):
        return {}
    exposures = [exposure for some in candidates for one in some for exposure in one.exposures]
    moved = stored.windows != _told_windows(seen)
    turn = Turn(stored.revised_at, period_moved=moved, closed=stored.case.state != "open")
    return causes_of(before, after, read_record(cur, exposures, stored.revised_at), turn)


def _tell(
    cur: Cursor,
    stored: Stored,
    rule: Rule,
    candidates: tuple[list[Candidate], list[Candidate]],
    references: References,
    causes: Mapping[str, str],
    numbers: Mapping[str, int],
    now: datetime,
) -> list[Alert]:
    """Store what the offices have to be told, as of the next revision; nothing, where they know it all."""
    case = stored.case
    due_by = None
    if case.confirmed_at is not None:
        due_by = utc_of(case.confirmed_at) + timedelta(hours=numbers["quarantine_due_hours"])
    residence = stored_as.read_residence(cur, {one.person for some in candidates for one in some})
    told = read_told(cur, stored.trace_id, references.persons)
    trace = Trace(
        revision=stored.revision + 1,
        rule=rule.id,
        due_by=due_by,
        limit=numbers["alert_limit"],
        degrees=1 + bool(numbers["second_degree_told"]),
    )
    dropped = read_dropped(cur, case.case_id)
    ask = _asked(cur, candidates[1])
    alerts = alerts_of(trace, *candidates, residence, told, references, causes, dropped, ask)
    return stored_as.write_alerts(cur, stored.trace_id, alerts, now) if alerts else []


def _asked(cur: Cursor, candidates: Sequence[Candidate]) -> Callable[[Candidate], Known]:
    """Return what says where one of these stands; all are read when the first is asked about."""

    @cache
    def known() -> dict[Key, Known]:
        said = read_known(cur, [one.exposures for one in candidates])
        return {one.key: of for one, of in zip(candidates, said, strict=True)}

    return lambda candidate: known().get(candidate.key, Known())


def _status_messages(
    cur: Cursor, stored: Stored, after: Sequence[Candidate], numbers: Mapping[str, int], partitions: int
) -> list[Message]:
    case = stored.case
    facts = rows.read_facts(cur, stored.person)
    positives = [r for r in standing(facts.results) if r.case_id == case.case_id and r.result == "positive"]
    last_ends: dict[str, int] = {}
    for one in after:
        last_ends[one.person] = max(one.last_end, last_ends.get(one.person, one.last_end))
    told = stored_as.read_status(cur, case.case_id)
    days = BlackDays(*(numbers[name] for name in BLACK_NUMBERS))
    humans = read_humans(cur, stored.person)
    decided = stored_as.read_confirmed(cur, case.case_id)
    confirmed = {humans.seen_as(one) for one in decided} - _unsure(cur, after, humans, decided, told)
    last_ends |= _last_told(cur, stored, humans, confirmed - last_ends.keys() - told.keys())
    negatives = {one: _negatives(cur, humans.ids(one)) for one in {stored.person, *confirmed}}
    black = black_until(case, stored.person, positives, confirmed, last_ends, told, days, negatives)
    news = changes(told, {one: until for person, until in black.items() for one in humans.ids(person)})
    stored_as.write_status(cur, case.case_id, news)
    return [_status_message(case.case_id, person, until, partitions) for person, until in sorted(news.items())]


def _last_told(cur: Cursor, stored: Stored, humans: Humans, persons: AbstractSet[str]) -> dict[str, int]:
    """Return the end of the last day an office was told of, of those whom people confirm though no meeting is left."""
    names = {one: person for person in persons for one in humans.ids(person)}
    ends: dict[str, int] = {}
    for one, end in stored_as.read_last_told(cur, stored, names):
        ends[names[one]] = max(end, ends.get(names[one], end))
    return ends


def _unsure(
    cur: Cursor, after: Sequence[Candidate], humans: Humans, decided: Mapping[str, bool], told: Mapping[str, int]
) -> set[str]:
    """Return which confirmed contacts stay as they were: only scans that prove nobody put them there.

    Not those whose identity somebody checked who decided, and not whom the gates were told of before.
    """
    sure = {humans.seen_as(one) for one, checked in decided.items() if checked} | {humans.seen_as(one) for one in told}
    asked = {humans.seen_as(one) for one in decided} - sure
    met = [exposure for one in after if one.person in asked for exposure in one.exposures]
    return read_only_unproven(cur, met) & asked


def _negatives(cur: Cursor, ids: Sequence[str]) -> list[Result]:
    """Return the negative results of somebody that stand."""
    return [r for one in ids for r in standing(rows.read_facts(cur, one).results) if r.result == "negative"]


def _status_message(case_id: str, person: str, until: int | None, partitions: int) -> Message:
    person_id = undashed(person)
    value = None
    if until is not None:
        value = encode(PersonStatus(person_id=person_id, case_id=case_id, advice="black", until=utc_of(until)))
    return Message(PERSON_STATUS.name, partition_of(person_id, partitions), f"{person_id}|{case_id}".encode(), value)


def _alert_message(alert: Alert) -> Message:
    return Message(ALERT_PREFIX + alert.data.office, 0, alert.data.trace_ref.encode(), encode(alert))


def _day_of(case: Case) -> date:
    return utc_of(case.confirmed_at if case.confirmed_at is not None else case.opened_at).date()


def _header(
    rule: Rule,
    stored: Stored,
    seen: Rings,
    candidates: Sequence[Candidate],
    references: References,
) -> dict[str, Any]:
    case = stored.case
    edges = [
        Edge(
            references("", None if one.from_person == stored.person else one.from_person),
            references("", one.person),
            one.degree,
            one.overlap_us,
        )
        for one in candidates
    ]
    return {
        "rule": msgspec.to_builtins(rule),
        "windows": _told_windows(seen),
        "day_zero": case.day_zero.isoformat(),
        "day_zero_is": "onset" if case.date_onset else "specimen",
        "requested_by": case.requested_by,
        "approved_by": case.approved_by,
        "reason": case.reason,
        "versions": {"jejak": VERSION, "python": platform.python_version()},
        "rows": {
            "visits": len(seen.own),
            "visits_met": seen.visits_met,
            "exposures": len(seen.exposures),
            "candidates": len(candidates),
            "second_degree_pairs": seen.second_pairs,
            "source_exposures": len(seen.sources),
        },
        "graph": measures_of(graph_of(references("", None), edges)),
    }


def _of_the_case(case: Case, seen: Rings, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return what the visits say of the case himself: since when he is isolated, and where he fell ill."""
    return {
        "degrees_told": 1 + bool(numbers["second_degree_told"]),
        "date_isolation": seen.date_isolation or case.date_isolation,
        "isolated_by_zone": seen.date_isolation not in {None, case.date_isolation},
        "stay_at_onset": stay_at_onset(seen.own, case.day_zero),
    }


def _told_windows(seen: Rings) -> dict[str, list[str]]:
    return {zone: [utc_of(at).isoformat() for at in window] for zone, window in seen.windows.items()}
