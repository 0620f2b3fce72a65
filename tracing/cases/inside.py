"""Who was in an isolation zone together with the case, and what kinds facilities gave their zones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from tracing.cases.lookup import zones_in
from tracing.cases.met import Met, halves
from tracing.cases.places import Kinds, Stay, spans_in, zone_spans
from tracing.exposure import Ints
from tracing.store import Cursor
from tracing.windows import Window

_WHERE: Final = (
    "v.key between s.place * 8 + {} and s.place * 8 + {} and v.check_in < instant_of(s.u)"
    " and v.check_out > instant_of(s.f) and v.zones @> jsonb_build_array(jsonb_build_array(s.zone))"
)
_COLUMNS: Final = "v.person, v.check_in, v.check_out, v.zones"
_INSIDE: Final = f"""
    select s.n, m.person::text, (extract(epoch from m.check_in) * 1000000)::bigint,
        (extract(epoch from m.check_out) * 1000000)::bigint, m.zones::text
    from unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[]) with ordinality as s (place, zone, f, u, n)
    cross join lateral (
        select {_COLUMNS} from visit v where {_WHERE.format(0, 2)} and v.check_in >= instant_of(s.f) - interval '1 day'
        union all select {_COLUMNS} from visit_long v where {_WHERE.format(3, 7)}
    ) m
"""  # noqa: S608 — constants


def read_kinds(cur: Cursor, stays: Iterable[Stay]) -> Kinds:
    """Return what the facilities of these visits say that their zones are; nobody is asked where no zone is known."""
    numbers = sorted({stay.place.facility_no for stay in stays if stay.zones})
    if not numbers:
        return {}
    cur.execute("select facility_no, zone, kind from zone where facility_no = any(%s)", (numbers,))
    return {(number, zone): kind for number, zone, kind in cur.fetchall()}


def inside_rows(cur: Cursor, own: Sequence[Stay], windows: Mapping[str, Window], kinds: Kinds, met: Met) -> Ints:
    """Return 1 for each of `met` that was in an isolation zone at the same time as the case, else 0.

    Args:
        cur: of the trace's transaction.
        own: the case's visits with time in isolation.
        windows: by time zone.
        kinds: what facilities say of their zones.
        met: visits of others.
    """
    inside = np.zeros(met.key.size, dtype=np.int64)
    asked = [
        (stay.place.facility_no, zone, max(start, windows[stay.place.time_zone].start), end)
        for stay in own
        for start, end, zone in spans_in(stay, kinds, "isolation")
    ]
    if not asked:
        return inside
    numbers, zones, starts, ends = zip(*asked, strict=True)
    cur.execute(_INSIDE, (list(numbers), list(zones), list(starts), list(ends)))
    for number, person, check_in, check_out, found in cur.fetchall():
        _, wanted, start, end = asked[number - 1]
        spans = zone_spans(zones_in(found), check_out)
        if any(zone == wanted and since < end and until > start for since, until, zone in spans):
            high, low = halves([person])
            inside[(met.check_in == check_in) & (met.high == high[0]) & (met.low == low[0])] = 1
    return inside
