"""From exposures to candidates: one per person met, ranked, each with a sentence that says why. Pure.

Rank is the probability of having been truly close, which whoever reads works out, then the time together; who rode in
one vehicle comes before. After all these come those whom only scans put there that prove nobody's identity, and last
those who were in other zones all the while. Nobody is left out: staff met in isolation have no rank, for nobody knows
what they wore, but they are on the list.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from tracing.instants import MINUTE_US
from tracing.windows import local_day

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUS: Final = "\N{MINUS SIGN}"


Key: TypeAlias = tuple[int, str, str]


class Standing(NamedTuple):
    """What is worked out of a candidate when somebody looks, and decides where he stands."""

    unproven: bool = False  # each of his meetings rests on a scan that proves nobody's identity
    millionths: int = -1  # the probability; -1: not known, after all who have one


_UNKNOWN: Final = Standing()
_NONE: Final[Mapping[Key, Standing]] = MappingProxyType({})


class Place(msgspec.Struct, frozen=True):
    """A facility, as far as a trace needs it."""

    facility_no: int
    facility_id: str
    name: str
    time_zone: str
    district: str


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """One overlap that counts; `zone` is that of the case's visit when it began."""

    degree: int = 1
    from_visit: str
    to_visit: str
    from_person: str
    to_person: str
    place: Place
    zone: str
    role: str  # of the one who was met
    start: int
    end: int
    estimated_ends: tuple[str, ...] = ()  # in words: which ends of the two visits nobody scanned
    kind: Literal["place", "vehicle"] = "place"  # vehicle: they rode together, whatever the minutes
    apart: bool = False  # in different zones all the while, none of them shared
    ppe_unknown: bool = False  # one of staff, met in isolation

    @property
    def facts(self) -> tuple[str, str, int, int, bool, str, bool]:
        """Return what has to differ for the exposure to be another one; where it ranks is none of it."""
        ends = bool(self.estimated_ends)
        return self.from_visit, self.to_visit, self.start, self.end, ends, self.kind, self.ppe_unknown


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A person whom the rule makes a co-visitor of the case."""

    degree: int
    from_person: str
    person: str
    exposures: tuple[Exposure, ...]  # in the order of time
    already_case: bool = False
    reason: str = ""

    @property
    def key(self) -> Key:
        """Return what there is one candidate of: degree, by whom, and who."""
        return self.degree, self.from_person, self.person

    @property
    def longest(self) -> Exposure:
        """Return the longest exposure, the earliest at a tie: its place and zone stand for all."""
        return max(self.exposures, key=lambda one: (one.end - one.start, -one.start))

    @property
    def overlap_us(self) -> int:
        """Return the time of all exposures together."""
        return sum(one.end - one.start for one in self.exposures)

    @property
    def last_end(self) -> int:
        """Return when the last exposure ended."""
        return max(one.end for one in self.exposures)

    @property
    def estimated(self) -> bool:
        """Say whether an end that nobody scanned had a part in it."""
        return any(one.estimated_ends for one in self.exposures)

    @property
    def rode_together(self) -> bool:
        """Say whether they were in one vehicle."""
        return any(one.kind == "vehicle" for one in self.exposures)

    @property
    def apart(self) -> bool:
        """Say whether they were in different zones whenever they were in one facility."""
        return all(one.apart for one in self.exposures)

    @property
    def ppe_unknown(self) -> bool:
        """Say whether it was one of staff, met in isolation only: the infection control team's, without a rank."""
        return all(one.ppe_unknown for one in self.exposures)

    @property
    def facts(self) -> tuple[int, int, bool, frozenset[tuple[str, str, int, int, bool, str, bool]]]:
        """Return what has to differ for an office to be told of a change."""
        return self.degree, self.overlap_us, self.estimated, frozenset(one.facts for one in self.exposures)


def candidates_of(
    exposures: Iterable[Exposure], day_zero: date, day_word: str, already_cases: frozenset[str] = frozenset()
) -> list[Candidate]:
    """Return the candidates in the order of rank.

    Args:
        exposures: those that count, in any order.
        day_zero: the day that days are counted from.
        day_word: what that day is: onset, or specimen.
        already_cases: persons who are an open case themselves; they stay on the list.
    """
    by_person = sorted(exposures, key=lambda one: (one.degree, one.from_person, one.to_person, one.start, one.end))
    found = []
    for (degree, source, person), group in groupby(by_person, key=lambda e: (e.degree, e.from_person, e.to_person)):
        met = tuple(group)
        found.append(
            Candidate(
                degree=degree,
                from_person=source,
                person=person,
                exposures=met,
                already_case=person in already_cases,
                reason=reason_of(met, day_zero, day_word),
            )
        )
    return ranked(found)


def ranked(candidates: Iterable[Candidate], standings: Mapping[Key, Standing] = _NONE) -> list[Candidate]:
    """Return the candidates by degree, then rank; at the end of each degree those who have no rank.

    Args:
        candidates: in any order.
        standings: what is known of where each stands, by its key; without any it is the time together.
    """

    def order(one: Candidate) -> tuple[int, bool, bool, bool, bool, int, int, str, str]:
        standing = standings.get(one.key, _UNKNOWN)
        aside = one.ppe_unknown, one.apart, standing.unproven, not one.rode_together
        return one.degree, *aside, -standing.millionths, -one.overlap_us, one.person, one.from_person

    return sorted(candidates, key=order)


def reason_of(exposures: Sequence[Exposure], day_zero: date, day_word: str) -> str:
    """Return why, as a sentence: where, how long, when, and what was not scanned but estimated."""
    longest = max(exposures, key=lambda one: (one.end - one.start, -one.start))
    day = local_day(longest.start, longest.place.time_zone)
    told = sentence(
        Meetings(len(exposures), sum(one.end - one.start for one in exposures), longest.end - longest.start),
        longest.place.name,
        longest.zone,
        day,
        f"day {signed((day - day_zero).days)} of {day_word}",
        sorted({end for one in exposures for end in one.estimated_ends}),
    )
    return "; ".join((told, *circumstances(exposures)))


def circumstances(exposures: Sequence[Exposure]) -> list[str]:
    """Return what is to be said of meetings besides place and time; it names no day."""
    told = []
    if any(one.kind == "vehicle" for one in exposures):
        told.append("rode together in one vehicle")
    if all(one.apart for one in exposures):
        told.append("in different zones all the while")
    if all(one.ppe_unknown for one in exposures):
        told.append("staff in isolation, protection unknown")
    return told


class Meetings(NamedTuple):
    """How often two persons met, and for how long."""

    number: int
    total_us: int
    longest_us: int


def sentence(met: Meetings, place: str, zone: str, day: date, since: str, estimated_ends: Sequence[str]) -> str:
    """Return why somebody is a candidate, of what is known of the longest meeting and of all together."""
    where = f"{place}, {zone}" if zone else place
    told = f"{where}, {_minutes(met.longest_us)} min together on {day.day} {MONTHS[day.month - 1]}, {since}"
    if met.number > 1:
        told += f"; {met.number} meetings, {_minutes(met.total_us)} min in all"
    if estimated_ends:
        told += f"; {' and '.join(estimated_ends)} estimated"
    return told


def signed(days: int) -> str:
    """Return a number of days with a real minus sign."""
    return f"{MINUS}{-days}" if days < 0 else str(days)


def _minutes(time_us: int) -> int:
    return time_us // MINUTE_US
