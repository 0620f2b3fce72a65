"""Reads what a rank is made of: the visits behind exposures as they are now, the hours around them, who is proven."""

from collections.abc import Iterable, Sequence

import numpy as np

from tracing.cases.candidates import Exposure
from tracing.cases.likeness import Known, Likely, Met, StayKey, hours_needed, keys_of, likely
from tracing.cases.lookup import STAY_COLUMNS, stay_of
from tracing.cases.met import merged
from tracing.cases.places import Stay
from tracing.cases.proof import read_unproven
from tracing.ranking.stored_hours import HourRows
from tracing.store import Cursor

_STAYS = f"""
    select {STAY_COLUMNS}, v.person::text
    from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as s (p, f, u)
    cross join lateral (
        select * from visit v where v.person = s.p and v.check_in <= instant_of(s.u)
            and v.check_out >= instant_of(s.f) and v.check_in >= instant_of(s.f) - interval '1 day'
        union all
        select * from visit_long v where v.person = s.p and v.check_in <= instant_of(s.u)
            and v.check_out >= instant_of(s.f)
    ) v join facility f on f.facility_no = v.key >> 3
"""  # noqa: S608 — constants
_HOURS = """
    select h.facility_no, floor(extract(epoch from h.hour) / 3600)::bigint, sum(h.arrivals)::bigint,
        sum(h.departures)::bigint, sum(h.person_us)::bigint
    from unnest(%s::int[], %s::bigint[], %s::bigint[]) as s (place, f, u)
    cross join lateral (
        select * from facility_hour h
        where h.facility_no = s.place and h.hour >= instant_of(s.f) and h.hour < instant_of(s.u)
    ) h group by 1, 2
"""


def read_known(cur: Cursor, pairs: Sequence[Met]) -> list[Known]:
    """Return of each pair how likely they were close, and whether anything proves that it was they.

    Args:
        cur: of a transaction that sees one state of the data.
        pairs: the exposures of each.
    """
    return [Known(*one) for one in zip(_read_likely(cur, pairs), read_unproven(cur, pairs), strict=True)]


def _read_likely(cur: Cursor, pairs: Sequence[Met]) -> list[Likely | None]:
    stays = read_stays(cur, [one for met in pairs for one in met])
    if not stays:
        return [None] * len(pairs)
    spans = merged(hours_needed(pairs, stays))
    cur.execute(_HOURS, (spans.facility.tolist(), spans.start.tolist(), spans.end.tolist()))
    columns = np.array(cur.fetchall(), dtype=np.int64).reshape(-1, 5).T
    return likely(pairs, stays, HourRows(*columns))


def read_stays(cur: Cursor, exposures: Iterable[Exposure]) -> dict[StayKey, Stay]:
    """Return the visits of these exposures that are stored."""
    spans: dict[str, tuple[int, int]] = {}
    wanted = set()
    for one in exposures:
        for key in keys_of(one):
            start, end = spans.get(key[0], (one.start, one.end))
            spans[key[0]] = min(start, one.start), max(end, one.end)
            wanted.add(key)
    if not spans:
        return {}
    starts, ends = zip(*spans.values(), strict=True)
    cur.execute(_STAYS, (list(spans), list(starts), list(ends)))
    stays = (stay_of(row) for row in cur.fetchall())
    return {key: stay for stay in stays if (key := (stay.person, stay.visit_id)) in wanted}
