"""Which scans cannot be: the rules, and nothing else decides. Pure, and a function of the set of scans.

What is flagged among some scans is flagged among more: a scan that comes late only adds flags. So it does not matter in
what order scans are looked at, nor how often, as long as every scan is looked at once together with all around it
(decision 23 says why, and what does depend on when one looks).

Flagged are only scans that a telephone sent by itself: what an officer saw, what a system delivers and what somebody
riding along brings fits no rule here. Of two scans that contradict each other the less assured is flagged, of equals
both.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # its stubs forget the error

from portal.plausibility.reasons import SERIAL, Reason
from portal.plausibility.rules import (
    Burst,
    ClosedHours,
    ImpossibleTravel,
    ManyPersons,
    RetiredPoster,
    Rule,
    Rules,
    TwoPlaces,
)
from tracing.instants import HOUR_US, MINUTE_US, utc_of

EARTH_KM: Final = 6_371.0
ENTERED_WITHIN_US: Final = 24 * HOUR_US  # what an officer wrote down later may have a time that somebody remembered
ASSURED: Final = {"self": 0, "otp": 1, "staff_account": 2, "officer_saw_id": 3}


K = TypeVar("K")


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored scan as the rules see it; instants are microseconds since 1970."""

    person: str
    scan_id: str
    facility: int
    gate: str
    gate_no: int | None = None
    version: int | None = None
    at: int
    role: str = "unknown"
    channel: str = "app"
    assurance: str = "self"
    group_id: str = ""
    device_id: str = ""
    admitted: bool = True
    received_at: int

    @property
    def can_be_flagged(self) -> bool:
        """Whether a telephone sent it by itself, for somebody who was let in and works nowhere here."""
        return self.channel == "app" and self.assurance != "staff_account" and not self.group_id and self.admitted

    @property
    def shows_presence(self) -> bool:
        """Whether it says that the person was there then: no delivery, no button pressed anywhere to check out."""
        if not self.admitted or self.role == "inpatient":  # a hospital's system says what day, not what minute
            return False
        if self.channel == "app":
            return self.gate != "exit" or self.gate_no is not None
        return self.channel in {"officer", "kiosk"} and self.received_at - self.at <= ENTERED_WITHIN_US


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a facility's place."""

    latitude: float
    longitude: float
    capacity: int
    opening_hours: str
    time_zone: str


class Revocation(msgspec.Struct, frozen=True):
    """When a poster's version ceased to count, and the serial of the decision that said so."""

    at: int
    serial: int


class Flag(msgspec.Struct, frozen=True, order=True):
    """A scan that cannot be, and why."""

    person: str
    scan_id: str
    at: int
    reason: Reason
    serial: int = SERIAL


Poster = tuple[int, int, int]  # facility, gate, version


def flags_of(
    came: Iterable[Sighting],
    around: Iterable[Sighting],
    places: Mapping[int, Place],
    revoked: Mapping[Poster, Revocation],
    rules: Rules,
) -> set[Flag]:
    """Return which of these scans cannot be, and which of those around them cannot because of them.

    Args:
        came: in any order; of one person and scan id once, or more often alike.
        around: others, looked at before or later: so near in time at the same posters, of the same devices or persons.
        places: by facility; what needs to know the place says nothing of a facility that is not there.
        revoked: the versions of posters that were revoked.
        rules: dated; of each kind the one in force at the scan that it flags, for a crowd at its first scan.
    """
    new = list(dict.fromkeys(came))
    flags = set(retired(new, revoked, rules))
    flags |= {_flag(one, Reason.CLOSED_HOURS) for one in new if _is_outside_hours(one, places, rules)}
    alone = list(dict.fromkeys([*new, *around]))
    for poster, some in _grouped(alone, _poster_of).items():
        place = places.get(poster[0])
        for one in bursts(some, None if place is None else place.capacity, rules):
            flags.add(_flag(one, Reason.BURST))
    for some in _grouped(alone, _device_of).values():
        flags |= {_flag(one, Reason.MANY_PERSONS) for one in crowds(some, rules)}
    for some in _grouped(alone, _person_of).values():
        flags |= {_flag(one, reason) for one, reason in contradictions(some, places, rules)}
    return flags


def retired(sightings: Iterable[Sighting], revoked: Mapping[Poster, Revocation], rules: Rules) -> Iterator[Flag]:
    """Yield a flag for each scan of a poster that had been revoked by then, with the revocation's serial."""
    for one in sightings:
        poster = _poster_of(one)
        revocation = None if poster is None else revoked.get(poster)
        if revocation is not None and one.at >= revocation.at and _fits(one, rules.of(RetiredPoster, one.at)):
            yield _flag(one, Reason.RETIRED_POSTER, revocation.serial)


def is_closed(opening_hours: str, time_zone: str, at_us: int, grace_us: int) -> bool:
    """Say whether a facility is closed at an instant, and all the time around it; not if its hours say nothing."""
    hours = _parsed(opening_hours)
    if hours is None:
        return False
    around = timedelta(microseconds=grace_us)
    begin, end = (
        (utc_of(at_us) + side).astimezone(ZoneInfo(time_zone)).replace(tzinfo=None) for side in (-around, around)
    )
    if not hours.is_closed(begin):
        return False
    change = hours.next_change(begin)
    return change is None or change > end


