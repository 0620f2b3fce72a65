"""A trace as stored: the revision before, the writing of the next. Takes a cursor; the one who opened it commits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from schemas.codec import encode
from schemas.errors import NotFound
from schemas.events import Alert, AlertData
from tracing.cases.candidates import Candidate, Exposure, Place
from tracing.cases.facts import Case
from tracing.cases.rows import EPIDEMIOLOGISTS, new_reference, read_cases, us
from tracing.instants import utc_of
from tracing.store import Cursor

_ENDS: Final = ("an end",)  # of a stored exposure it is known that an end was estimated, not which


class Stored(NamedTuple):
    """A trace's row, with its case."""

    trace_id: int
    revision: int
    person: str
    case: Case
    revised_at: int  # 0 before the first revision
    windows: dict[str, list[str]]  # from when to when it looked, by time zone; empty when its case was not open
    stale: bool  # data came after it had closed: its next run is a revision of its own


class References:
    """The random names of one case's persons, by office; a name not given yet is made, and stored by `save`."""

    def __init__(self, cur: Cursor, case_id: str) -> None:
        self._case_id = case_id
        cur.execute("select office, person::text, ref from reference where case_id = %s", (case_id,))
        self._known: dict[tuple[str, str | None], str] = {(row[0], row[1]): row[2] for row in cur.fetchall()}
        self._new: list[tuple[str, str | None]] = []
        self.persons = {(office, ref): person for (office, person), ref in self._known.items()}

    def __call__(self, office: str, person: str | None) -> str:
        """Return the name by which `office` knows `person`; None is the case itself."""
        ref = self._known.get((office, person))
        if ref is None:
            ref = self._known[office, person] = new_reference()
            self._new.append((office, person))
        return ref

    def save(self, cur: Cursor) -> None:
        """Store the names that are new."""
        cur.execute(
            "insert into reference (case_id, office, person, ref)"
            " select %s, * from unnest(%s::text[], %s::uuid[], %s::text[])",
            (
                self._case_id,
                [office for office, _ in self._new],
                [person for _, person in self._new],
                [self._known[key] for key in self._new],
            ),
        )
        self._new.clear()


def read_trace_row(cur: Cursor, case_id: str, rule: str) -> Stored:
    """Return the trace's row, held until the transaction ends.

    Raises:
        NotFound: no trace of this case under this rule was opened.
    """
    cur.execute(
        f"select t.trace_id, t.revision, c.person::text, {us('coalesce(t.revised_at, to_timestamp(0))')},"  # noqa: S608 — our own expression
        """ coalesce(t.header -> 'windows', '{}')::text, t.state = 'stale' from trace t join "case" c using (case_id)"""
        " where t.case_id = %s and t.rule = %s for update of t",
        (case_id, rule),
    )
    row = cur.fetchone()
    if row is None:
        raise NotFound("no such trace")
    case = next(case for case in read_cases(cur, row[2]) if case.case_id == case_id)
    return Stored(row[0], row[1], row[2], case, row[3], msgspec.json.decode(row[4]), row[5])


def read_candidates(cur: Cursor, trace_id: int) -> list[Candidate]:
    """Return the candidates of the revision that is stored."""
    cur.execute(
        "select e.degree, e.from_visit::text, e.to_visit::text, e.from_person::text, e.to_person::text, f.facility_no,"  # noqa: S608 — our own expressions
        f" f.facility_id, f.name, f.time_zone, f.district, e.zone, {us('e.starts')}, {us('e.ends')}, e.estimated,"
        " c.already_case, c.reason, c.role, e.kind, e.apart, e.ppe_unknown"
        " from exposure e join facility f using (facility_no)"
        " join candidate c on c.trace_id = e.trace_id and c.degree = e.degree and c.from_person = e.from_person"
        " and c.person = e.to_person where e.trace_id = %s"
        " order by e.degree, e.from_person, e.to_person, e.starts, e.ends",
        (trace_id,),
    )
    stored: dict[tuple[int, str, str], list[tuple[Any, ...]]] = {}
    for row in cur.fetchall():
        stored.setdefault((row[0], row[3], row[4]), []).append(row)
    return [
        Candidate(
            degree=degree,
            from_person=source,
            person=person,
            exposures=tuple(map(_exposure, rows)),
            already_case=rows[0][14],
            reason=rows[0][15],
        )
        for (degree, source, person), rows in stored.items()
    ]


