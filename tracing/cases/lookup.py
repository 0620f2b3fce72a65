"""Which visits a trace has to look at: the case's own, and those that overlap them. It narrows, `exposure.py` decides.

An overlap look-up is one index-only range per stay class (`tracing/keys.py`), for all visits that are asked about at
once; its rows come as a binary COPY and become columns without a loop. The rest of a visit is read for what counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from schemas.events import Role
from tracing.cases import met as columns_of
from tracing.cases.candidates import Exposure, Place
from tracing.cases.facts import DEFAULT_ZONE
from tracing.cases.met import MET_ROW, STAY_ROW, WHOLE_ROW, Asked, Met, Records, Row, merged, met_of
from tracing.cases.places import Stay, Zones, zone_at
from tracing.exposure import CWA_GRID_US, Direction, Exposures, Flags, Ints, Visits, case_spans, find_exposures
from tracing.instants import DAY_US, utc_of
from tracing.overlaps import Spans
from tracing.rulesets import Rule
from tracing.store import Cursor
from tracing.windows import FARTHEST_US, Window

STAY_COLUMNS: Final = (  # of v, a visit, and f, its facility
    "v.visit_id::text, f.facility_no, f.facility_id, f.name, f.time_zone, f.district,"
    " (extract(epoch from v.check_in) * 1000000)::bigint, (extract(epoch from v.check_out) * 1000000)::bigint,"
    " v.check_in_estimated, v.check_out_estimated, v.role, v.zones::text"
)
ROLES: Final = tuple(role.value for role in Role)
_ENDS: Final[Mapping[tuple[bool, bool], tuple[str, ...]]] = {
    (False, False): (),
    (True, False): ("check-in",),
    (False, True): ("check-out",),
    (True, True): ("check-in", "check-out"),
}
_STAYS_SQL: Final = "select number, key, check_in, check_out, check_out_estimated from trace_stays(%s, %s, %s)"


class Seen(NamedTuple):
    """What a look-up found, and how much it looked at."""

    exposures: list[Exposure]
    own_visits: int
    visits_met: int
    windows: Mapping[str, Window]  # by time zone of the facilities where the case was


def find(cur: Cursor, rule: Rule, person: str, window_in: Callable[[str], Window]) -> Seen:
    """Return the exposures of first degree that the visits of a person make in a window; zones and rides are not asked.

    Args:
        cur: of a transaction that sees one state of the data.
        rule: what counts.
        person: whose visits they are.
        window_in: gives the window in a time zone; each facility has its own midnight.
    """
    start, end = window_in("UTC")
    own = own_visits(cur, person, Window(start - FARTHEST_US, end + FARTHEST_US))
    windows = {zone: window_in(zone) for zone in zones_of(own)}
    asked = asked_of(own, windows)
    met = meet(cur, rule, asked, whole=True).without(person)
    found = decide(rule, asked, met)
    others = details(cur, met, np.unique(found.other), {stay.place.facility_no: stay.place for stay in own})
    spans = zip(found.visit.tolist(), found.other.tolist(), found.start.tolist(), found.end.tolist(), strict=True)
    exposures = [exposure(own[visit], others[other], (start, end)) for visit, other, start, end in spans]
    return Seen(exposures, len(own), met.key.size, windows)


def zones_of(own: Iterable[Stay]) -> list[str]:
    """Return the time zones of where somebody was; of who was nowhere, the default."""
    return sorted({stay.place.time_zone for stay in own} or {DEFAULT_ZONE})


def own_visits(cur: Cursor, person: str, during: Window) -> list[Stay]:
    """Return the person's visits that touch the window, in the order of time."""
    start, end = during
    where = "person = %s and check_in < %s and check_out > %s"
    cur.execute(
        f"select {STAY_COLUMNS}, v.person::text from (select * from visit where {where} and check_in >= %s"  # noqa: S608 — our own expressions
        f" union all select * from visit_long where {where}"
        ") v join facility f on f.facility_no = v.key >> 3 order by v.check_in, v.visit_id",
        (person, utc_of(end), utc_of(start), utc_of(start - DAY_US), person, utc_of(end), utc_of(start)),
    )
    return [stay_of(row) for row in cur.fetchall()]


