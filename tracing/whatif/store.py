"""What is known of a case, or was known at an instant: read once, for `replay.py` to be asked many rules.

What was known then is what follows from the scans, decisions and results accepted by then: visits are paired anew
from those, with the product's own pairing. Takes a cursor of a transaction that sees one state of the data.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import msgspec

from schemas.errors import BadInput, NotFound
from tracing.cases.candidates import Place
from tracing.cases.episodes import cases_of
from tracing.cases.facts import Case, Facts
from tracing.cases.lookup import met_in, own_visits
from tracing.cases.met import merged
from tracing.cases.places import Stay as FoundStay
from tracing.cases.revision import read_residence
from tracing.cases.rows import dated, read_cases, read_facts, us
from tracing.fast import NEW, resumed
from tracing.instants import SECOND_US, utc_of
from tracing.overlaps import Spans
from tracing.records import SeenScan, latest_decisions
from tracing.rows import Facility
from tracing.rulesets import Rule
from tracing.stays import Stays
from tracing.store import Cursor, read_carries, read_stay_rules
from tracing.visits import Visit, visits_of
from tracing.whatif.replay import Known, Stay, spans_asked
from tracing.windows import FARTHEST_US, Window, case_window

StaysOf = Callable[[Spans], list[Stay]]


def read_known(cur: Cursor, case_id: str, rules: Sequence[Rule]) -> Known:
    """Return what is known now.

    Raises:
        NotFound: there is no such case.
        BadInput: some of the days asked about are before the horizon (field `CASE`).
    """
    person, case = _case(cur, case_id)
    places = _places(cur)
    start, end = _around(case, rules)
    _check_horizon(cur, start)
    own = [_own(stay) for stay in own_visits(cur, person, Window(start, end))]
    return _known(cur, case, own, places, rules, lambda spans: _stored(cur, person, spans))


def read_known_at(cur: Cursor, case_id: str, rules: Sequence[Rule], at: int) -> Known:
    """Return what was known at an instant; who fell ill later is told as of now.

    Reads every scan of the places in question, and no index helps: seconds over millions.

    Raises:
        NotFound: there is no such case.
        BadInput: the case was not known then, or what was has been let go (field `--as-of`); as `read_known`.
    """
    person, now = _case(cur, case_id)
    case = _case_at(cur, person, now, at)
    places = _places(cur)
    stays = Stays(read_stay_rules(cur))
    start, end = _around(case, rules)
    _check_horizon(cur, start, at)
    own = [stay for stay in _paired(cur, [person], places, stays, at) if stay.check_in < end and stay.check_out > start]

    def others(spans: Spans) -> list[Stay]:
        persons = _persons_near(cur, spans, stays, at) - {person}
        return _paired(cur, sorted(persons), places, stays, at)

    return _known(cur, case, own, places, rules, others)


def _check_horizon(cur: Cursor, start: int, at: int | None = None) -> None:
    """Refuse what nobody can answer any more; what is carried counts as known at any instant since the horizon."""
    cur.execute(f"select {us('max(horizon)')} from position where topic = 'scan.v1'")  # noqa: S608 — our own expression
    (horizon,) = cur.fetchone() or (None,)
    if horizon is None:
        return
    day = f"{utc_of(horizon):%Y-%m-%d}"
    if at is not None and at < horizon:
        raise BadInput(f"is before the horizon: scans and visits from before {day} have been let go", field="--as-of")
    if start < horizon:
        raise BadInput(f"asks about days before the horizon: visits from before {day} have been let go", field="CASE")


def _known(
    cur: Cursor, case: Case, own: Sequence[Stay], places: Mapping[int, "_Place"], rules: Sequence[Rule], others: StaysOf
) -> Known:
    in_places = {number: place.place for number, place in places.items()}
    spans = spans_asked(case, own, {stay.facility_no: in_places[stay.facility_no] for stay in own}, rules)
    theirs = others(spans) if spans.start.size else []
    persons = list({stay.person for stay in theirs})
    return Known(
        case=case,
        own=own,
        others=[stay for stay in theirs if stay.facility_no in {one.facility_no for one in own}],
        places=in_places,
        residence=read_residence(cur, persons),
        ill=_ill(cur, persons),
    )


def _case(cur: Cursor, case_id: str) -> tuple[str, Case]:
    cur.execute('select person::text from "case" where case_id = %s', (case_id,))
    row = cur.fetchone()
    if row is None:
        raise NotFound("no such case")
    return row[0], next(case for case in read_cases(cur, row[0]) if case.case_id == case_id)


def _case_at(cur: Cursor, person: str, now: Case, at: int) -> Case:
    """Return the case as its results and requests of that time make it."""
    facts = read_facts(cur, person)
    known = Facts(
        results=tuple(result for result in facts.results if result.received_at <= at),
        requests=tuple(request for request in facts.requests if request.at <= at),
        cases=(now,),
    )
    day = utc_of(at).date()
    _, cases = cases_of(known, dated(cur, day)["episode_days"], at, lambda: "")
    found = next((case for case in cases if case.case_id == now.case_id), None)
    if found is None or now.opened_at > at or (found.date_onset or found.date_specimen) is None:
        raise BadInput("the case was not known then", field="--as-of")
    if found.state == "closed":
        raise BadInput("the case was closed then", field="--as-of")
    return found


def _around(case: Case, rules: Iterable[Rule]) -> tuple[int, int]:
    """Return an interval that holds the case's window under every rule in every time zone."""
    windows = [case_window(rule, case.day_zero, case.date_isolation, "UTC") for rule in rules]
    return min(one.start for one in windows) - FARTHEST_US, max(one.end for one in windows) + FARTHEST_US


