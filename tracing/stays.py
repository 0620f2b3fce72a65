"""How long a stay is taken to be when its exit was never scanned, and how long it may last: dated configuration.

The values in force at the `at` of the scan that opens a visit hold for that visit, for ever: so a new value must
begin in the future, or visits already told to others would change.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec

from tracing.instants import DAY_US, MINUTE_US

ALWAYS: Final = -(1 << 62)  # earlier than any scan


class StayRule(msgspec.Struct, frozen=True):
    """From `valid_from` (microseconds since 1970) on, a facility of this kind keeps people so long."""

    valid_from: int
    kind: str
    assumed_us: int
    max_us: int


DEFAULT_RULES: Final = (
    StayRule(ALWAYS, "hospital", 240 * MINUTE_US, 30 * DAY_US),
    StayRule(ALWAYS, "puskesmas", 120 * MINUTE_US, DAY_US),
    StayRule(ALWAYS, "clinic", 120 * MINUTE_US, DAY_US),
    StayRule(ALWAYS, "laboratory", 60 * MINUTE_US, DAY_US),
)


class Stays:
    """The dated table, ready for look-up; never changed once made."""

    def __init__(self, rules: Iterable[StayRule] = DEFAULT_RULES) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: (rule.kind, rule.valid_from)))
        self._by_kind: dict[str, tuple[list[int], list[StayRule]]] = {}
        for rule in self.rules:
            starts, in_order = self._by_kind.setdefault(rule.kind, ([], []))
            assert not starts or starts[-1] < rule.valid_from, "two rules of one kind begin at the same time"
            starts.append(rule.valid_from)
            in_order.append(rule)
        self.longest = max(max(rule.assumed_us, rule.max_us) for rule in self.rules)

    def at(self, kind: str, role: str, at: int) -> tuple[int, int]:
        """Return (assumed_stay, max_stay) for a visit opened at `at`; an inpatient is assumed to stay for all of it."""
        starts, in_order = self._by_kind[kind]
        rule = in_order[0] if len(starts) == 1 else in_order[bisect_right(starts, at) - 1]
        return (rule.max_us if role == "inpatient" else rule.assumed_us), rule.max_us

    def assumed_stay(self, kind: str, role: str, at: int) -> int:
        """Return how long the stay opened at `at` is taken to be."""
        return self.at(kind, role, at)[0]

    def max_stay(self, kind: str, role: str, at: int) -> int:
        """Return until when an exit or a zone still belongs to the stay opened at `at`."""
        return self.at(kind, role, at)[1]


DEFAULT_STAYS: Final = Stays()