def write_candidates(cur: Cursor, trace_id: int, candidates: Sequence[Candidate], references: References) -> None:
    """Replace the stored exposures and candidates."""
    cur.execute("delete from exposure where trace_id = %s", (trace_id,))
    cur.execute("delete from candidate where trace_id = %s", (trace_id,))
    _write_exposures(cur, trace_id, [exposure for candidate in candidates for exposure in candidate.exposures])
    _write_candidates(cur, trace_id, candidates, references)


def write_trace_row(
    cur: Cursor,
    stored: Stored,
    revision: int,
    window: tuple[int, int] | None,
    closes_at: int | None,
    header: dict[str, Any],
) -> None:
    """Store what the run was. Closed is the trace of a case that is not open, or past the time when it closes."""
    closing = utc_of(closes_at) if closes_at is not None else None
    cur.execute(
        "update trace set revision = %s, state = case when %s and coalesce(%s > now(), true) then 'open' else 'closed'"
        " end, due = false, window_from = %s, window_to = %s, closes_at = %s, header = %s,"
        " revised_at = clock_timestamp() where trace_id = %s",
        (
            revision,
            stored.case.state == "open",
            closing,
            *((utc_of(window[0]), utc_of(window[1])) if window else (None, None)),
            closing,
            msgspec.json.encode(header).decode(),
            stored.trace_id,
        ),
    )


def write_alerts(cur: Cursor, trace_id: int, alerts: Iterable[AlertData], at: datetime) -> list[Alert]:
    """Store the alerts and return them as they go out."""
    sent = [Alert(id=data.alert_id, subject=data.trace_ref, time=at, data=data) for data in alerts]
    cur.execute(
        "insert into alert (alert_id, trace_id, office, revision, action, contact_ref, body)"
        " select id, %s, office, revision, action, ref, body::jsonb"
        " from unnest(%s::text[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[])"
        " as a (id, office, revision, action, ref, body)",
        (
            trace_id,
            [one.id for one in sent],
            [one.data.office for one in sent],
            [one.data.version for one in sent],
            [one.data.action for one in sent],
            [one.data.contact_ref for one in sent],
            [encode(one).decode() for one in sent],
        ),
    )
    return sent


def read_residence(cur: Cursor, persons: Iterable[str]) -> dict[str, str]:
    """Return the districts where persons live, where known."""
    cur.execute("select person::text, district from person_area where person = any(%s::uuid[])", (list(persons),))
    return dict(cur.fetchall())


def read_open_cases(cur: Cursor, persons: Iterable[str]) -> frozenset[str]:
    """Return which of these persons are an open case themselves, under whichever of their ids."""
    some = list(persons)
    cur.execute(
        """select person::text from "case" where state = 'open' and person = any(%s::uuid[]) union"""
        """ select h.person::text from same_human h join "case" c on c.person = h.other and c.state = 'open'"""
        " where h.person = any(%s::uuid[])",
        (some, some),
    )
    return frozenset(row[0] for row in cur.fetchall())


def read_confirmed(cur: Cursor, case_id: str) -> dict[str, bool]:
    """Return whose latest decision in this case is confirmed, and whether who decided knew that it was they."""
    cur.execute(
        "select person::text, identity_checked from (select distinct on (person) person, decision, identity_checked"
        " from contact_decision where case_id = %s and person is not null order by person, at desc, decision_id desc) d"
        " where decision = 'confirmed'",
        (case_id,),
    )
    return dict(cur.fetchall())


def read_last_told(cur: Cursor, stored: Stored, persons: Iterable[str]) -> list[tuple[str, int]]:
    """Return the end of the last day of a meeting that an office was told of, of those of these who were told."""
    ends = "(cast(a.body -> 'data' ->> 'date' as date) + 1)::timestamp at time zone f.time_zone"
    cur.execute(
        f"select r.person::text, {us(f'max({ends})')} from reference r"  # noqa: S608 — our own expression
        " join alert a on a.trace_id = %s and a.office = r.office and a.contact_ref = r.ref"
        " join facility f on f.facility_id = a.body -> 'data' ->> 'facility_id'"
        " where r.case_id = %s and r.person = any(%s::uuid[]) group by r.person",
        (stored.trace_id, stored.case.case_id, list(persons)),
    )
    return list(cur.fetchall())