def _stored(cur: Cursor, person: str, spans: Spans) -> list[Stay]:
    """Return who was there; whether his check-out was scanned is the case's to ask, and not of others."""
    met = met_in(cur, merged(spans)).without(person)
    rows = zip((met.key >> 3).tolist(), met.check_in.tolist(), met.check_out.tolist(), strict=True)
    return [Stay(met.person(row), *values, recorded=True) for row, values in enumerate(rows)]


def _persons_near(cur: Cursor, spans: Spans, stays: Stays, at: int) -> set[str]:
    """Return who has a scan that can have opened (or, of an orphan, closed) a visit that overlaps one of the spans."""
    longest = max(rule.max_us for rule in stays.rules)
    cur.execute(
        "select person::text from carry where (state::jsonb -> 2 ->> 1)::int = any(%s)"  # his visit was open then
        " union select c.person::text from scan c"
        " join unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) as s (facility_no, a, b) using (facility_no)"
        " where c.at between s.a - %s * interval '1 second' and s.b + %s * interval '1 second' and c.accepted_at <= %s",
        (spans.facility.tolist(), *_asked(spans), longest // SECOND_US, longest // SECOND_US, utc_of(at)),
    )
    return {row[0] for row in cur.fetchall()}


def _asked(spans: Spans) -> tuple[list[int], list[object], list[object]]:
    return (
        spans.facility.tolist(),
        [utc_of(instant) for instant in spans.start.tolist()],
        [utc_of(instant) for instant in spans.end.tolist()],
    )


def _paired(cur: Cursor, persons: Sequence[str], places: Mapping[int, "_Place"], stays: Stays, at: int) -> list[Stay]:
    """Return the visits that the scans and decisions accepted by then make."""
    cur.execute(
        "select person::text, scan_id::text, serial, decision from scan_decision"
        " where person = any(%s::uuid[]) and accepted_at <= %s",
        (list(persons), utc_of(at)),
    )
    decisions: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for person, scan_id, serial, verdict in cur.fetchall():
        decisions[person].append((scan_id, serial, verdict))
    latest = {person: latest_decisions(theirs) for person, theirs in decisions.items()}
    cur.execute(
        f"select scan_id::text, person::text, facility_no, gate, zone, {us('at')}, admitted, role, channel from scan"  # noqa: S608 — our own columns
        " where person = any(%s::uuid[]) and accepted_at <= %s",
        (list(persons), utc_of(at)),
    )
    scans: dict[str, list[SeenScan]] = defaultdict(list)
    for scan_id, person, number, gate, zone, scanned_at, admitted, role, channel in cur.fetchall():
        kind, time_zone = places[number].kind, places[number].place.time_zone
        verdict = latest.get(person, {}).get(scan_id)
        scan = SeenScan(
            scan_id, person, number, kind, time_zone, gate, zone, scanned_at, admitted, role, channel, verdict
        )
        scans[person].append(scan)
    carries = read_carries(cur, persons)
    facilities = {number: one.facility for number, one in places.items()}
    return [
        _stay(visit)
        for person in scans.keys() | carries.keys()
        for visit in visits_of(scans[person], stays, resumed(carries.get(person, NEW), person, facilities)[0])
    ]


def _own(stay: FoundStay) -> Stay:
    return Stay(
        stay.person, stay.place.facility_no, stay.check_in, stay.check_out, recorded=not stay.check_out_estimated
    )


def _stay(visit: Visit) -> Stay:
    assert isinstance(visit.facility, int)
    return Stay(str(visit.person), visit.facility, visit.check_in, visit.check_out, not visit.check_out_estimated)


class _Place(msgspec.Struct, frozen=True):
    place: Place
    kind: str

    @property
    def facility(self) -> Facility:
        """The facility as pairing knows it."""
        return Facility(self.place.facility_no, self.place.facility_id, self.kind, self.place.time_zone)


def _places(cur: Cursor) -> dict[int, _Place]:
    cur.execute("select facility_no, facility_id, name, time_zone, district, kind from facility")
    return {row[0]: _Place(Place(*row[:5]), row[5]) for row in cur.fetchall()}


def _ill(cur: Cursor, persons: Sequence[str]) -> dict[str, date]:
    """Return who has a case of a positive that stands, and its day zero; of several the first."""
    cur.execute(
        'select person::text, min(coalesce(date_onset, date_specimen)) from "case" where person = any(%s::uuid[])'
        " and classification in ('probable', 'konfirmasi') and coalesce(date_onset, date_specimen) is not null"
        " group by person",
        (list(persons),),
    )
    return dict(cur.fetchall())