def stay_of(row: Sequence[Any]) -> Stay:
    """Return the visit in a row of `STAY_COLUMNS`, then the person."""
    return Stay(row[0], row[12], Place(*row[1:6]), row[6], row[7], row[8], row[9], row[10], zones_in(row[11]))


def zones_in(text: str | None) -> Zones:
    """Return the zones of a visit as stored."""
    return msgspec.json.decode(text, type=Zones) if text else ()


def asked_of(own: Sequence[Stay], windows: Mapping[str, Window]) -> Asked:
    """Return a case's visits, each in the window of its place's time zone, all one group."""
    each = [windows[stay.place.time_zone] for stay in own]
    return Asked(
        _ints(stay.place.facility_no << 3 for stay in own),
        *columns_of.halves([stay.person for stay in own]),
        _ints(stay.check_in for stay in own),
        _ints(stay.check_out for stay in own),
        np.array([not stay.check_out_estimated for stay in own], dtype=np.bool_),
        np.zeros(len(own), dtype=np.int64),
        _ints(window.start for window in each),
        _ints(window.end for window in each),
    )


def meet(
    cur: Cursor,
    rule: Rule,
    asked: Asked,
    direction: Direction = "forward",
    *,
    narrow: bool = False,
    whole: bool = False,
) -> Met:
    """Return the visits of others that may make an exposure with those that are asked about.

    Spans of one place that overlap are asked as one, so that a visit comes once however many it meets.

    Args:
        cur: of the trace's transaction.
        rule: what counts.
        asked: visits with their windows.
        direction: backward, a tail is the other's.
        narrow: leave out in the server what is too short to count, where one overlap has to be long enough.
        whole: read all of each visit at once: cheaper where most of them count.
    """
    spans = case_spans(rule, asked.visits(np.zeros_like(asked.key)), asked.cases, direction)
    before, after = 0, 0
    if direction == "backward":
        after = CWA_GRID_US if rule.interval == "cwa" else 0
        before = rule.tail_us + after
    spans = merged(spans, before, after)
    if whole:
        return _met_whole(cur, spans)
    least = rule.minutes_us if narrow and rule.count == "visit" and rule.interval == "visit" else 1
    return met_in(cur, spans, least)


def met_in(cur: Cursor, spans: Spans, least: int = 1) -> Met:
    """Return the visits that are in one of these spans for at least so many microseconds, each once."""
    if not spans.start.size:
        return met_of(np.empty(0, dtype=MET_ROW))
    found = _copied(
        cur,
        "select key, person, check_in, check_out from trace_met(%s, %s, %s, %s)",
        (_array(spans.facility), _array(spans.start), _array(spans.end), least),
        MET_ROW,
    )
    return met_of(found)


def _met_whole(cur: Cursor, spans: Spans) -> Met:
    if not spans.start.size:
        return met_of(np.empty(0, dtype=WHOLE_ROW))
    values = (_array(spans.facility), _array(spans.start), _array(spans.end), list(ROLES))
    return met_of(_copied(cur, "select * from trace_met_whole(%s, %s, %s, %s)", values, WHOLE_ROW))


def decide(
    rule: Rule,
    asked: Asked,
    met: Met,
    direction: Direction = "forward",
    *,
    recorded: Flags | None = None,
    parties: tuple[Ints, Ints] | None = None,
) -> Exposures:
    """Return which rows of `asked` and of `met` make an exposure; `exposure.py` says so.

    Args:
        rule: what counts.
        asked: visits with their windows.
        met: visits of others, and of the same persons, who never expose themselves.
        direction: backward, a tail is the other's.
        recorded: of each of `met`, whether its end was scanned; only a tail of theirs asks for it.
        parties: a number per row of `asked` and of `met`: only rows of the same number meet.
    """
    codes = columns_of.codes_of(np.concatenate([asked.high, met.high]), np.concatenate([asked.low, met.low]))
    own_code, other_code = codes[: asked.key.size], codes[asked.key.size :]
    ones, others = parties or (np.zeros_like(asked.key), np.zeros_like(met.key))
    theirs = Visits(
        other_code,
        (met.key >> 3) * 2 + others,
        met.check_in,
        met.check_out,
        np.ones(met.key.size, dtype=np.bool_) if recorded is None else recorded,
    )
    visits = asked.visits(own_code)
    return find_exposures(rule, visits._replace(facility=visits.facility * 2 + ones), asked.cases, theirs, direction)


