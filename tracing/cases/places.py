"""What zones say of a meeting: apart all the while, staff in isolation; and since when a case is isolated. Pure.

Zones never decide whether an overlap counts, only where a candidate stands and who hears of him; with one exception:
an inpatient's first isolation zone ends the case's window for everybody outside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from re import split
from typing import Final, Literal, NamedTuple, TypeAlias

from tracing.cases.candidates import Place
from tracing.rulesets import Rule
from tracing.windows import Window, local_day

ZoneKind: TypeAlias = Literal["ward", "emergency", "waiting", "laboratory", "isolation", "staff", "ambulance", ""]
Zones: TypeAlias = tuple[tuple[int, str], ...]  # (from, zone) in the order of time

# Where people of different places pass one another: two names of these are no wall.
SHARED: Final = frozenset({"emergency", "waiting", "laboratory"})
# A zone that its facility has not declared is of the first kind of which its name holds a word.
_WORDS: Final[Mapping[ZoneKind, frozenset[str]]] = {
    "isolation": frozenset({"isolation", "isolasi", "karantina", "quarantine"}),
    "ambulance": frozenset({"ambulance", "ambulans", "ambulan"}),
    "emergency": frozenset({"emergency", "igd", "ugd", "darurat", "triage", "triase"}),
    "waiting": frozenset(
        {
            "waiting",
            "tunggu",
            "lobby",
            "lobi",
            "reception",
            "registration",
            "pendaftaran",
            "loket",
            "kasir",
            "apotek",
            "farmasi",
            "pharmacy",
            "kantin",
            "canteen",
            "koridor",
            "corridor",
            "lift",
            "hall",
        }
    ),
    "laboratory": frozenset({"laboratory", "laboratorium", "lab", "radiologi", "radiology"}),
    "staff": frozenset({"staff", "staf", "pegawai", "petugas"}),
    "ward": frozenset({"ward", "bangsal", "rawat", "inap", "icu", "hcu", "nicu", "picu", "poli", "poliklinik"}),
}

Kinds: TypeAlias = Mapping[tuple[int, str], str]  # (facility_no, zone): what the facility says it is


class Stay(NamedTuple):
    """A visit with all that a trace wants to know of it."""

    visit_id: str
    person: str
    place: Place
    check_in: int
    check_out: int
    check_in_estimated: bool
    check_out_estimated: bool
    role: str
    zones: Zones


class Shared(NamedTuple):
    """How two stays spent the time of one overlap, in microseconds."""

    apart: int  # in different zones, both known, neither shared
    isolation: int  # one of staff with somebody in isolation
    rest: int
    same_zone: bool


class Mark(NamedTuple):
    """What is to be said of an exposure besides its time."""

    apart: bool = False
    ppe_unknown: bool = False


def kind_of(zone: str, declared: str = "") -> str:
    """Return what a zone is: what its facility says, else what its name says, else nothing."""
    if declared:
        return declared
    words = set(split(r"[\W\d_]+", zone.casefold()))
    return next((kind for kind, known in _WORDS.items() if words & known), "")


def zone_at(zones: Sequence[tuple[int, str]], at: int) -> str:
    """Return the zone in which a visit was at an instant; empty before its first."""
    return next((zone for since, zone in reversed(zones) if since <= at), "")


def zone_spans(zones: Zones, check_out: int) -> Iterator[tuple[int, int, str]]:
    """Yield from when to when a visit was in which zone; the last lasts until check-out."""
    ends = [*(since for since, _ in zones), check_out][1:]
    for (since, zone), end in zip(zones, ends, strict=True):
        yield since, end, zone


def spans_in(stay: Stay, kinds: Kinds, kind: str) -> Iterator[tuple[int, int, str]]:
    """Yield from when to when a visit was in zones of this kind, with the zone."""
    for since, end, zone in zone_spans(stay.zones, stay.check_out):
        if zone and kind_of(zone, kinds.get((stay.place.facility_no, zone), "")) == kind:
            yield since, end, zone


def isolated_on(stays: Iterable[Stay], windows: Mapping[str, Window], kinds: Kinds) -> date | None:
    """Return the local day on which an inpatient first came to an isolation zone.

    Args:
        stays: of the case.
        windows: by time zone, not ended by isolation; what was over before them says nothing of this episode.
        kinds: what facilities say of their zones.
    """
    begins = [
        (since, stay.place.time_zone)
        for stay in stays
        if stay.role == "inpatient"
        for since, end, _ in spans_in(stay, kinds, "isolation")
        if end > windows[stay.place.time_zone].start and since < windows[stay.place.time_zone].end
    ]
    return local_day(*min(begins)) if begins else None


def marks_of(rule: Rule, meetings: Sequence[tuple[Stay, Stay, tuple[int, int]]], kinds: Kinds) -> list[Mark]:
    """Return the marks of one pair's exposures (from, to, when).

    An exposure is marked where the time that the zones do not explain would not have counted by itself.
    """
    shared = [_shared(one, other, span, kinds) for one, other, span in meetings]
    least = 1 if rule.interval == "cwa" else max(rule.minutes_us, 1)
    together = sum(one.rest for one in shared)
    marks = []
    for one in shared:
        explained = (together if rule.count == "24h" else one.rest) < least
        ppe_unknown = explained and one.isolation > 0
        marks.append(
            Mark(apart=explained and not ppe_unknown and one.apart > 0 and not one.same_zone, ppe_unknown=ppe_unknown)
        )
    return marks


def _shared(one: Stay, other: Stay, span: tuple[int, int], kinds: Kinds) -> Shared:
    start, end = span
    moments = sorted({start, *(at for at, _ in (*one.zones, *other.zones) if start < at < end)})
    apart = isolation = rest = 0
    same_zone = False
    for begin, until in zip(moments, [*moments[1:], end], strict=True):
        here, there = zone_at(one.zones, begin), zone_at(other.zones, begin)
        is_isolated = here and kind_of(here, kinds.get((one.place.facility_no, here), "")) == "isolation"
        if other.role == "staff" and is_isolated and there in {"", here}:
            isolation += until - begin
        elif _is_wall(one.place.facility_no, here, there, kinds):
            apart += until - begin
        else:
            rest += until - begin
            same_zone |= bool(here) and here == there
    return Shared(apart, isolation, rest, same_zone)


def _is_wall(facility_no: int, here: str, there: str, kinds: Kinds) -> bool:
    if not here or not there or here == there:
        return False
    both = {kind_of(zone, kinds.get((facility_no, zone), "")) for zone in (here, there)}
    return not both & SHARED