def bursts(sightings: Iterable[Sighting], capacity: int | None, rules: Rules) -> set[Sighting]:
    """Return the scans at one poster that came in crowds too large for it."""

    def span(at_us: int) -> tuple[int, int] | None:
        rule = rules.of(Burst, at_us)
        return None if rule is None else (rule.span_us, rule.limit(capacity))

    return _crowded((one for one in sightings if _fits(one, rules.of(Burst, one.at))), span)


def crowds(sightings: Iterable[Sighting], rules: Rules) -> set[Sighting]:
    """Return the scans of one device that are of too many people; of those who proved who they are, none."""

    def span(at_us: int) -> tuple[int, int] | None:
        rule = rules.of(ManyPersons, at_us)
        return None if rule is None else (rule.span_us, rule.persons)

    found = _crowded((one for one in sightings if _fits(one, rules.of(ManyPersons, one.at))), span)
    return {one for one in found if one.assurance == "self"}


def contradictions(
    sightings: Iterable[Sighting], places: Mapping[int, Place], rules: Rules
) -> Iterator[tuple[Sighting, Reason]]:
    """Yield the scans of one person that another of the same or better assurance contradicts."""
    seen = sorted(
        (one for one in sightings if one.shows_presence and one.facility in places),
        key=lambda one: (one.at, one.scan_id),
    )
    reach_us = rules.travel_us
    for number, earlier in enumerate(seen):
        for later in seen[number + 1 :]:
            if later.at - earlier.at > reach_us:
                break
            if earlier.facility == later.facility:
                continue
            km = distance_km(places[earlier.facility], places[later.facility])
            for one, other in ((earlier, later), (later, earlier)):
                reason = _travel(one, later.at - earlier.at, km, rules)
                if reason is not None and ASSURED[one.assurance] <= ASSURED[other.assurance]:
                    yield one, reason


def distance_km(one: Place, other: Place) -> float:
    """Return how far two places are apart, along the ground."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    half_lat, half_lon = (north - south) / 2, math.radians(one.longitude - other.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(north) * math.cos(south) * math.sin(half_lon) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, chord)))


def _is_outside_hours(one: Sighting, places: Mapping[int, Place], rules: Rules) -> bool:
    """Say whether somebody came while the facility was closed; who leaves late was there."""
    rule, place = rules.of(ClosedHours, one.at), places.get(one.facility)
    if rule is None or place is None or one.gate == "exit" or not _fits(one, rule):
        return False
    return is_closed(place.opening_hours, place.time_zone, one.at, rule.grace_minutes * MINUTE_US)


def _travel(one: Sighting, apart_us: int, km: float, rules: Rules) -> Reason | None:
    """Return why nobody can have come from a scan to this one, or from this one to it; None: somebody can."""
    travel, places = rules.of(ImpossibleTravel, one.at), rules.of(TwoPlaces, one.at)
    if travel is None or not _fits(one, travel) or apart_us >= travel.shortest_us(km):
        return None
    if places is not None and apart_us <= places.minutes * MINUTE_US and _fits(one, places):
        return Reason.TWO_PLACES
    return Reason.IMPOSSIBLE_TRAVEL


def _crowded(sightings: Iterable[Sighting], span: Callable[[int], tuple[int, int] | None]) -> set[Sighting]:
    """Return the scans that lie in a span with too many people: (its length, how many are too many), by its first."""
    some = sorted(sightings, key=lambda one: (one.at, one.person, one.scan_id))
    found: set[Sighting] = set()
    for number, first in enumerate(some):
        numbers = span(first.at)
        if numbers is None:
            continue
        length_us, limit = numbers
        together = list(_from(some, number, first.at + length_us))
        if len({one.person for one in together}) >= limit:
            found.update(together)
    return found


def _from(some: Sequence[Sighting], number: int, until_us: int) -> Iterator[Sighting]:
    while number < len(some) and some[number].at <= until_us:
        yield some[number]
        number += 1


def _fits(one: Sighting, rule: Rule | None) -> bool:
    return rule is not None and one.can_be_flagged and one.role not in rule.roles_except


def _flag(one: Sighting, reason: Reason, serial: int = SERIAL) -> Flag:
    return Flag(one.person, one.scan_id, one.at, reason, serial)


def _poster_of(one: Sighting) -> Poster | None:
    return None if one.gate_no is None or one.version is None else (one.facility, one.gate_no, one.version)


def _device_of(one: Sighting) -> str | None:
    return one.device_id if one.device_id and one.gate_no is not None else None


def _person_of(one: Sighting) -> str:
    return one.person


def _grouped(some: Iterable[Sighting], key: Callable[[Sighting], K | None]) -> dict[K, list[Sighting]]:
    found: dict[K, list[Sighting]] = defaultdict(list)
    for one in some:
        name = key(one)
        if name is not None:
            found[name].append(one)
    return found


@lru_cache(maxsize=4_096)
def _parsed(opening_hours: str) -> OpeningHours | None:
    try:
        return OpeningHours(opening_hours)
    except ParserError:
        return None