def read_status(cur: Cursor, case_id: str) -> dict[str, int]:
    """Return until when the gate was told that persons are black because of this case."""
    cur.execute(f"select person::text, {us('until')} from person_status where case_id = %s", (case_id,))  # noqa: S608 — our own expression
    return dict(cur.fetchall())


def write_status(cur: Cursor, case_id: str, news: dict[str, int | None]) -> None:
    """Store what the gate is now told."""
    for person, until in news.items():
        if until is None:
            cur.execute("delete from person_status where case_id = %s and person = %s", (case_id, person))
        else:
            cur.execute(
                "insert into person_status (case_id, person, until) values (%s, %s, %s)"
                " on conflict (person, case_id) do update set until = excluded.until, ended = false",
                (case_id, person, utc_of(until)),
            )


def end_statuses(cur: Cursor) -> list[tuple[str, str]]:
    """Return (person, case) of every black whose time is over by the database's clock; each is returned once."""
    cur.execute(
        "update person_status set ended = true where (person, case_id) in (select person, case_id from person_status"
        " where not ended and until <= now() order by until limit 1000 for update skip locked)"
        " returning person::text, case_id"
    )
    return list(cur.fetchall())


def read_marks(cur: Cursor) -> tuple[datetime, int, list[list[int]]]:
    """Return the transaction's time, the number of partitions, and how far the scans were folded then."""
    cur.execute("select now(), coalesce((select value::int from installation where name = 'partitions'), 1)")
    row = cur.fetchone()
    assert row is not None
    cur.execute("select partition, next_offset from position where topic = 'scan.v1' order by partition")
    return row[0], row[1], [list(mark) for mark in cur.fetchall()]


def _write_exposures(cur: Cursor, trace_id: int, exposures: Sequence[Exposure]) -> None:
    _insert(
        cur,
        "exposure (trace_id, degree, from_visit, to_visit, from_person, to_person, facility_no, zone, starts, ends,"
        " estimated, kind, apart, ppe_unknown)",
        "smallint[] uuid[] uuid[] uuid[] uuid[] int[] text[] timestamptz[] timestamptz[] boolean[] text[] boolean[]"
        " boolean[]",
        trace_id,
        [
            (
                one.degree,
                one.from_visit,
                one.to_visit,
                one.from_person,
                one.to_person,
                one.place.facility_no,
                one.zone,
                utc_of(one.start),
                utc_of(one.end),
                bool(one.estimated_ends),
                one.kind,
                one.apart,
                one.ppe_unknown,
            )
            for one in exposures
        ],
    )


def _write_candidates(cur: Cursor, trace_id: int, candidates: Sequence[Candidate], references: References) -> None:
    _insert(
        cur,
        "candidate (trace_id, degree, from_person, person, contact_ref, facility_no, zone, role, first_start, last_end,"
        " overlap_us, exposures, estimated, already_case, reason, apart, ppe_unknown)",
        "smallint[] uuid[] uuid[] text[] int[] text[] text[] timestamptz[] timestamptz[] bigint[] int[] boolean[]"
        " boolean[] text[] boolean[] boolean[]",
        trace_id,
        [
            (
                one.degree,
                one.from_person,
                one.person,
                references(EPIDEMIOLOGISTS, one.person),
                one.longest.place.facility_no,
                one.longest.zone,
                one.longest.role,
                utc_of(min(exposure.start for exposure in one.exposures)),
                utc_of(one.last_end),
                one.overlap_us,
                len(one.exposures),
                one.estimated,
                one.already_case,
                one.reason,
                one.apart,
                one.ppe_unknown,
            )
            for one in candidates
        ],
    )


def _insert(cur: Cursor, into: str, types: str, trace_id: int, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    arrays = ", ".join(f"%s::{kind}" for kind in types.split())
    columns = [list(column) for column in zip(*rows, strict=True)]
    cur.execute(f"insert into {into} select %s, * from unnest({arrays})", (trace_id, *columns))  # noqa: S608 — our own columns


def _exposure(row: tuple[Any, ...]) -> Exposure:
    return Exposure(
        degree=row[0],
        from_visit=row[1],
        to_visit=row[2],
        from_person=row[3],
        to_person=row[4],
        place=Place(*row[5:10]),
        zone=row[10],
        role=row[16],
        start=row[11],
        end=row[12],
        estimated_ends=_ENDS if row[13] else (),
        kind=row[17],
        apart=row[18],
        ppe_unknown=row[19],
    )
