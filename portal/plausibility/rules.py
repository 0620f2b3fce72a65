"""The numbers of the rules: dated data in `rules.toml`, each with its source. They are changed there, never in code."""

from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from schemas.events import Role
from tracing.instants import HOUR_US, MINUTE_US, SECOND_US, us_of

Number = Annotated[int, Meta(ge=1, le=1_000_000)]
FAR_KM: Final = 5_500  # from Sabang to Merauke, and some more


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all rules have: from when on, where the numbers are from, whom it does not fit."""

    valid_from: date
    source: Annotated[str, Meta(min_length=1)]
    roles_except: frozenset[Role]

    @property
    def begins_us(self) -> int:
        """When the rule is in force from."""
        return us_of(datetime.combine(self.valid_from, time(), UTC))


class ClosedHours(Rule, frozen=True, kw_only=True, tag="closed_hours"):
    """The facility is closed, and so it is all the time around the scan."""

    grace_minutes: Number


class Burst(Rule, frozen=True, kw_only=True, tag="burst"):
    """So many people, or so large a part of the capacity if that is more, at one poster in so short a time."""

    persons: Number
    seconds: Number
    capacity_percent: Number

    @property
    def span_us(self) -> int:
        """The time in which they are counted."""
        return self.seconds * SECOND_US

    def limit(self, capacity: int | None) -> int:
        """Return how many people are too many at a facility."""
        return max(self.persons, (capacity or 0) * self.capacity_percent // 100)


class TwoPlaces(Rule, frozen=True, kw_only=True, tag="two_places"):
    """Travel that cannot be is called being in two places at once while it is shorter than this."""

    minutes: Number


class ImpossibleTravel(Rule, frozen=True, kw_only=True, tag="impossible_travel"):
    """Nobody gets so far in so short a time, by road or by air."""

    road_kmh: Number
    air_kmh: Number
    airport_minutes: Number
    slack_km: Number
    slack_minutes: Number

    def shortest_us(self, km: float) -> int:
        """Return in what time somebody can get so far; 0 for what is as good as no way."""
        way = max(0.0, km - self.slack_km)
        hours = min(way / self.road_kmh, self.airport_minutes / 60 + way / self.air_kmh)
        return max(0, int(hours * HOUR_US) - self.slack_minutes * MINUTE_US)


class ManyPersons(Rule, frozen=True, kw_only=True, tag="many_persons"):
    """So many people by one device within so many hours."""

    persons: Number
    hours: Number

    @property
    def span_us(self) -> int:
        """The time in which they are counted."""
        return self.hours * HOUR_US


class RetiredPoster(Rule, frozen=True, kw_only=True, tag="retired_poster"):
    """The poster had been revoked."""


R = TypeVar("R", bound=Rule)
Any: TypeAlias = ClosedHours | Burst | TwoPlaces | ImpossibleTravel | ManyPersons | RetiredPoster


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Any, ...]


class Rules:
    """All rules; `of` finds the one of a kind that is in force."""

    def __init__(self, rules: tuple[Any, ...]) -> None:
        self.every = rules
        self._by_kind: dict[type[Rule], list[Rule]] = {}
        for rule in sorted(rules, key=lambda rule: rule.valid_from, reverse=True):
            self._by_kind.setdefault(type(rule), []).append(rule)

    def of(self, kind: type[R], at_us: int) -> R | None:
        """Return the rule of a kind that is in force at an instant, if there is one."""
        for rule in self._by_kind.get(kind, ()):
            if rule.begins_us <= at_us:
                assert isinstance(rule, kind)
                return rule
        return None

    def all_of(self, kind: type[R]) -> list[R]:
        """Return the rules of a kind, the latest first."""
        return [rule for rule in self._by_kind.get(kind, ()) if isinstance(rule, kind)]

    @property
    def burst_us(self) -> int:
        """How far from a scan others at its poster matter."""
        return max((rule.span_us for rule in self.all_of(Burst)), default=0)

    @property
    def device_us(self) -> int:
        """How far from a scan others of its device matter."""
        return max((rule.span_us for rule in self.all_of(ManyPersons)), default=0)

    @property
    def travel_us(self) -> int:
        """How far from a scan others of its person matter."""
        return max((rule.shortest_us(FAR_KM) for rule in self.all_of(ImpossibleTravel)), default=0)


@cache
def all_rules() -> Rules:
    """Return the rules of the file."""
    text = files("portal.plausibility").joinpath("rules.toml").read_bytes()
    return Rules(msgspec.toml.decode(text, type=_File).rules)