def details(cur: Cursor, met: Met, rows: Ints, places: Mapping[int, Place]) -> dict[int, Stay]:
    """Return these rows with all that a trace wants to know of them; asked for only as far as it was not read yet."""
    if not rows.size:
        return {}
    some = met.rows(rows)
    if some.rest is None:
        return _asked_details(cur, some, rows, places)
    rest = some.rest
    zoned = np.flatnonzero(rest["zoned"])
    zones = {row: stay.zones for row, stay in _asked_details(cur, some.rows(zoned), rows[zoned], places).items()}
    columns = (
        rows.tolist(),
        columns_of.id_texts(rest["visit"]["high"], rest["visit"]["low"]),
        columns_of.id_texts(some.high, some.low),
        (some.key >> 3).tolist(),
        some.check_in.tolist(),
        some.check_out.tolist(),
        rest["in_estimated"].tolist(),
        rest["out_estimated"].tolist(),
        (rest["role"] - 1).tolist(),
    )
    return {
        row: Stay(
            visit, person, places[place], came, left, in_estimated, out_estimated, ROLES[role], zones.get(row, ())
        )
        for row, visit, person, place, came, left, in_estimated, out_estimated, role in zip(*columns, strict=True)
    }


def _asked_details(cur: Cursor, some: Met, rows: Ints, places: Mapping[int, Place]) -> dict[int, Stay]:
    """Return visits by these numbers, each looked up by itself."""
    if not rows.size:
        return {}
    persons = columns_of.id_texts(some.high, some.low)
    cur.execute(
        "select * from trace_details(%s, %s, %s)",
        (_array(some.key), _array(some.check_in), f"{{{','.join(persons)}}}"),
    )
    numbers, keys = rows.tolist(), some.key.tolist()
    begins, ends = some.check_in.tolist(), some.check_out.tolist()
    found = {}
    for number, visit_id, role, in_estimated, out_estimated, zones in cur.fetchall():
        at = number - 1
        place, ends_at = places[keys[at] >> 3], (begins[at], ends[at])
        found[numbers[at]] = Stay(
            visit_id, persons[at], place, ends_at[0], ends_at[1], in_estimated, out_estimated, role, zones_in(zones)
        )
    return found


def stays_between(cur: Cursor, persons: Sequence[str], starts: Ints, ends: Ints) -> Asked:
    """Return the visits of persons that touch each one's own span, which is their window."""
    if not persons:
        return columns_of.asked_of(np.empty(0, dtype=STAY_ROW), persons, starts, ends)
    values = (f"{{{','.join(persons)}}}", _array(starts), _array(ends))
    return columns_of.asked_of(_copied(cur, _STAYS_SQL, values, STAY_ROW), persons, starts, ends)


def read_places(cur: Cursor, numbers: Iterable[int]) -> dict[int, Place]:
    """Return these facilities."""
    cur.execute(
        "select facility_no, facility_id, name, time_zone, district from facility where facility_no = any(%s)",
        (sorted(set(numbers)),),
    )
    return {row[0]: Place(*row) for row in cur.fetchall()}


def exposure(
    one: Stay,
    other: Stay,
    span: tuple[int, int],
    *,
    met_role: str | None = None,
    **changes: Any,  # noqa: ANN401 — fields of an exposure
) -> Exposure:
    """Return the exposure by which `one` passes it on to `other`; the role is that of the one whom the case met."""
    came = one.check_in_estimated or other.check_in_estimated
    left = one.check_out_estimated or other.check_out_estimated
    return Exposure(
        from_visit=one.visit_id,
        to_visit=other.visit_id,
        from_person=one.person,
        to_person=other.person,
        place=one.place,
        zone=zone_at(one.zones, span[0]) if one.zones else "",
        role=other.role if met_role is None else met_role,
        start=span[0],
        end=span[1],
        estimated_ends=_ENDS[came, left],
        **changes,
    )


def _copied(cur: Cursor, sql: str, values: Sequence[object], row: Row) -> Records:
    """Return what a query gives whose rows are all of one width."""
    file = BytesIO()
    cur.copy_expert(cur.mogrify(f"copy ({sql}) to stdout (format binary)", values).decode(), file)
    return columns_of.records_of(file.getvalue(), row)


def _array(values: Ints) -> str:
    return f"{{{','.join(map(str, values.tolist()))}}}"


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)
