"""The alerts against the candidates: who must have been told of whom, worked out again by the pure function.

The rule is `alerts_of`: asked what an office would be told today if it had been told nothing, it names every candidate
that concerns the office. What the office holds (told and not withdrawn since) must follow from that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from ops.audit.findings import Findings
from ops.audit.offices import Office
from ops.audit.store import Row, Snapshot
from schemas.events import AlertData
from tracing.cases.alerts import Trace, alert_id, alerts_of, offices_of
from tracing.cases.candidates import Candidate
from tracing.cases.closing import STALE_NAME
from tracing.cases.revision import References, read_candidates, read_residence
from tracing.instants import us_of

ALERTS: Final = "alerts"
# The limit in force on the day of the case, as a run takes it.
_TRACES: Final = """
    select t.trace_id, t.case_id, t.rule, t.revision, t.due, coalesce((t.header ->> 'degrees_told')::int, 1), (
        select value::int from setting_dated s
        where s.name = 'alert_limit' and (s.valid_from <= d.day or not exists (
            select 1 from setting_dated e where e.name = s.name and e.valid_from <= d.day))
        order by case when s.valid_from <= d.day then s.valid_from end desc nulls last, s.valid_from limit 1)
    from trace t join "case" c using (case_id)
    cross join lateral (select (coalesce(c.confirmed_at, c.opened_at) at time zone 'UTC')::date as day) d
    order by t.trace_id
"""
_CANDIDATES: Final = (
    "select degree, from_person::text, person::text, contact_ref, facility_no, overlap_us, exposures, estimated,"
    " first_start, last_end from candidate where trace_id = %s"
)


class Told(NamedTuple):
    """An alert as stored."""

    alert_id: str
    office: str
    revision: int
    action: str
    contact_ref: str
    data: AlertData


class _Body(msgspec.Struct):
    data: AlertData


_bodies = msgspec.json.Decoder(_Body)


def check_alerts(snapshot: Snapshot, findings: Findings) -> None:
    """Go through all traces. One with a run due is left out: its alerts are about to change."""
    due = 0
    for trace_id, case_id, rule, revision, is_due, degrees, limit in snapshot.ask(_TRACES):
        if is_due:
            due += 1
            continue
        trace = Trace(revision=revision, rule=rule, due_by=None, limit=limit, degrees=degrees)
        _check_trace(snapshot, findings, trace_id, case_id, trace)
    if due:
        findings.note(ALERTS, f"{due} traces have a run due and were not compared")


def _check_trace(snapshot: Snapshot, findings: Findings, trace_id: int, case_id: str, trace: Trace) -> None:
    with snapshot.conn.cursor() as cur:
        candidates = read_candidates(cur, trace_id)
        residence = read_residence(cur, {one.person for one in candidates})
        references = References(cur, case_id)
    _check_candidates(snapshot.ask(_CANDIDATES, trace_id), candidates, case_id, findings)
    everything = msgspec.structs.replace(trace, limit=len(candidates))
    expected: defaultdict[str, list[AlertData]] = defaultdict(list)
    for data in alerts_of(everything, [], candidates, residence, {}, references):
        expected[data.office].append(data)
    by_place = {
        (office, references(office, one.person)) for one in candidates for office in offices_of(one)
    }  # a residence may have become known after the run: only the place binds
    told = _read_told(snapshot, trace_id)
    by_office: defaultdict[str, list[Told]] = defaultdict(list)
    for alert in told:
        by_office[alert.office].append(alert)
        _check_alert(alert, trace, references, case_id, findings)
    for office in sorted(expected.keys() | by_office.keys()):
        Office(
            f"case {case_id}, office {office}",
            expected[office],
            {ref for at, ref in by_place if at == office},
            [(alert.revision, alert.data) for alert in by_office[office]],
        ).check(trace, lambda row, what: findings.differs(ALERTS, row, what))


def _read_told(snapshot: Snapshot, trace_id: int) -> list[Told]:
    rows = snapshot.ask(
        "select alert_id, office, revision, action, contact_ref, body::text from alert where trace_id = %s"
        " order by revision, action <> 'withdrawn', alert_id",
        trace_id,
    )
    return [
        Told(alert_id, office, revision, action, ref, _bodies.decode(body).data)
        for alert_id, office, revision, action, ref, body in rows
    ]


def _check_alert(alert: Told, trace: Trace, references: References, case_id: str, findings: Findings) -> None:
    """Check what an alert says of itself."""
    findings.compared(ALERTS)
    row, data = f"alert {alert.alert_id} to office {alert.office}", alert.data
    said = (data.alert_id, data.office, data.version, data.action, data.contact_ref)
    if said != alert[:5]:
        findings.differs(ALERTS, row, "its body and its columns are not of one alert")
    revised = msgspec.structs.replace(trace, revision=data.version)
    about = STALE_NAME if data.action == "review" and not data.contact_ref else data.contact_ref
    if data.alert_id != alert_id(revised, references(alert.office, None), about, data.office):
        findings.differs(ALERTS, row, f"its id is not that of this trace of case {case_id}")
    if alert.revision > trace.revision:
        what = f"is of revision {alert.revision}, but the trace is at {trace.revision}"
        findings.differs(ALERTS, row, what)
    if alert.contact_ref and (alert.office, alert.contact_ref) not in references.persons:
        findings.differs(ALERTS, row, "names a candidate whom the office has no name for")


def _check_candidates(rows: Sequence[Row], candidates: Sequence[Candidate], case_id: str, findings: Findings) -> None:
    """Compare each candidate's row with its exposures."""
    met: Mapping[tuple[int, str, str], Candidate] = {
        (one.degree, one.from_person, one.person): one for one in candidates
    }
    for degree, source, person, ref, facility_no, overlap, number, estimated, first, last in rows:
        findings.compared(ALERTS)
        row, one = f"candidate {ref} of case {case_id}", met.get((degree, source, person))
        if one is None:
            findings.differs(ALERTS, row, "has no exposure")
            continue
        begin = min(exposure.start for exposure in one.exposures)
        stored = (facility_no, overlap, number, estimated, us_of(first), us_of(last))
        place = one.longest.place.facility_no
        if stored != (place, one.overlap_us, len(one.exposures), one.estimated, begin, one.last_end):
            findings.differs(ALERTS, row, "is not what its exposures say")
